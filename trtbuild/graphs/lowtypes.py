"""Number formats below float32 that graphs store: their NumPy types, largest values, and scales that they hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np

from trtbuild.base.errors import LowerError
from trtbuild.core.spec.precision import FloatType, LoweringKind

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array

INT4, FLOAT4, FLOAT8 = (
    np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.float4_e2m1fn), np.dtype(ml_dtypes.float8_e4m3fn),
)  # fmt: skip
INT8_LARGEST = 127  # -128 is unused: the range is symmetric
INT4_LARGEST, FLOAT4_LARGEST, FLOAT8_LARGEST = 7, 6.0, 448.0
# What a tensor with one scale is stored in.
STORED: Mapping[LoweringKind, tuple[np.dtype[np.generic], float]] = {
    "int8": (np.dtype(np.int8), INT8_LARGEST), "float8": (FLOAT8, FLOAT8_LARGEST),
}  # fmt: skip


def rounded(values: Array, kind: LoweringKind) -> Array:
    """Values (already divided by their scale) in a type with one scale: nearest, ties to even, saturated.

    NaN stays NaN in a floating-point type.
    """
    dtype, largest = STORED[kind]
    clipped = np.clip(np.rint(values) if dtype.kind == "i" else values, -largest, largest)
    return np.asarray(clipped.astype(np.float32).astype(dtype))


def held(scales: Array, types: Collection[FloatType], name: str) -> Array:
    """The least values from ``scales`` on that each of ``types`` holds, so that both sides of a pair have the same one.

    Rounding up clips nothing.  float32 is left to the nearest one.
    """
    for kind in ("bfloat16", "float16"):
        if kind in types:
            dtype = np.dtype(ml_dtypes.bfloat16 if kind == "bfloat16" else np.float16)
            with np.errstate(over="ignore"):
                low = scales.astype(np.float32).astype(dtype)
            up = np.nextafter(low, dtype.type(np.inf))
            low = np.where(low.astype(np.float64) < scales, up, low).astype(np.float64)
            if not np.isfinite(low).all():
                hint = "choose rest: bfloat16 or float32, or keep its scope in float32 (overrides)"
                raise LowerError(f"'{name}' is too large for a scale in {kind}", where="lower", hint=hint)
            scales = low
    return scales
