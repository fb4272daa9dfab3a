"""The grid of a fake quantisation: what TensorFlow rounds to, bit for bit, as whole numbers and a float32 scale.

``FakeQuantWithMinMax*`` moves its range so that zero is on the grid (``Nudge`` in TensorFlow 2.21,
``tensorflow/core/kernels/fake_quant_ops_functor.h``); ``QuantizeAndDequantize*`` takes the larger of two scales
(``ComputeQuantizationRange`` in ``quantize_and_dequantize_op.h``).  Both formulas are evaluated in float32, as there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array

INT8 = (-128, 127)
BITS = 8
_HALF = np.float32(0.5)
INITIAL = np.array(
    6, np.float32
)  # the default of FakeQuantWithMinMaxArgs, and of the Model Optimization Toolkit's quantizers


@dataclass(frozen=True)
class Grid:
    """``scale * q`` for every whole ``q`` from ``low`` to ``high``: arrays of one element, or of one for each channel.

    ``inverse``: of the scale, as TensorFlow computes it.  ``axis``: of the channels; None: one range for the whole
    tensor.  ``even``: halves are rounded to even, else up.
    """

    scale: Array
    inverse: Array
    low: Array
    high: Array
    axis: int | None = None
    even: bool = False

    @property
    def is_int8(self) -> bool:
        """Whether int8 holds all of it."""
        return bool((self.low >= INT8[0]).all() and (self.high <= INT8[1]).all())

    @property
    def is_mirrored(self) -> bool:
        """Whether int8 holds all of it with the other sign: a symmetric range whose zero TensorFlow puts at 127."""
        return bool((self.low >= -INT8[1]).all() and (self.high <= -INT8[0]).all())

    @property
    def storage(self) -> tuple[type[np.int8] | type[np.uint8], bool]:
        """The type that holds all of it, and whether with the other sign; the unsigned one has a zero point."""
        kind = np.int8 if self.is_int8 or self.is_mirrored else np.uint8
        return kind, self.is_mirrored and not self.is_int8

    def mirrored(self) -> Grid:
        """The same steps with the other sign."""
        return replace(self, low=-self.high, high=-self.low)

    @property
    def doubt(self) -> str:
        """Why it looks as if it was never trained; empty if it does not."""
        if not (self.low.any() or self.high.any()):
            return "is zero, so that it makes zeros of everything"
        initial = fake_quant(-INITIAL, INITIAL, narrow=bool((self.low > INT8[0]).all()), axis=None)
        same = bool((self.scale == initial.scale).all()) and not self.even
        return f"is still {-INITIAL} to {INITIAL}, where TensorFlow's ranges start" if same else ""

    @property
    def zero_point(self) -> Array:
        """Of the unsigned form: the highest step is 255."""
        return 255 - self.high

    def quantise(self, array: Array) -> Array:
        """``q`` of every element, as TensorFlow computes it."""
        scale, inverse, low, high = (
            self.spread(part, array.ndim) for part in (self.scale, self.inverse, self.low, self.high)
        )
        least, most = (low * scale).astype(np.float32), (high * scale).astype(np.float32)
        clamped = np.clip(array, least, most)
        if self.even:
            steps = np.rint(clamped * inverse)
        else:
            zero = np.floor(-least * inverse + _HALF)
            steps = np.floor((clamped - least) * inverse - zero + _HALF)
        made: Array = np.clip(steps, low, high).astype(np.int32)
        return made

    def spread(self, values: Array, rank: int) -> Array:
        """One value for each channel, in the shape of a tensor of this rank."""
        spread: Array = values.reshape([-1 if i == self.axis else 1 for i in range(rank)] if rank else [])
        return spread


def fake_quant(low: Array, high: Array, *, narrow: bool, axis: int | None) -> Grid:
    """The grid of ``FakeQuantWithMinMax*``; a range of zeros makes zeros.

    >>> fake_quant(np.float32([-1]), np.float32([1]), narrow=True, axis=None).low
    array([-127])
    """
    least, most = np.float32(1 if narrow else 0), np.float32(255)
    low, high = np.atleast_1d(low).astype(np.float32), np.atleast_1d(high).astype(np.float32)
    empty = (low == 0) & (high == 0)
    width = np.where(empty, np.float32(255), high - low).astype(np.float32)
    scale = width / (most - least)
    exact = least - low / scale
    # std::round: halves away from zero, and what is rounded here is never negative
    zero = np.floor(np.clip(exact, least, most).astype(np.float64) + 0.5).astype(np.int64)
    bounds = (np.where(empty, 0, int(least) - zero), np.where(empty, 0, int(most) - zero))
    return Grid(scale.astype(np.float32), (most - least) / width, *bounds, axis)


def quantise_and_dequantise(
    low: Array, high: Array, *, signed: bool, narrow: bool, axis: int | None, even: bool
) -> Grid:
    """The grid of ``QuantizeAndDequantizeV2`` to ``V4``, whose zero stays where it is."""
    low, high = np.atleast_1d(low).astype(np.float32), np.atleast_1d(high).astype(np.float32)
    least, most = (INT8[0] + narrow, INT8[1]) if signed else (0, 255)
    largest = np.finfo(np.float32).max
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        below = np.where(least * low > 0, np.float32(least) / low, largest).astype(np.float32)
        above = np.where(most * high > 0, np.float32(most) / high, largest).astype(np.float32)
        from_low = low / np.float32(least) if least else np.zeros_like(low)
        scale = np.where(below < above, from_low, high / np.float32(most)).astype(np.float32)
    empty, inverse, one = ~(scale > 0), np.minimum(below, above), np.float32(1)
    bounds = (np.where(empty, 0, least), np.where(empty, 0, most))
    return Grid(np.where(empty, one, scale), np.where(empty, one, inverse), *bounds, axis, even)
