"""What TensorRT says about an ONNX graph: it builds, or at which stage which nodes are refused, and why.

The ``engine`` step and the prober ask here, so that what is checked before a build and what the build says agree.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import EngineError
from trtbuild.core import parserwarnings
from trtbuild.core.complaint import Complaint, RefusalStage
from trtbuild.graphs import agreement, misreadings
from trtbuild.trt import api, network, refusals
from trtbuild.trt.api import BuildOptions, ParsedNetwork, SerialisedEngine

if TYPE_CHECKING:
    from types import ModuleType

    from trtbuild.trt.refusals import Shapes
    from trtbuild.trt.trtlog import Log

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
    """``warnings`` are TensorRT's own, all of them."""

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
    return Refusal("misread", (), wrong) if wrong else Compilation(parsed, built, tuple(log.warnings[before:]))


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
