"""Problems that show without TensorRT: unregistered placeholders, variables that are written, unknown shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trtbuild.base.errors import TrtbuildError
from trtbuild.checker.advice import STRINGS
from trtbuild.checker.capture import Capture
from trtbuild.checker.origins import Origins
from trtbuild.checker.problem import Problem, Severity
from trtbuild.checker.shapes import Shapes
from trtbuild.checker.subgraph import Subgraph, _handle

if TYPE_CHECKING:
    import onnx
    from tensorflow.core.framework.graph_pb2 import GraphDef

_LOOSE = "register it with trt_checker.register_input, or use tf.compat.v1.placeholder_with_default"
_UNUSED = "register the input that feeds the network, and the output that it computes"
_STATE = "an engine keeps no state: make states inputs and outputs, and build the network for inference"
RANDOM = "export/random"  # a rule
_RANDOM = "it draws random numbers: the outputs differ at every run, and an engine's accuracy cannot be judged"
_TABLE = "look up before the engine, and make the result its input; integers may index a constant with tf.gather"
_PROFILE = "give the shapes it will run with: profiles={{'{}': (min, opt, max)}}"


def problems(part: Subgraph, origins: Origins) -> list[Problem]:
    found = [
        _at(op, "Placeholder", f"the output depends on the {what}, which is not registered", _LOOSE, origins)
        for op, what in part.loose.items()
    ]
    for name in part.unused:
        op, every = part.inputs[name].rpartition(":")[0], len(part.unused) == len(part.inputs)
        words = f"no output depends on input '{name}'" + (", nor on any other: this is a constant" if every else "")
        severity: Severity = "error" if every else "warning"
        found.append(_at(op, "Placeholder", words, _UNUSED, origins, severity=severity, rule="export/unused"))
    for op in part.assigned:
        found.append(_at(op, "Assign", "the output depends on writing to a variable", _STATE, origins))
    return found


def strings(capture: Capture, origins: Origins) -> list[Problem]:
    """Inputs that are text, which an engine cannot take."""
    tensors = {name: capture.graph.get_tensor_by_name(tensor) for name, tensor in capture.inputs.items()}
    return [
        _at(tensor.op.name, "Placeholder", f"input '{name}' holds strings", STRINGS, origins, rule="export/strings")
        for name, tensor in tensors.items()
        if tensor.dtype.name == "string"
    ]


def tables(capture: Capture, origins: Origins) -> list[Problem]:
    """Operations on outside resources that are not variables: look-up tables, nearly always."""
    outer = {inner.op.name for _, inner in getattr(capture.graph, "captures", ())}
    stops = set(capture.inputs.values())
    waiting = [capture.graph.get_tensor_by_name(name) for name in capture.outputs.values()]
    seen, found = {tensor.name for tensor in waiting} | stops, {}
    while waiting:
        tensor = waiting.pop()
        if tensor.name in stops:
            continue
        for read in tensor.op.inputs:
            if read.dtype.name == "resource" and read.op.name in outer and _handle(read) is None:
                found[tensor.op.name] = tensor.op.type
            if read.name not in seen:
                seen.add(read.name)
                waiting.append(read)
    return [
        _at(name, kind, "it reads a look-up table, which an engine does not have", _TABLE, origins)
        for name, kind in sorted(found.items())
    ]


def silent(graph_def: GraphDef, origins: Origins) -> list[Problem]:
    """Operations that silently convert into something other than what TensorFlow computes."""
    from trtbuild.graphs.scopes import Cleaner
    from trtbuild.sources import exporterfaults, randomness

    clean = Cleaner(node.name for node in graph_def.node).name
    wrong = [
        _at(found.name, found.kind, found.words, found.advice, origins, severity="warning", clean=clean)
        for found in exporterfaults.faults(graph_def)
    ]
    random = [
        _at(name, kind, _RANDOM, randomness.HINT, origins, severity="warning", rule=RANDOM,
            clean=lambda op: randomness.named(op, clean))
        for name, kind in randomness.in_graph_def(graph_def).items()
    ]  # fmt: skip
    return [*wrong, *random]


def told_once(silent: list[Problem], unknown: list[Problem]) -> list[Problem]:
    """Without the random operations that have no ONNX form either: the advice on those already says so."""
    refused = {problem.op for problem in unknown}
    return [problem for problem in silent if problem.rule != RANDOM or problem.op not in refused]


def random_nodes(model: onnx.ModelProto) -> list[Problem]:
    """Nodes of a ready-made file that draw random numbers."""
    from trtbuild.sources import randomness

    return [
        Problem(
            "parse", "warning", "", "", _RANDOM, randomness.HINT_ONNX, node=name, node_type=kind, rule="parse/random"
        )
        for name, kind in randomness.in_onnx(model).items()
    ]


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
    op: str, op_type: str, words: str, advice: str, origins: Origins, *, severity: Severity = "error", rule: str = "",
    clean: Callable[[str], str] = str,
) -> Problem:  # fmt: skip
    place, note = origins.place(op)
    op = clean(op)
    return Problem(
        "export", severity, op, op_type, words, advice, scope=op.rpartition("/")[0],
        file=place.file if place else "", line=place.line if place else 0,
        function=place.function if place else "", code=place.code if place else "", place_note=note,
        rule=rule or f"export/{op_type}",
    )  # fmt: skip
