"""Which layer caused the error: the first one that adds far more than its inputs carry and comparable layers add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from trtbuild.documents.layers import Jump, JumpReason, Layer, View

# Relative error (RMS of the error / RMS of the tensor) that a dtype's arithmetic alone causes in one layer: for
# float32 some rounding units after sums of hundreds of terms; half a unit of the mantissa for the others, doubled.
FLOOR = {"float32": 3e-6, "tf32": 1e-3, "float16": 1e-3, "bfloat16": 8e-3, "int8": 1e-2, "float8": 6e-2,
         "int4": 1e-1, "float4": 1e-1}  # fmt: skip
GROWTH = 10.0  # an error ten times that of the inputs was caused here
OUTLIER = 5.0  # five times the own error of other layers of the same dtype stands out
EXCESS = 2.5  # so does 2.5 times the unavoidable error of quantising this layer
ENOUGH = 3  # layers needed before their median says what is usual
CLEAR = 3.0  # in any case the error must be this many times the floor


def floor(dtype: str) -> float:
    """Rounding error of one layer; an unknown dtype counts as float32, which suspects more."""
    return FLOOR.get(dtype, FLOOR["float32"])


def find_jumps(layers: Sequence[Layer], hop: str) -> list[Jump]:
    """Layers that cause an error, in topological order; the first is the one to look at.

    A layer fed with the reference's inputs is judged by its local error, which is causal: it stands out from layers of
    the same dtype ("outlier"), or exceeds the unavoidable error of quantising it ("excess").  A layer that adds no
    error is not blamed, however much it amplifies that of its inputs (a softmax, a saturating activation, a small part
    of a split).  Only where the local error is unknown is the cumulative error compared with the largest among the
    layer's inputs ("growth").  NaN or infinity computed from the reference's inputs always counts ("nonfinite").

    Args:
        layers: ``name``, ``parents`` (names of the nearest compared tensors), ``dtype``, ``expected_nrmse``, and the
            relative errors ``nrmse`` and ``hidden`` in ``cumulative[hop]`` and ``local[hop]`` (each may be missing).
        hop: "export" (all layers compute in float32 there) or "total".
    """
    dtypes = {layer["name"]: "float32" if hop == "export" else layer["dtype"] for layer in layers}
    local = {layer["name"]: _nrmse(layer, "local", hop) for layer in layers}
    total = {layer["name"]: _nrmse(layer, "cumulative", hop) for layer in layers}
    excess = {} if hop == "export" else _excess(layers, local)
    usual_excess = max(1.0, median(excess.values())) if excess else 1.0
    jumps: list[Jump] = []
    broken = {layer["name"] for layer in layers if (own := layer["local"].get(hop)) is not None and own["nonfinite"]}
    for layer in layers:
        name = layer["name"]
        least = floor(dtypes[name])
        carried = max([least, *(total.get(parent) or 0.0 for parent in layer["parents"])])
        error, made = total[name], local[name]
        growth = None if error is None else error / carried
        others = _typical(name, local, dtypes)
        like = max(least, others)
        why: JumpReason | None = None
        if name in broken and not broken.intersection(layer["parents"]):
            why = "nonfinite"
        elif made is not None and made > OUTLIER * like and made > CLEAR * least:
            why = "outlier"
        elif made is not None and excess.get(name, 0.0) > EXCESS * usual_excess and made > least / CLEAR:
            why = "excess"
        elif made is None and error is not None and error > max(GROWTH * carried, CLEAR * least):
            why = "growth"
        if why:
            times = None if made is None else made / like
            jumps.append(
                {"name": name, "why": why, "growth": growth, "local": made, "times_typical": times,
                 "times_expected": excess.get(name), "alone": others < least}
            )  # fmt: skip
    return jumps


def _excess(layers: Sequence[Layer], local: Mapping[str, float | None]) -> dict[str, float]:
    """Local error over the unavoidable error of quantising the layer, where that is known."""
    pairs = ((layer["name"], local[layer["name"]], layer["expected_nrmse"]) for layer in layers)
    return {name: made / expected for name, made, expected in pairs if made is not None and expected}


def _typical(name: str, local: Mapping[str, float | None], dtypes: Mapping[str, str]) -> float:
    """Median local error of the other layers of the same dtype that have any; too few of them say nothing."""
    others = [value for other, value in local.items() if value and other != name and dtypes[other] == dtypes[name]]
    return median(others) if len(others) >= ENOUGH else 0.0


def _nrmse(layer: Layer, view: View, hop: str) -> float | None:
    """The error of the whole tensor, or of the part that its large constants would hide."""
    error = layer[view].get(hop)
    whole = None if error is None else error["nrmse"]
    return None if error is None or whole is None else max(whole, error.get("hidden") or 0.0)
