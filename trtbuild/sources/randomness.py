"""Which operations of a network draw random numbers, which make its outputs differ at every run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from trtbuild.base.errors import ExportError, first_line
from trtbuild.core.warning import StepWarning

if TYPE_CHECKING:
    import onnx
    from tensorflow.core.framework.graph_pb2 import GraphDef

    from trtbuild.arrays.arrayfile import Array

HINT = "call dropout, noise and augmentation layers with training=False, or make the random numbers an input"
HINT_ONNX = "export the model for inference, or make the random numbers an input"
_PREFIX_AND_VERSION = re.compile(r"^(?:Stateless|Stateful|Risc)|V\d$")
_FUNCTION = re.compile(r"^__inference_\w+/")
_KINDS = frozenset(
    {
        "RandomUniform", "RandomUniformInt", "RandomUniformFullInt", "Uniform", "UniformInt", "UniformFullInt",
        "RandomNormal", "RandomStandardNormal", "StandardNormal", "TruncatedNormal", "ParameterizedTruncatedNormal",
        "RandomGamma", "RandomPoisson", "RandomBinomial", "Multinomial", "RandomShuffle", "Shuffle", "RandomCrop",
        "SampleDistortedBoundingBox", "UniformCandidateSampler", "LogUniformCandidateSampler",
        "LearnedUnigramCandidateSampler", "FixedUnigramCandidateSampler", "XlaRngBitGenerator",
    }
)  # fmt: skip
_ONNX = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")
_SHAPES = ("Shape", "Size")  # of random values: not random themselves
MEANINGLESS = "its outputs differ at every run, so no comparison of them and no verdict means anything"
NAMED = 3  # operations that a warning names


def draws(kind: str) -> bool:
    """Whether a TensorFlow operation of this type draws random numbers, with a fixed seed or without.

    >>> draws("RandomUniform"), draws("StatelessRandomNormalV2"), draws("StatelessRandomGetKeyCounter"), draws("Relu")
    (True, True, False, False)
    """
    return _PREFIX_AND_VERSION.sub("", kind) in _KINDS


def in_graph_def(graph_def: GraphDef) -> dict[str, str]:
    """Name -> type of those in a pruned GraphDef; FUNCTION/NAME in the functions that it calls."""
    functions = {function.signature.name: function.node_def for function in graph_def.library.function}
    found, waiting, seen = {}, [("", graph_def.node)], {""}
    while waiting:
        prefix, nodes = waiting.pop()
        for node in nodes:
            if draws(node.op):
                found[prefix + node.name] = node.op
            called = {f.name for value in node.attr.values() for f in (value.func, *value.list.func)}
            fresh = sorted((called & functions.keys()) - seen)
            seen.update(fresh)
            waiting += [(f"{name}/", functions[name]) for name in fresh]
    return found


def in_onnx(model: onnx.ModelProto) -> dict[str, str]:
    """Name -> type of those whose values reach an output of an ONNX model, bodies of loops and branches included."""
    from trtbuild.graphs.graph import producers, with_bodies

    made_by = producers(model.graph)
    waiting, seen, found = [value.name for value in model.graph.output], set[str](), {}
    truths = _constants(model)
    while waiting:
        name = waiting.pop()
        node = made_by.get(name)
        if node is None or name in seen:
            continue
        seen.update(node.output)
        for inner in with_bodies(node):
            if inner.op_type in _ONNX or (inner.op_type == "Dropout" and _trains(inner, truths)):
                found[inner.name or inner.output[0]] = inner.op_type
            if inner.op_type not in _SHAPES:
                waiting += inner.input
    return dict(reversed(found.items()))


def _constants(model: onnx.ModelProto) -> Mapping[str, Array]:
    """Single numbers that are known: initialisers and constants."""
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            tensors.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
    here = {name: tensor for name, tensor in tensors.items() if tensor.data_location != tensor.EXTERNAL}
    return {name: numpy_helper.to_array(tensor) for name, tensor in here.items() if list(tensor.dims) in ([], [1])}


def _trains(node: onnx.NodeProto, constants: Mapping[str, Array]) -> bool:
    """A Dropout that drops: since opset 12 by its third input, which may be computed; unless its ratio is zero."""
    if len(node.input) < 3 or not node.input[2]:
        return False
    return all(bool(constants.get(name, True)) for name in (node.input[2], node.input[1]) if name)


def not_frozen(error: Exception, graph_def: GraphDef) -> ExportError:
    """Why a graph cannot be frozen: it writes to variables, as Keras 3 does with the seeds of random layers."""
    said = first_line(error)
    hint = "an engine keeps no state: make states inputs and outputs"
    for name, kind in in_graph_def(graph_def).items():
        said, hint = f"it draws random numbers ({kind} {named(name, str)})", HINT
    return ExportError(f"the model cannot be frozen: {said}", where="export", hint=hint)


def named(name: str, clean: Callable[[str], str]) -> str:
    """As its author wrote it; in a body, without the function's own name, which TensorFlow made up."""
    return clean(_FUNCTION.sub("", name))


def warning(found: Mapping[str, str], where: str, hint: str = HINT) -> list[StepWarning]:
    """One warning for all operations of a network; none where nothing is drawn."""
    if not found:
        return []
    first = ", ".join(f"{kind} {name}" for name, kind in list(found.items())[:NAMED])
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    what = f"the network draws random numbers ({first}{more}): {MEANINGLESS}"
    return [StepWarning(what, where, hint)]
