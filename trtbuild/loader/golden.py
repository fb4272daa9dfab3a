"""Golden arrays: read from .npy in its one form, and what an engine computes compared with them."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trtbuild.base.errors import BundleError
from trtbuild.loader.manifest import Golden, Manifest

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray

DESCRIPTIONS = {"<f4", "<f2", "<f8", "|i1", "|u1", "<i4", "<i8", "|b1"}
_VERSION = (1, 0)
LOWER_BOUNDS = ("cosine", "sqnr_db", "exact_share")  # of METRICS; the others are upper bounds
Difference = dict[str, float | None]


def check(manifest: Manifest, golden: Golden, kept: Mapping[str, bytes]) -> None:
    """Raises BundleError: an array is not an .npy of the one form, or not what its tensor takes."""
    specs = {each.name: each for each in manifest.inputs}
    for name, path in golden.inputs.items():
        array, spec = read(kept[path], path), specs[name]
        if array.dtype.name != spec.dtype or not spec.takes(array.shape):
            what = f"it is {array.dtype} {list(array.shape)}, which input '{name}' does not take"
            raise BundleError(what, where=path, reason="golden")
    for path in golden.outputs.values():
        read(kept[path], path)


def read(content: bytes, where: str) -> Array:
    """The array of an .npy file of version 1.0, in C order and little-endian, with nothing after it."""
    import numpy as np

    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        if version != _VERSION:
            raise ValueError("not version 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except (ValueError, SyntaxError, TypeError) as error:
        raise BundleError(f"not an .npy file: {error}", where=where, reason="golden") from None
    if fortran or dtype.str not in DESCRIPTIONS:
        raise BundleError(f"its elements are {dtype.str}, or not in C order", where=where, reason="golden")
    if len(content) - file.tell() != math.prod(shape) * dtype.itemsize:
        raise BundleError("it does not have as many elements as its shape", where=where, reason="golden")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)


def difference(expected: Array, output: Array) -> Difference:
    """The metrics of docs/bundle.md, None where nothing can be said; ``nonfinite``: elements that must match, do not.

    Raises:
        BundleError: the output has fewer elements than are expected.
    """
    import numpy as np

    if output.size < expected.size:
        what = f"{output.size} elements came out, {expected.size} are expected"
        raise BundleError(what, where="self-test", reason="golden")
    e, y = expected.ravel().astype(np.float64), output.ravel()[: expected.size].astype(np.float64)
    finite = np.isfinite(e) & np.isfinite(y)
    same = (e == y) | (np.isnan(e) & np.isnan(y))
    found: Difference = {"nonfinite": float(np.count_nonzero(~finite & ~same))}
    e, y = e[finite], y[finite]
    if not e.size:
        return found
    error = np.abs(y - e)
    noise, signal, power = (float(np.dot(v, v)) for v in (error, e, y))
    found |= {"max_abs": float(error.max()), "mean_abs": float(error.mean()), "rmse": math.sqrt(noise / e.size)}
    alike = 1.0 if signal == power else 0.0
    found["cosine"] = float(np.dot(y, e)) / math.sqrt(signal * power) if signal and power else alike
    found["sqnr_db"] = None if not noise else 10 * math.log10(signal / noise) if signal else -math.inf
    found["exact_share"] = float(np.mean(e == y))
    return found


def broken_limits(found: Difference, limits: Mapping[str, float]) -> list[str]:
    """Every limit that these metrics break, in words."""
    said = [f"{found['nonfinite']:g} elements are NaN or infinite on one side alone"] if found["nonfinite"] else []
    for metric, limit in limits.items():
        value = found.get(metric)
        if value is None:
            continue  # no error at all (sqnr_db), or no finite element
        passed = value >= limit if metric in LOWER_BOUNDS else value <= limit
        if not passed:
            said.append(f"{metric} is {value:.6g}, the limit is {limit:.6g}")
    return said
