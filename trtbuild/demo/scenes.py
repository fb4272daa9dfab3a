"""Composes street scenes, with the class of every pixel, from the parts in `trtbuild.demo.street`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from trtbuild.demo.street.actors import Place, paint_pedestrian, paint_post, paint_tree, paint_vehicle
from trtbuild.demo.street.backdrop import paint_backdrop
from trtbuild.demo.street.camera import photographed
from trtbuild.demo.street.canvas import CLASSES, HEIGHT_PX, WIDTH_PX, Canvas, blank
from trtbuild.demo.street.road import Road, paint_road, random_road

__all__ = ["CLASSES", "HEIGHT_PX", "WIDTH_PX", "Image", "Label", "scene", "scenes"]

Image = npt.NDArray[np.uint8]
Label = npt.NDArray[np.uint8]
Painter = Callable[[Canvas, Place, np.random.Generator], None]

# The smallest nearness at which an object is still a few pixels wide.
FARTHEST_VEHICLE: Final = 0.16
FARTHEST_PEDESTRIAN: Final = 0.3
NEAREST: Final = 0.95


class Thing(NamedTuple):
    """An upright object with its place, not yet painted."""

    nearness: float
    centre_px: float
    paint: Painter


def scenes(count: int, seed: int) -> tuple[Image, Label]:
    """Draw a batch: images uint8 [count, 96, 160, 3] and labels uint8 [count, 96, 160].

    Scene i depends on (seed, i) only, so a longer batch starts with the shorter one.
    """
    images = np.empty((count, HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    labels = np.empty((count, HEIGHT_PX, WIDTH_PX), np.uint8)
    for index in range(count):
        images[index], labels[index] = scene(np.random.default_rng((seed, index)))
    return images, labels


def scene(rng: np.random.Generator) -> tuple[Image, Label]:
    """Draw one scene: image uint8 [96, 160, 3] and label uint8 [96, 160], an index into CLASSES per pixel."""
    canvas = blank()
    road = random_road(rng)
    paint_backdrop(canvas, road.horizon_px, rng)
    paint_road(canvas, road, rng)
    # From far to near, so that near objects cover far ones.
    for thing in sorted(_things(road, rng), key=lambda thing: thing.nearness):
        foot, scale = road.row(thing.nearness), road.px_per_metre(thing.nearness)
        thing.paint(canvas, Place(foot, thing.centre_px, scale), rng)
    return photographed(canvas.image, rng), canvas.label


def _things(road: Road, rng: np.random.Generator) -> list[Thing]:
    """All vehicles, pedestrians, trees and posts of a scene, in no particular order."""
    things = [_beside(road, rng, paint_tree) for _ in range(rng.integers(0, 5))]
    things += [_beside(road, rng, paint_post) for _ in range(rng.integers(0, 3))]
    things += [_in_lane(road, rng) for _ in range(rng.integers(1, 5))]
    things += [_pedestrian(rng) for _ in range(rng.integers(1, 5))]
    return things


def _beside(road: Road, rng: np.random.Generator, paint: Painter) -> Thing:
    """A place beside the road, left or right."""
    nearness = rng.uniform(0.08, 0.5)
    across = rng.choice((-1.0, 1.0)) * rng.uniform(1.15, 2.5)
    return Thing(nearness, road.centre(nearness) + across * road.half_width_px * nearness, paint)


def _in_lane(road: Road, rng: np.random.Generator) -> Thing:
    """A vehicle near the middle of a lane, or parked at the border of the road."""
    # The square makes far vehicles the most frequent, as they are on a real road.
    nearness = FARTHEST_VEHICLE + (NEAREST - FARTHEST_VEHICLE) * rng.uniform(0, 0.9) ** 2
    lane = rng.integers(road.lanes)
    across = (2 * lane + 1) / road.lanes - 1 + rng.uniform(-0.1, 0.1)
    if rng.random() < 0.15:
        across = rng.choice((-1.1, 1.1))
    return Thing(nearness, road.centre(nearness) + across * road.half_width_px * nearness, paint_vehicle)


def _pedestrian(rng: np.random.Generator) -> Thing:
    """A pedestrian anywhere in the picture: on the pavement, or crossing."""
    nearness = rng.uniform(FARTHEST_PEDESTRIAN, NEAREST)
    return Thing(nearness, rng.uniform(4, WIDTH_PX - 4), paint_pedestrian)
