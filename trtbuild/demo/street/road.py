"""The road: its geometry in the picture, its surface and its lane marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

from trtbuild.demo.noise import smooth_field
from trtbuild.demo.street.canvas import HEIGHT_PX, LANE_MARK, ROAD, WIDTH_PX, Canvas, Colour, Floats, Mask

Nearness = TypeVar("Nearness", float, Floats)

LANE_WIDTH_M: Final = 3.3
# A thinner mark is not labelled: nobody could draw its outline in a photograph of this size.
THINNEST_MARK_PX: Final = 1.2


@dataclass(frozen=True)
class Road:
    """A road on flat ground. `nearness` is 0 at the horizon and 1 at the lower border of the picture."""

    horizon_px: float
    vanishing_px: float
    bottom_px: float
    half_width_px: float
    bend_px: float
    lanes: int

    def centre(self, nearness: Nearness) -> Nearness:
        """Column of the road's middle."""
        straight = self.vanishing_px * (1 - nearness) + self.bottom_px * nearness
        return straight + self.bend_px * nearness * (1 - nearness)

    def row(self, nearness: float) -> float:
        """Row of the ground at this nearness."""
        return self.horizon_px + nearness * (HEIGHT_PX - self.horizon_px)

    def px_per_metre(self, nearness: float) -> float:
        """Scale of upright things that stand on the ground at this nearness."""
        return nearness * 2 * self.half_width_px / (self.lanes * LANE_WIDTH_M)


def random_road(rng: np.random.Generator) -> Road:
    """Two or three lanes, straight or bent, seen by a camera that is not quite in the middle."""
    lanes = int(rng.integers(2, 4))
    return Road(
        horizon_px=rng.uniform(30, 44),
        vanishing_px=WIDTH_PX / 2 + rng.uniform(-25, 25),
        bottom_px=WIDTH_PX / 2 + rng.uniform(-25, 25),
        half_width_px=lanes * rng.uniform(40, 50),
        bend_px=rng.uniform(-50, 50) if rng.random() < 0.6 else 0.0,
        lanes=lanes,
    )


def paint_road(canvas: Canvas, road: Road, rng: np.random.Generator) -> None:
    """Paint the surface, then the marks over it."""
    top = int(np.ceil(road.horizon_px))
    y = np.arange(top, HEIGHT_PX, dtype=np.float32)[:, None] + 0.5
    x = np.arange(WIDTH_PX, dtype=np.float32)[None, :] + 0.5
    nearness = (y - road.horizon_px) / (HEIGHT_PX - road.horizon_px)
    # Across the road: -1 and 1 are its borders.
    across = (x - road.centre(nearness)) / (road.half_width_px * nearness)

    surface = abs(across) < 1
    grey = rng.uniform(60, 130) * (1 + rng.uniform(-0.06, 0.06, 3))
    patches = 1 + rng.uniform(0.05, 0.2) * smooth_field(HEIGHT_PX - top, WIDTH_PX, 1, (6, 24, 48), rng)
    canvas.image[top:][surface] = (grey * patches)[surface]
    canvas.label[top:][surface] = ROAD

    marks = _marks(road, nearness, across, rng)
    colour = _mark_colour(rng) * (1 + 0.08 * smooth_field(HEIGHT_PX - top, WIDTH_PX, 1, (24,), rng))
    canvas.image[top:][marks] = colour[marks]
    canvas.label[top:][marks] = LANE_MARK


def _marks(road: Road, nearness: Floats, across: Floats, rng: np.random.Generator) -> Mask:
    """Where there is paint: solid lines at the borders, dashed ones between lanes; bool [rows, columns]."""
    half_width = rng.uniform(0.09, 0.14) / (road.lanes * LANE_WIDTH_M / 2)
    visible = 2 * half_width * road.half_width_px * nearness > THINNEST_MARK_PX
    marks = np.zeros(across.shape, np.bool_)
    if rng.random() < 0.8:
        inset = 1 - rng.uniform(2, 4) * half_width
        marks |= abs(abs(across) - inset) < half_width
    # Distance grows with 1 / nearness, so that dashes of one length shrink towards the horizon.
    distance = rng.uniform(1.5, 3.0) / nearness + rng.uniform(0, 1)
    dashes = (distance % 1 < rng.uniform(0.45, 0.7)) | (rng.random() < 0.2)
    for lane in range(1, road.lanes):
        marks |= (abs(across - (2 * lane / road.lanes - 1)) < half_width) & dashes
    return marks & visible


def _mark_colour(rng: np.random.Generator) -> Colour:
    """White, sometimes yellow, more or less worn."""
    base = (235, 190, 60) if rng.random() < 0.25 else (240, 240, 235)
    return (np.array(base) * rng.uniform(0.8, 1.0)).astype(np.float32)
