"""What TensorRT says about an ONNX graph: it builds, or at which stage which nodes are refused, and why.

The ``engine`` step and the prober ask here, so that what is checked before a build and what the build says agree.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import EngineError
from trtbuild.core import parserwarnings
from trtbuild.core.complaint import Complaint, RefusalStage
from trtbuild.graphs import agreement, loops, misreadings
from trtbuild.trt import api, network, refusals, rewriting
from trtbuild.trt.api import BuildOptions, ParsedNetwork, SerialisedEngine

if TYPE_CHECKING:
    from types import ModuleType

    import onnx

    from trtbuild.trt.refusals import Shapes
    from trtbuild.trt.trtlog import Log

_LOOP = re.compile(r"For loop node (.+) both a trip limit and a loop termination condition")
_SHAPE_INPUT = "the values of input '{}' decide shapes, which an engine has to know: make it a constant of the network"


@dataclass(frozen=True)
class Refusal:
    """Why there is no engine.

    ``complaints`` are about nodes, none where TensorRT names none; ``words`` are its own about the whole graph; ``why``
    says what they mean where they are obscure.
    """

    stage: RefusalStage
    complaints: tuple[Complaint, ...]
    words: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True)
class Compilation:
    """``warnings``: TensorRT's own, and what it may compute differently without one (stage "misread")."""

    parsed: ParsedNetwork
    built: SerialisedEngine
    warnings: tuple[Complaint, ...] = ()


def diagnose(
    trt: ModuleType, log: Log, model: bytes, shapes: Shapes, options: BuildOptions,
    say: Callable[[str], None], *, every: bool = True, path: Path | None = None,
) -> Compilation | Refusal:  # fmt: skip
    """Parse and build a serialised onnx.ModelProto.

    Import this before the ``engine`` step's thread starts: what is loaded inside it changes the plan's bytes.

    Args:
        shapes: input -> concrete shape; refused nodes are looked for with these.
        options: see :func:`trtbuild.trt.api.build`.
        say: called with the stage that begins, in case this process dies in it.
        every: look for all refused nodes, not only the first that TensorRT names.
        path: the model's file, beside which its external data lies.

    Raises:
        ToolchainError: options that this TensorRT lacks.
    """
    say("parsing")
    before = len(log.warnings)
    parsed = api.parse(trt, log, model, path)
    if parsed.complaints:
        found = parsed.complaints
        if every:
            import onnx
            from google.protobuf.message import DecodeError

            say("looking for all refused nodes")
            with contextlib.suppress(DecodeError):  # not ONNX at all: the parser has said so
                found = refusals.find_all(trt, log, onnx.load_from_string(model), shapes, found, path)
        return Refusal("parse", tuple(found), tuple(c.words for c in parsed.complaints))
    if misread := _misread(model, parsed, log.warnings[before:]):
        return Refusal("misread", misread, tuple(c.words for c in misread))
    # Polygraphy would invent values for such an input, and the engine would silently be for these alone.
    shapes_given = sorted(api.shape_inputs(parsed.network) - set(options["profiles"]))
    if shapes_given:
        return Refusal("build", (), tuple(_SHAPE_INPUT.format(name) for name in shapes_given))
    say("building")
    try:
        built = api.build(parsed, trt, log, options)
    except EngineError as error:
        return _of_build(trt, log, model, shapes, options, error, say, every, path)
    wrong = _misread_types(model, parsed)
    if wrong:
        return Refusal("misread", (), wrong)
    return Compilation(parsed, built, _warnings(trt, model, parsed, log.warnings[before:]))


def _misread(model: bytes, parsed: ParsedNetwork, warnings: Sequence[Complaint]) -> tuple[Complaint, ...]:
    """What the graph shows, what the importer itself says about other nodes, and what its network shows regardless."""
    import onnx

    graph = onnx.load_from_string(model)
    found = {complaint.node: complaint for complaint in misreadings.misread(graph)}
    # What follows from a misread node is the same fault: the other half of its pair.
    said = () if found else parserwarnings.misread(warnings)
    if not found and not said:
        said = agreement.disagreements(graph, network.tensors(parsed.network))
    return (*found.values(), *{complaint.node: complaint for complaint in said}.values())


def _warnings(
    trt: ModuleType, model: bytes, parsed: ParsedNetwork, said: Sequence[Complaint]
) -> tuple[Complaint, ...]:
    """What TensorRT says; what else the graph shows, and what the importer wrote into its network, by node."""
    import onnx

    graph = onnx.load_from_string(model)
    shown = misreadings.doubtful(graph)
    named = {complaint.node for complaint in shown}
    written = rewriting.doubtful(trt, parsed.network, graph)
    return (*_of_loops(said, graph), *shown, *(one for one in written if one.node not in named))


def _of_loops(said: Sequence[Complaint], graph: onnx.ModelProto) -> list[Complaint]:
    """A condition that cannot end a loop before its trip limit changes nothing; the parser names a node of the body."""
    exact: set[str] | None = None
    kept = []
    for one in said:
        if loop := _LOOP.search(one.words):
            exact = loops.exact(graph) if exact is None else exact
            if loop[1] in exact:
                continue
            one = Complaint(loop[1], "Loop", one.stage, one.words)
        kept.append(one)
    return kept


def _of_build(
    trt: ModuleType, log: Log, model: bytes, shapes: Shapes, options: BuildOptions,
    error: EngineError, say: Callable[[str], None], every: bool, path: Path | None,
) -> Refusal:  # fmt: skip
    import onnx

    words = tuple(dict.fromkeys((error.what, *error.details)))
    why = api.known_refusal(" ".join(words))
    if why or not every:
        return Refusal("build", (), words, why)
    say("looking for the nodes that cannot be built")
    found = refusals.build_alone(trt, log, onnx.load_from_string(model), shapes, options, path)
    why = next((known for c in found if (known := api.known_refusal(c.words))), "")
    return Refusal("build", tuple(found), words, why)


def _misread_types(model: bytes, parsed: ParsedNetwork) -> tuple[str, ...]:
    """TensorRT silently turns a float64 input into float32 bindings."""
    import onnx

    graph = onnx.load_from_string(model).graph
    constants = {tensor.name for tensor in graph.initializer}
    wanted = {
        value.name: agreement.dtype_name(value.type.tensor_type.elem_type)
        for value in graph.input
        if value.name not in constants
    }
    inputs, _ = network.bindings(parsed.network)
    return tuple(
        f"input '{binding['name']}' is {wanted.get(binding['name'])} in the model, but {binding['dtype']} in the engine"
        for binding in inputs
        if wanted.get(binding["name"]) != binding["dtype"]
    )
