"""Paints plain shapes into an image together with their class, clipped at the borders."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

HEIGHT_PX: Final = 96
WIDTH_PX: Final = 160

CLASSES: Final = ("sky", "roadside", "road", "lane mark", "vehicle", "pedestrian")
SKY, ROADSIDE, ROAD, LANE_MARK, VEHICLE, PEDESTRIAN = range(len(CLASSES))

Floats = npt.NDArray[np.floating[Any]]
Colour = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class Canvas(NamedTuple):
    """What has been painted so far: `image` float32 [96, 160, 3] in 0..255 and `label` uint8 [96, 160]."""

    image: npt.NDArray[np.float32]
    label: npt.NDArray[np.uint8]


class Box(NamedTuple):
    """A rectangle in pixels, y downwards; the right and lower border do not belong to it."""

    top: float
    bottom: float
    left: float
    right: float


def rgb(red: float, green: float, blue: float) -> Colour:
    """A colour from levels in 0..255."""
    return np.array((red, green, blue), np.float32)


def blank() -> Canvas:
    """A black canvas, all of it sky."""
    return Canvas(np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.float32), np.full((HEIGHT_PX, WIDTH_PX), SKY, np.uint8))


def fill(canvas: Canvas, box: Box, colour: Colour, class_id: int) -> None:
    """Paint a whole rectangle; it is at least one pixel high and wide."""
    rows, columns = _window(box)
    canvas.image[rows, columns] = colour
    canvas.label[rows, columns] = class_id


def fill_ellipse(canvas: Canvas, box: Box, colour: Colour, class_id: int) -> None:
    """Paint the ellipse that touches the four sides of the rectangle."""
    rows, columns = _window(box)
    inside = _ellipse(box, rows, columns) <= 1
    canvas.image[rows, columns][inside] = colour
    canvas.label[rows, columns][inside] = class_id


def fill_trapezoid(canvas: Canvas, box: Box, inset_px: float, colour: Colour, class_id: int) -> None:
    """Paint a trapezium: the rectangle, narrower at the top by `inset_px` on the left and on the right."""
    rows, columns = _window(box)
    y, x = _centres(rows, columns)
    inset = inset_px * (box.bottom - y) / max(box.bottom - box.top, 1)
    inside = (x >= box.left + inset) & (x <= box.right - inset)
    canvas.image[rows, columns][inside] = colour
    canvas.label[rows, columns][inside] = class_id


def darken_ellipse(canvas: Canvas, box: Box, strength: float) -> None:
    """A soft shadow: the image loses up to `strength` (0..1) of its light; the classes stay."""
    rows, columns = _window(box)
    shade = np.clip(1.5 - _ellipse(box, rows, columns), 0, 1) * strength
    canvas.image[rows, columns] *= 1 - shade[..., None]


def _window(box: Box) -> tuple[slice, slice]:
    """Rows and columns of the canvas under a rectangle."""
    top, left = round(box.top), round(box.left)
    bottom, right = max(round(box.bottom), top + 1), max(round(box.right), left + 1)
    return (
        slice(min(max(top, 0), HEIGHT_PX), min(max(bottom, 0), HEIGHT_PX)),
        slice(min(max(left, 0), WIDTH_PX), min(max(right, 0), WIDTH_PX)),
    )


def _centres(rows: slice, columns: slice) -> tuple[Floats, Floats]:
    """Coordinates of pixel centres, float32 [rows, 1] and [1, columns]."""
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] + 0.5
    return y, x


def _ellipse(box: Box, rows: slice, columns: slice) -> Floats:
    """Squared distance from the rectangle's centre, 1 on its inscribed ellipse."""
    y, x = _centres(rows, columns)
    down = (y - (box.top + box.bottom) / 2) / max((box.bottom - box.top) / 2, 0.5)
    right = (x - (box.left + box.right) / 2) / max((box.right - box.left) / 2, 0.5)
    return down**2 + right**2
