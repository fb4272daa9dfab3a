"""Problems that need no TensorRT to be seen: unregistered placeholders, variables that are written, unknown shapes."""

from __future__ import annotations

from trtbuild.checker.origins import Origins
from trtbuild.checker.result import Problem, Severity
from trtbuild.checker.shapes import Shapes
from trtbuild.checker.subgraph import Subgraph
from trtbuild.errors import TrtbuildError

_LOOSE = "register it with trt_checker.register_input, or use tf.compat.v1.placeholder_with_default"
_STATE = "an engine keeps no state: make states inputs and outputs, and build the network for inference"
_PROFILE = "give shapes it shall run with: profiles={{'{}': (min, opt, max)}}"


def problems(part: Subgraph, origins: Origins) -> list[Problem]:
    found = [
        _at(op, "Placeholder", f"the output depends on the {what}, which is not registered", _LOOSE, origins)
        for op, what in part.loose.items()
    ]
    for op in part.assigned:
        found.append(_at(op, "Assign", "the output depends on writing to a variable", _STATE, origins))
    return found


def shape_problems(part: Subgraph, chosen: Shapes, origins: Origins) -> list[Problem]:
    found = []
    for name in chosen.unranked:
        op = part.inputs[name].rpartition(":")[0]
        words = f"input '{name}' has an unknown number of dimensions"
        found.append(_at(op, "Placeholder", words, "give the input a shape", origins, rule="export/rank"))
    for name in chosen.assumed:
        op, low, _, high = part.inputs[name].rpartition(":")[0], *chosen.profiles[name]
        words = f"input '{name}' has dynamic dimensions without a profile; checked with {low} to {high}"
        advice = _PROFILE.format(name)
        found.append(_at(op, "Placeholder", words, advice, origins, severity="warning", rule="build/profile"))
    return found


def export_failed(error: TrtbuildError) -> Problem:
    """The exporter gave up on the whole graph."""
    words = "; ".join(dict.fromkeys((error.what, *error.details)))
    advice = error.hint or "build the network in parts to find the operation, and report it to tf2onnx"
    return Problem("export", "error", "", "", words, advice, rule="export/graph")


def _at(
    op: str, op_type: str, words: str, advice: str, origins: Origins, *, severity: Severity = "error", rule: str = ""
) -> Problem:
    place, note = origins.place(op)
    return Problem(
        "export", severity, op, op_type, words, advice, scope=op.rpartition("/")[0],
        file=place.file if place else "", line=place.line if place else 0,
        function=place.function if place else "", code=place.code if place else "", place_note=note,
        rule=rule or f"export/{op_type}",
    )  # fmt: skip
