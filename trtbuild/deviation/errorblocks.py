"""Two arrays of one shape as blocks of rows with their error, read anew on every pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trtbuild.arrays.arrayfile import Array, rows_of


@dataclass(frozen=True)
class Block:
    """Rows of both sides from row ``start`` on, as float64, and their error.

    ``finite`` is None when all elements of both sides are finite.  Where it is False, ``reference``, ``other``,
    ``signed`` (other - reference) and ``error`` (its absolute value) are 0.
    """

    start: int
    native: tuple[Array, Array]
    reference: Array
    other: Array
    signed: Array
    error: Array
    finite: Array | None

    def chosen(self, array: Array) -> Array:
        """The finite elements of one of these four arrays, flattened."""
        return array.ravel() if self.finite is None else array[self.finite]


def block_of(start: int, reference: Array, other: Array) -> Block:
    r, y = reference.astype(np.float64), other.astype(np.float64)
    known = np.isfinite(r) & np.isfinite(y)
    finite = None if known.all() else known
    if finite is not None:
        r, y = np.where(finite, r, 0.0), np.where(finite, y, 0.0)
    with np.errstate(over="ignore"):
        signed = _difference(reference, other) if _wide_integers(reference, other) else y - r
    return Block(start, (reference, other), r, y, signed, np.abs(signed), finite)


def blocks(reference: Any, other: Any) -> Iterator[Block]:
    for (start, r), (_, y) in zip(rows_of(reference), rows_of(other), strict=True):
        yield block_of(start, r, y)


def _wide_integers(reference: Array, other: Array) -> bool:
    return reference.dtype == other.dtype and reference.dtype.kind in "iu" and reference.dtype.itemsize == 8


def _difference(reference: Array, other: Array) -> Array:
    """The exact difference, rounded at the end: different integers above 2^53 could look equal as float64."""
    r, y = reference.view(np.uint64), other.view(np.uint64)  # arithmetic modulo 2^64 undoes any overflow
    up = other >= reference
    distance: Array = np.where(up, y - r, r - y).astype(np.float64)
    return np.where(up, distance, -distance)
