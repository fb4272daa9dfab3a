"""Rules about values: casts that saturate, integers that are narrowed, constants that are rounded, indices twice."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trtbuild.graphs.bounds import range_of
from trtbuild.graphs.facts import Facts, has, integer, real, text

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

_INT32 = (-(2.0**31), 2.0**31 - 1)
_SMALL = ("INT8", "UINT8")
_LARGEST_KNOWN = 2.0**62  # beyond it, nothing but the type of an integer bounds the values
_LARGEST_ERROR = 0.01  # of a folded normalisation: float16 alone gives 0.002


def saturates(node: onnx.NodeProto, facts: Facts) -> str:
    """A float beyond an integer type: a CPU wraps around or takes the lowest value, a GPU the nearest (PTX, cvt).

    Small types are named where nothing bounds the values, large ones where the bounds are known to be beyond.
    """
    if facts.is_integer(node.input[0]) or facts.kind(node.input[0]) == "BOOL":
        return ""
    kind = facts.kind(node.output[0])
    (low, high), (least, most) = facts.bounds(node.input[0]), range_of(integer(node, "to"))
    if not math.isfinite(least) or (low > least - 1 and high < most + 1):
        return ""
    if kind not in _SMALL and (kind not in ("INT32", "INT64") or max(-low, high) > _LARGEST_KNOWN):
        return ""
    return f"values beyond {kind.lower()} wrap around in ONNX Runtime, and saturate in an engine"


def narrowed_indices(node: onnx.NodeProto, facts: Facts) -> str:
    return _narrowed(node.input[0], facts, "int64 indices are computed as int32: those beyond 2^31 wrap around")


def narrowed_trips(node: onnx.NodeProto, facts: Facts) -> str:
    return _narrowed(node.input[0], facts, "an int64 trip count is computed as int32: beyond 2^31 it wraps around")


def _narrowed(name: str, facts: Facts, words: str) -> str:
    if not name or facts.kind(name) != "INT64" or facts.constant(name) is not None:
        return ""
    low, high = facts.bounds(name)
    return "" if _INT32[0] <= low and high <= _INT32[1] else words


def integers_as_floats(node: onnx.NodeProto, facts: Facts) -> str:
    """Pow with an exponent of another type than its base, and Shrink."""
    if not facts.is_integer(node.output[0]):
        return ""
    if node.op_type == "Pow" and facts.kind(node.input[0]) == facts.kind(node.input[1]):
        return ""
    return "integers are computed in float32: values beyond 2^24 lose digits"


def other_count(node: onnx.NodeProto, facts: Facts) -> str:
    """A Range of floats: ONNX Runtime divides as float64, TensorRT as float32."""
    import numpy as np

    found = facts.constants(node.input)
    if found is None or facts.is_integer(node.output[0]):
        return ""
    start, limit, step = (value.astype(np.float32).flat[0] for value in found)
    if not step:
        return ""
    exact, rounded = math.ceil(float(limit - start) / float(step)), -math.floor(np.float32(start - limit) / step)
    if max(exact, 0) == max(rounded, 0):
        return ""
    return f"it has {exact} elements in ONNX Runtime, and {rounded} in TensorRT, which divides in float32"


def rounded_count(node: onnx.NodeProto, facts: Facts) -> str:
    if facts.is_integer(node.output[0]) or facts.constants(node.input) is not None:
        return ""
    return "the number of elements of a Range of floats is computed in float32, and may be one off"


def remainder(node: onnx.NodeProto, facts: Facts) -> str:
    if facts.is_integer(node.output[0]):
        return ""
    return "TensorRT computes x - y*trunc(x/y), rounded: near a whole quotient the result is off by y"


def short_constants(node: onnx.NodeProto, facts: Facts) -> str:
    if has(node, "alpha") and has(node, "gamma"):
        return ""
    return "alpha and gamma are not stated: TensorRT takes 1.6732 and 1.0507, and ONNX has four more digits"


def underflow(node: onnx.NodeProto, facts: Facts) -> str:
    least = {"FLOAT16": -17, "FLOAT": -103}.get(facts.kind(node.output[0]), -92)
    return f"TensorRT computes the logarithm of a softmax: below {least} the result is minus infinity"


def written_twice(node: onnx.NodeProto, facts: Facts) -> str:
    """Constant indices that occur more than once, unless the updates there are equal constants."""
    import numpy as np

    indices = facts.constant(node.input[1])
    if indices is None or text(node, "reduction", "none") != "none":
        return ""
    updates = facts.constant(node.input[2])
    shape = facts.shape(node.input[0]) or ()
    if node.op_type == "ScatterND":
        places = indices.reshape(-1, indices.shape[-1])
        sizes = np.array([size or 0 for size in shape[: indices.shape[-1]]])
        written = None if updates is None else updates.reshape(len(places), -1)
    else:
        axis = integer(node, "axis") % max(indices.ndim, 1)
        places = np.stack([*np.indices(indices.shape)], -1)
        places[..., axis] = indices
        places = places.reshape(-1, indices.ndim)
        sizes = np.array([size or 0 for size in shape])
        written = None if updates is None else updates.reshape(-1, 1)
    if len(sizes) == places.shape[-1]:
        places = np.where(places < 0, places + sizes, places)
    _, first, inverse = np.unique(places, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(places):
        return ""
    if written is not None and np.array_equal(written, written[first][inverse.ravel()]):
        return ""
    return "some indices occur twice: which update is kept is not defined in TensorRT"


def unusable_normalisation(node: onnx.NodeProto, facts: Facts) -> str:
    """Constants of a float16 normalisation that the importer folds into something that is no number."""
    error = _fold_error(node, facts)
    return "" if math.isfinite(error) else f"{_epsilon(node)} is 0 in float16: TensorRT divides by 0"


def rounded_normalisation(node: onnx.NodeProto, facts: Facts) -> str:
    """In float16, whether the parameters are of that type (folded) or not (cast)."""
    if facts.kind(node.input[0]) == "FLOAT16" and facts.kind(node.input[1]) == "FLOAT":
        return "float32 parameters and epsilon of a normalisation are rounded to float16"
    error = _fold_error(node, facts)
    if not _LARGEST_ERROR < error < math.inf:
        return ""
    return f"a normalisation is folded in float16, and {_epsilon(node)} is lost: its scale is up to {error:.0%} off"


def _epsilon(node: onnx.NodeProto) -> str:
    return f"epsilon {real(node, 'epsilon', 1e-5):g}"


def _fold_error(node: onnx.NodeProto, facts: Facts) -> float:
    """Largest relative error of scale / sqrt(variance + epsilon) in float16; infinite if that is not a number."""
    import numpy as np

    found = facts.constants([node.input[1], node.input[4]])
    if found is None or facts.kind(node.input[1]) != "FLOAT16":
        return 0.0
    scale, variance = found
    epsilon = real(node, "epsilon", 1e-5)

    def folded(kind: type[np.floating]) -> Array:
        with np.errstate(all="ignore"):
            made: Array = scale.astype(kind) / np.sqrt(variance.astype(kind) + kind(epsilon))
        return made.astype(np.float64)

    exact, low = folded(np.float64), folded(np.float16)
    if not np.isfinite(low).all():
        return math.inf
    return float(np.max(np.abs(low - exact) / np.maximum(np.abs(exact), 1e-12), initial=0.0))
