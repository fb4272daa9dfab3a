"""Two arrays within a tolerance, or the words that say how far they are apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtbuild.suite.case import Tolerance

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from trtbuild.arrays.arrayfile import Array


def difference(reference: ArrayLike, value: ArrayLike, tolerance: Tolerance) -> str:
    """ "" where every element matches; NaN matches NaN, an infinity the same one, everything but floats exactly."""
    import numpy as np

    return _difference(np.asarray(reference), np.asarray(value), tolerance)


def _difference(reference: Array, value: Array, tolerance: Tolerance) -> str:
    import numpy as np

    if reference.shape != value.shape:
        return f"shape {list(value.shape)} instead of {list(reference.shape)}"
    if reference.size == 0:
        return ""
    if reference.dtype.kind in "OSU" or value.dtype.kind in "OSU":
        return "" if _texts(reference) == _texts(value) else "other texts"
    if reference.dtype.kind not in "fc" and value.dtype.kind not in "fc":
        wrong = reference != value
        return _words(wrong, reference, value, "") if wrong.any() else ""
    wide = np.complex128 if "c" in (reference.dtype.kind, value.dtype.kind) else np.float64
    a, b = reference.astype(wide), value.astype(wide)
    with np.errstate(all="ignore"):
        close = np.abs(a - b) <= tolerance.absolute + tolerance.relative * np.abs(a)
    wrong = ~(close & np.isfinite(a) & np.isfinite(b) | (a == b) | (np.isnan(a) & np.isnan(b)))
    allowed = f", allowed {tolerance.absolute:g} + {tolerance.relative:g} relative"
    return _words(wrong, a, b, allowed) if wrong.any() else ""


def _words(wrong: Array, reference: Array, value: Array, allowed: str) -> str:
    import numpy as np

    with np.errstate(all="ignore"):
        # Past float64 for complex, int64 and bool alike; what is not finite comes first.
        apart = np.abs(reference.astype(np.complex128) - value.astype(np.complex128))
    apart = np.where(wrong, np.where(np.isfinite(apart), apart, np.inf), -1)
    at = np.unravel_index(int(apart.argmax()), apart.shape)
    count = int(wrong.sum())
    place = ", ".join(str(int(i)) for i in at)
    return f"{count} of {wrong.size} values differ; {value[at]:g} instead of {reference[at]:g} at [{place}]{allowed}"


def _texts(array: Array) -> list[str]:
    return [t.decode() if isinstance(t, bytes) else str(t) for t in array.ravel().tolist()]
