"""Paints the upright objects: vehicles, pedestrians, trees and lamp posts, each at its place on the ground."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from trtbuild.demo.street.backdrop import random_colour
from trtbuild.demo.street.canvas import (
    PEDESTRIAN,
    ROADSIDE,
    VEHICLE,
    Box,
    Canvas,
    darken_ellipse,
    fill,
    fill_ellipse,
    fill_trapezoid,
    rgb,
)

PAINTS: Final = (
    (200, 30, 30),
    (30, 60, 150),
    (225, 225, 225),
    (45, 45, 50),
    (150, 155, 160),
    (230, 170, 40),
    (40, 110, 70),
)
CLOTHES: Final = (
    (190, 40, 60),
    (40, 70, 160),
    (230, 220, 200),
    (50, 50, 55),
    (220, 130, 30),
    (90, 60, 130),
    (60, 140, 120),
)
TROUSERS: Final = ((40, 45, 70), (60, 55, 50), (30, 30, 35), (120, 105, 85))
SKINS: Final = ((235, 195, 165), (200, 150, 115), (130, 90, 65), (90, 60, 45))
LEAVES: Final = ((50, 95, 45), (75, 110, 50), (120, 110, 50), (40, 75, 50))

# Widths and heights in metres, lowest and highest: cars, vans, lorries.
VEHICLE_SIZES: Final = (((1.7, 1.95), (1.4, 1.6)), ((1.9, 2.1), (1.9, 2.3)), ((2.3, 2.5), (2.9, 3.5)))
VEHICLE_SHARES: Final = (0.65, 0.2, 0.15)


class Place(NamedTuple):
    """Where an object stands: its foot in pixels, and the scale there."""

    foot_px: float
    centre_px: float
    px_per_metre: float


def paint_vehicle(canvas: Canvas, place: Place, rng: np.random.Generator) -> None:
    """A vehicle from the front or rear, with its shadow on the ground."""
    kind = rng.choice(len(VEHICLE_SIZES), p=VEHICLE_SHARES)
    (narrow, wide), (low, high) = VEHICLE_SIZES[kind]
    half = rng.uniform(narrow, wide) / 2 * place.px_per_metre
    height = rng.uniform(low, high) * place.px_per_metre
    foot, left, right = place.foot_px, place.centre_px - half, place.centre_px + half
    paint = random_colour(PAINTS, rng)
    glass, tyre = rgb(45, 55, 70) * np.float32(rng.uniform(0.7, 1.8)), rgb(22, 22, 24)

    darken_ellipse(canvas, Box(foot - 0.12 * height, foot + 0.1 * height, left - 0.3 * half, right + 0.3 * half), 0.7)
    for side in (left + 0.05 * half, right - 0.4 * half):
        fill(canvas, Box(foot - 0.2 * height, foot, side, side + 0.35 * half), tyre, VEHICLE)
    body_top = foot - (0.62 if kind == 0 else 0.97) * height
    fill(canvas, Box(body_top, foot - 0.12 * height, left, right), paint, VEHICLE)
    cabin = Box(foot - height, body_top + 1, left + 0.08 * half, right - 0.08 * half)
    fill_trapezoid(canvas, cabin, 0.22 * half, paint * np.float32(0.92), VEHICLE)
    window_top = foot - (0.92 if kind == 0 else 0.88) * height
    window = Box(window_top, foot - 0.6 * height, left + 0.22 * half, right - 0.22 * half)
    fill_trapezoid(canvas, window, 0.15 * half, glass, VEHICLE)
    fill(canvas, Box(foot - 0.2 * height, foot - 0.12 * height, left, right), paint * np.float32(0.55), VEHICLE)
    lamp = rgb(210, 30, 25) if rng.random() < 0.6 else rgb(250, 245, 215)
    for side in (left + 0.06 * half, right - 0.36 * half):
        fill(canvas, Box(foot - 0.48 * height, foot - 0.38 * height, side, side + 0.3 * half), lamp, VEHICLE)


def paint_pedestrian(canvas: Canvas, place: Place, rng: np.random.Generator) -> None:
    """A walking figure: legs, coat, arm, head."""
    height = rng.uniform(1.6, 1.95) * place.px_per_metre
    foot, middle = place.foot_px, place.centre_px
    stride, half = rng.uniform(0.0, 0.09) * height, rng.uniform(0.12, 0.16) * height
    coat, legs, skin = random_colour(CLOTHES, rng), random_colour(TROUSERS, rng), random_colour(SKINS, rng)

    darken_ellipse(canvas, Box(foot - 0.04 * height, foot + 0.05 * height, middle - 2 * half, middle + 2 * half), 0.5)
    for step in (-stride - 0.05 * height, stride + 0.05 * height):
        leg = Box(foot - 0.5 * height, foot, middle + step - 0.065 * height, middle + step + 0.065 * height)
        fill(canvas, leg, legs, PEDESTRIAN)
    fill(canvas, Box(foot - 0.82 * height, foot - 0.42 * height, middle - half, middle + half), coat, PEDESTRIAN)
    arm = half * rng.choice((-1.0, 1.0))
    sleeve = Box(foot - 0.78 * height, foot - 0.45 * height, middle + arm - 0.3 * half, middle + arm + 0.3 * half)
    fill(canvas, sleeve, coat * np.float32(0.8), PEDESTRIAN)
    head = Box(foot - height, foot - 0.8 * height, middle - 0.09 * height, middle + 0.09 * height)
    fill_ellipse(canvas, head, skin, PEDESTRIAN)


def paint_tree(canvas: Canvas, place: Place, rng: np.random.Generator) -> None:
    """A trunk under a few overlapping crowns."""
    height = rng.uniform(3.5, 7) * place.px_per_metre
    half, trunk = rng.uniform(0.25, 0.4) * height, 0.03 * height
    foot, middle = place.foot_px, place.centre_px
    fill(canvas, Box(foot - 0.5 * height, foot, middle - trunk, middle + trunk), rgb(75, 58, 42), ROADSIDE)
    leaf = random_colour(LEAVES, rng)
    for _ in range(4):
        x, y = middle + rng.uniform(-0.5, 0.5) * half, foot - rng.uniform(0.5, 0.8) * height
        crown = Box(y - 0.55 * half, y + 0.55 * half, x - 0.7 * half, x + 0.7 * half)
        fill_ellipse(canvas, crown, leaf * np.float32(rng.uniform(0.8, 1.2)), ROADSIDE)


def paint_post(canvas: Canvas, place: Place, rng: np.random.Generator) -> None:
    """A lamp post or a traffic sign: thin and upright, but not a pedestrian."""
    height = rng.uniform(2.2, 5) * place.px_per_metre
    half = 0.06 * place.px_per_metre
    foot, middle = place.foot_px, place.centre_px
    grey = rgb(105, 108, 112) * np.float32(rng.uniform(0.6, 1.2))
    fill(canvas, Box(foot - height, foot, middle - half, middle + half), grey, ROADSIDE)
    plate = Box(foot - height, foot - height + 7 * half, middle - 5 * half, middle + 5 * half)
    fill_ellipse(canvas, plate, random_colour(PAINTS, rng), ROADSIDE)
