"""Makes smooth random fields from coarse grids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def smooth_field(height: int, width: int, channels: int, octaves: Sequence[int], rng: np.random.Generator) -> Floats:
    """Sum of upsampled noise grids with `octaves` cells a side, each half as strong as the one before.

    Returns float32 [height, width, channels], within about -1..1.
    """
    field = np.zeros((height, width, channels), np.float32)
    for octave, cells in enumerate(octaves):
        grid = rng.uniform(-1, 1, (cells + 1, cells + 1, channels)).astype(np.float32)
        field += upsampled(grid, height, width) / np.float32(2**octave)
    return field


def upsampled(grid: Floats, height: int, width: int) -> Floats:
    """Bilinear interpolation of float32 [rows, columns, channels] to [height, width, channels], corners kept."""
    row, down = _positions(grid.shape[0], height)
    column, right = _positions(grid.shape[1], width)
    down, right = down[:, None, None], right[None, :, None]
    rows = grid[row] * (1 - down) + grid[row + 1] * down
    return rows[:, column] * (1 - right) + rows[:, column + 1] * right


def _positions(knots: int, length: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """Left knot and the fraction towards the next one, for `length` points spread over `knots` knots."""
    position = np.linspace(0, knots - 1, length)
    left = np.minimum(position.astype(np.int64), knots - 2)
    return left, (position - left).astype(np.float32)
