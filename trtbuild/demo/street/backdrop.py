"""Paints what is behind the traffic: sky, a row of houses, and the ground beside the road."""

from __future__ import annotations

from typing import Final

import numpy as np

from trtbuild.demo.noise import smooth_field
from trtbuild.demo.street.canvas import HEIGHT_PX, ROADSIDE, SKY, WIDTH_PX, Box, Canvas, Colour, fill, rgb

SKY_TOPS: Final = ((70, 130, 210), (150, 165, 185), (110, 150, 200), (190, 150, 140))
SKY_BOTTOMS: Final = ((190, 215, 235), (205, 208, 212), (235, 225, 200), (240, 200, 160))
WALLS: Final = ((150, 90, 70), (180, 165, 140), (120, 120, 125), (200, 190, 175), (95, 85, 80))
GROUNDS: Final = ((80, 120, 60), (115, 130, 75), (150, 140, 125), (135, 115, 85), (165, 165, 165))


def paint_backdrop(canvas: Canvas, horizon_px: float, rng: np.random.Generator) -> None:
    """Paint everything behind the road and the traffic."""
    _paint_sky(canvas, rng)
    _paint_houses(canvas, horizon_px, rng)
    _paint_ground(canvas, horizon_px, rng)


def _paint_sky(canvas: Canvas, rng: np.random.Generator) -> None:
    """A vertical gradient with clouds, over the whole canvas."""
    kind = rng.integers(len(SKY_TOPS))
    down = np.linspace(0, 2, HEIGHT_PX, dtype=np.float32).clip(0, 1)[:, None, None]
    gradient = rgb(*SKY_TOPS[kind]) * (1 - down) + rgb(*SKY_BOTTOMS[kind]) * down
    clouds = np.clip(smooth_field(HEIGHT_PX, WIDTH_PX, 1, (4, 9, 18), rng) - rng.uniform(0, 0.8), 0, 1)
    canvas.image[:] = gradient + (245 - gradient) * clouds
    canvas.label[:] = SKY


def _paint_houses(canvas: Canvas, horizon_px: float, rng: np.random.Generator) -> None:
    """Walls with windows along the horizon, with gaps that show the sky."""
    left = rng.uniform(-15, 0)
    while left < WIDTH_PX:
        width = rng.uniform(10, 34)
        if rng.random() < 0.75:
            box = Box(horizon_px - rng.uniform(4, 28), horizon_px + 1, left, left + width)
            _paint_house(canvas, box, rng)
        left += width + rng.uniform(-2, 6)


def _paint_house(canvas: Canvas, box: Box, rng: np.random.Generator) -> None:
    """One wall with a grid of windows, all lit or all dark."""
    wall = random_colour(WALLS, rng)
    fill(canvas, box, wall, ROADSIDE)
    pane = rgb(230, 215, 160) if rng.random() < 0.2 else wall * np.float32(rng.uniform(0.4, 0.7))
    pitch_x, pitch_y = rng.uniform(3.5, 7), rng.uniform(4, 7)
    for top in np.arange(box.top + 2, box.bottom - 4, pitch_y):
        for left in np.arange(box.left + 2, box.right - 3, pitch_x):
            fill(canvas, Box(top, top + pitch_y / 2, left, left + pitch_x / 2), pane, ROADSIDE)


def _paint_ground(canvas: Canvas, horizon_px: float, rng: np.random.Generator) -> None:
    """Grass, earth or paving from the horizon down."""
    top = int(np.ceil(horizon_px))
    blades = smooth_field(HEIGHT_PX - top, WIDTH_PX, 1, (5, 40, 80), rng)
    canvas.image[top:] = random_colour(GROUNDS, rng) * (1 + rng.uniform(0.08, 0.3) * blades)
    canvas.label[top:] = ROADSIDE


def random_colour(palette: tuple[tuple[int, int, int], ...], rng: np.random.Generator) -> Colour:
    """One colour of the palette, slightly lighter or darker and shifted in hue; float32 [3]."""
    base = rgb(*palette[rng.integers(len(palette))])
    return base * np.float32(rng.uniform(0.75, 1.2)) * rng.uniform(0.92, 1.08, 3).astype(np.float32)
