"""The error of one intermediate tensor, normalised by its own size, and how tensors are cut into runs that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.documents.layers import TensorError

# A mapped tensor holds TensorFlow's values when no element is further off than this share of the largest: far above
# float32 rounding, far below the difference to a wrong tensor.
SAME_VALUES = 2e-3
HIDING = 1e3  # constants this many times the RMS of a tensor's other elements: no activation spreads so far by itself
SMALL_PART = 1e-2  # the other elements: those below this share of the RMS
OTHER_VALUES = 100.0  # an error this many times that of everything computed from the tensor is not passed on


def errors(reference: Array, other: Array) -> TensorError:
    """Deviation of ``other`` from ``reference`` (equal shapes), normalised by RMS(reference).

    Returns:
        ``median``, ``max`` of |e| / RMS(r), ``nrmse`` = RMS(e) / RMS(r), ``sqnr_db`` = 10 log10(sum r^2 / sum e^2)
        (None: no error, or no signal), ``cosine``, ``max_abs``, ``rms`` = RMS(r), ``nonfinite``: elements that are NaN
        or infinite on one side only (all other numbers leave them out), ``hidden``: nrmse of the part that large
        constants hide (None: there are none).  A reference of zeros is not normalised.
    """
    r, y = reference.reshape(-1), other.reshape(-1)
    if r.dtype != np.float32:
        r = r.astype(np.float32)
    if y.dtype != np.float32:
        y = y.astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = y - r
    nonfinite = 0
    if not np.isfinite(difference.sum(dtype=np.float64)):
        finite = np.isfinite(difference)
        same = (np.isnan(r) & np.isnan(y)) | (r == y)
        nonfinite = int((~finite & ~same).sum())
        r, y, difference = r[finite], y[finite], difference[finite]
    if r.size == 0:
        return {"median": None, "max": None, "nrmse": None, "sqnr_db": None, "cosine": None, "max_abs": None,
                "rms": None, "hidden": None, "nonfinite": nonfinite}  # fmt: skip
    signal, noise, other_power = _power(r), _power(difference), _power(y)
    rms = float(np.sqrt(signal / r.size))
    unit = rms or 1.0
    hidden = _hidden(r, difference, rms)
    np.abs(difference, out=difference)
    largest = float(difference.max())
    return {
        "median": float(_median(difference)) / unit,
        "max": largest / unit,
        "nrmse": float(np.sqrt(noise / r.size)) / unit,
        "sqnr_db": float(10 * np.log10(signal / noise)) if noise and signal else None,
        "cosine": _cosine(signal, other_power, noise),
        "max_abs": largest,
        "rms": rms,
        "nonfinite": nonfinite,
        "hidden": hidden,
    }


def _hidden(reference: Array, difference: Array, rms: float) -> float | None:
    """Error of the elements beside a mask's constants (-1e9, say), whose size would hide it."""
    if rms < HIDING:
        return None  # no constant that large: most tensors are spared the passes below
    part = np.abs(reference) < SMALL_PART * rms
    part &= reference != 0
    signal = _power(reference[part])
    if not signal or np.sqrt(signal / part.sum()) * HIDING > rms:
        return None
    return float(np.sqrt(_power(difference[part]) / signal))


def _power(values: Array) -> float:
    """Sum of squares, accumulated in float64 over blocks (numpy's own float32 sum would lose digits)."""
    return float(sum(np.square(block, dtype=np.float64).sum() for block in _blocks(values)))


def _blocks(values: Array, size: int = 1 << 16) -> Iterable[Array]:
    return (values[i : i + size] for i in range(0, values.size, size))


def _median(values: Array) -> Any:
    """numpy's median; ``values`` may be reordered."""
    half = values.size // 2
    values.partition(half)
    return values[half] if values.size % 2 else (values[:half].max() + values[half]) / 2


def _cosine(signal: float, other: float, noise: float) -> float:
    """From the three powers: r.y = (r.r + y.y - e.e) / 2."""
    if not signal or not other:
        return 1.0 if signal == other else 0.0
    return max(-1.0, min(1.0, (signal + other - noise) / 2 / float(np.sqrt(signal) * np.sqrt(other))))


def same_values(error: TensorError, reference: Array) -> bool:
    """Whether a tensor holds its counterpart's values, up to rounding."""
    if error["max_abs"] is None or error["nonfinite"]:
        return False
    top = float(np.abs(reference[np.isfinite(reference)]).max(initial=0.0))
    return bool(error["max_abs"] <= SAME_VALUES * (top or 1.0))


def fit_layout(values: Array, shape: tuple[int, ...], layout: str | None) -> list[Array]:
    """TensorFlow's array in the ONNX tensor's shape: one candidate, or two where shapes leave the layout open."""
    moved = values.transpose(0, 3, 1, 2) if values.ndim == 4 else None
    if layout == "NCHW" and moved is not None and moved.shape == shape:
        return [moved]
    if layout == "same" and values.shape == shape:
        return [values]
    candidates = [a for a in (values, moved) if a is not None and a.shape == shape]
    if not candidates and values.size == int(np.prod(shape)):
        candidates = [values.reshape(shape)]  # a global pool that keeps its dimensions in ONNX only
    return candidates


def groups(sizes: Mapping[str, int], budget: int) -> list[list[str]]:
    """Groups of consecutive names whose bytes fit the budget; a tensor larger than the budget gets its own group."""
    gathered: list[list[str]] = [[]]
    total = 0
    for name, size in sizes.items():
        if gathered[-1] and total + size > budget:
            gathered.append([])
            total = 0
        gathered[-1].append(name)
        total += size
    return [group for group in gathered if group]
