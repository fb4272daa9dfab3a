"""Fake quantisation in a check: ranges that int8 does not have, that were not trained, and operations without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trtbuild.checker.options import Options
from trtbuild.checker.problem import Problem, Severity

if TYPE_CHECKING:
    import onnx

    from trtbuild.checker.finder import Finder

_ASYMMETRIC = "its range is not symmetric: TensorRT's int8 has no zero point"
_LOSES = "train with a symmetric range to lose nothing; model.qat.ranges: symmetric makes it so and measures the loss"
_RANGE = "train with fake quantisation switched on before the model is saved"
_ADD = "it adds tensors of different trained ranges ({}): they are added in float"
_ADD_ADVICE = "quantise both branches with one range where the addition should run in int8"
_STRIPPED = "its rounding is taken out in {} (model.qat.strip): values are only clamped"


def problems(model: onnx.ModelProto, how: Options, finder: Finder) -> list[Problem]:
    """What speaks against trained ranges; in place, the graph becomes the one that a build asks TensorRT about."""
    from trtbuild.graphs import symmetric, trainedadmission, trainedgaps, trainedint8, trainedstrip

    if not trainedint8.is_trained(model):
        return []
    qat, lowering = how.lowering.qat, how.lowering
    first = next(node for node in model.graph.node if node.op_type == "DequantizeLinear")
    if qat is not None and lowering.precision in qat.strip:
        said = _STRIPPED.format(lowering.precision)
        trainedstrip.strip(model)
        return [finder.noticed("precision", "note", first.name, first.op_type, said, "precision=int8 uses the ranges")]
    if not any(form.kind == "int8" for form in lowering.forms):
        what = trainedadmission.OTHER.format(lowering.precision)
        hint = trainedadmission.OTHER_HINT.format(lowering.precision)
        trainedstrip.strip(model)  # what else there is to say
        return [finder.noticed("precision", "error", first.name, first.op_type, what, hint)]
    severity: Severity = "error" if qat is not None and qat.ranges == "exact" else "warning"
    found = [
        finder.noticed("precision", severity, node.name, node.op_type, _ASYMMETRIC, _LOSES)
        for node in trainedadmission.asymmetric(model)
    ]
    symmetric.make_symmetric(model)
    for node, scales in trainedgaps.unequal(model):
        said = _ADD.format(" and ".join(f"{scale * symmetric.LARGEST:.3g}" for scale in scales))
        found.append(finder.noticed("precision", "warning", node.name, node.op_type, said, _ADD_ADVICE))
    return found


def untrained(finder: Finder, doubts: Mapping[str, str]) -> list[Problem]:
    """Fake quantisation whose range looks as if it was never trained."""
    return [finder.operation("precision", "warning", name, f"its range {why}", _RANGE) for name, why in doubts.items()]
