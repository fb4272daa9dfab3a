"""A frozen GraphDef: read, called, and its inputs and outputs found, which it does not name itself.

Needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError, SourceError, first_line
from trtbuild.base.text import did_you_mean
from trtbuild.sources import fileaccess

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow.core.framework.graph_pb2 import GraphDef

    Tensors = Mapping[str, tf.Tensor]
    Call = Callable[[Tensors], Tensors]

_WITH_DEFAULT = "PlaceholderWithDefault"
# Results of these are read by a loop or a branch, by what made the graph, or by nobody: a counter's Exit, a Switch's
# other side, a summary.  They are outputs only where there is no other.
_BETWEEN = {"Enter", "Exit", "NextIteration", "Switch", "Merge", "LoopCond", "RefEnter", "RefExit", "RefSwitch",
            "RefMerge", "RefNextIteration", "TensorArrayV3", "TensorArrayWriteV3", "TensorArrayScatterV3",
            "TensorArraySizeV3", "Shape", "Size", "Rank", "Const", "Placeholder", _WITH_DEFAULT}  # fmt: skip


def parse(path: Path, where: str) -> GraphDef:
    """The GraphDef.

    Raises:
        SourceError: it is not one, or it reads or writes files.
    """
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(path.read_bytes())
    except Exception as error:  # google.protobuf raises its own types, which moved between versions
        raise SourceError("not a frozen GraphDef", where=where) from error
    if not graph_def.node:
        raise SourceError("an empty GraphDef", where=where)
    fileaccess.check(graph_def, where)
    return graph_def


def graph_of(graph_def: GraphDef, where: str) -> tf.Graph:
    """The GraphDef as a graph that can be searched.

    Raises:
        SourceError: TensorFlow cannot import it.
    """
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        try:
            tf.import_graph_def(graph_def, name="")
        except ValueError as error:
            what = f"the GraphDef cannot be imported: {first_line(error)[:300]}"
            raise SourceError(what, where=where) from error
    return graph


def tensors(graph: tf.Graph, names: Mapping[str, str], where: str) -> dict[str, tf.Tensor]:
    """The tensors of these names (``op:0``; ``op`` is its first).

    Raises:
        ConfigError: there is no such tensor.
    """
    found = {}
    for key, name in names.items():
        try:
            found[key] = graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
        except (KeyError, ValueError):
            operations = [operation.name for operation in graph.get_operations()]
            hint = did_you_mean(name.split(":")[0], operations) if len(operations) < 20_000 else ""
            raise ConfigError(f"the graph has no tensor '{name}'", where=f"{where}.{key}", hint=hint[:200]) from None
    return found


def caller(graph_def: GraphDef, feeds: Mapping[str, str], fetches: Mapping[str, str]) -> Call:
    """A function of named tensors that inserts the graph between ``feeds`` and ``fetches`` where it is called.

    Not as a separate function: TensorFlow 1's loops and branches cannot be inlined out of one, and tf2onnx converts
    only what it finds in the graph itself.

    Raises:
        ConfigError: the outputs need more than the inputs.
    """
    import tensorflow as tf

    part = _between(graph_def, set(feeds.values()), fetches.values())
    read = {_full(name) for node in part.node for name in node.input}

    def call(arguments: Tensors) -> Tensors:
        given = {feeds[name]: tensor for name, tensor in arguments.items()}
        wanted = [name for name in fetches.values() if name not in given]
        mapped = {name: tensor for name, tensor in given.items() if name in read}  # it refuses others
        made = dict(zip(wanted, tf.import_graph_def(part, mapped, wanted, name=""), strict=True))
        return {key: tf.identity((given | made)[name]) for key, name in fetches.items()}

    return call


def _between(graph_def: GraphDef, feeds: set[str], fetches: Iterable[str]) -> GraphDef:
    """The nodes behind ``fetches`` as a GraphDef, without those that are fed."""
    import tensorflow as tf

    nodes = {node.name: node for node in graph_def.node}
    kept: set[str] = set()
    waiting = list(fetches)
    while waiting:
        tensor = waiting.pop()
        name = tensor.removeprefix("^").partition(":")[0]
        fed = f"{name}:0" in feeds and nodes[name].op.startswith("Placeholder")
        if name in kept or fed or _full(tensor) in feeds:
            continue
        if nodes[name].op in ("Placeholder", "PlaceholderV2"):
            what = f"the outputs need more than the named inputs: '{name}'"
            raise ConfigError(what, where="model.source.inputs", hint=f'name it: "{name}:0"')
        kept.add(name)
        waiting += nodes[name].input
    part = tf.compat.v1.GraphDef(versions=graph_def.versions, library=graph_def.library)
    for node in graph_def.node:
        if node.name in kept:
            copied = part.node.add()
            copied.CopyFrom(node)
            copied.input[:] = [i for i in node.input if not i.startswith("^") or i[1:] in kept]
    return part


def _full(tensor: str) -> str:
    """``op`` in a node's input means its first result."""
    return tensor if ":" in tensor or tensor.startswith("^") else f"{tensor}:0"


@dataclass(frozen=True)
class Ends:
    """Tensors of the graph."""

    inputs: list[tf.Tensor]
    outputs: list[tf.Tensor]


def ends(graph: tf.Graph, where: str) -> Ends:
    """Placeholders, and what nothing reads.

    Placeholders with a default stay that constant, unless there are no others: then those whose default is a constant
    and not a scalar (an image, not a dropout rate) are inputs.

    Raises:
        SourceError: there is no input, or no output that depends on one.
    """
    operations = graph.get_operations()
    inputs = [op.outputs[0] for op in operations if op.type in ("Placeholder", "PlaceholderV2")]
    if not inputs:
        constant = [op for op in operations if op.type == _WITH_DEFAULT and op.inputs[0].op.type == "Const"]
        inputs = [op.outputs[0] for op in constant if op.outputs[0].shape.rank != 0]
    if not inputs:
        hint = "a model without an input computes a constant"
        raise SourceError("the graph has no placeholder", where=where, hint=hint)
    reached = _reached(inputs)
    last = [op for op in reached if op.outputs and not any(tensor.consumers() for tensor in op.outputs)]
    last = [op for op in last if all(_is_numeric(tensor) for tensor in op.outputs)]
    outputs = [op for op in last if op.type not in _BETWEEN] or last
    if not outputs:
        raise SourceError("nothing is computed from the graph's placeholders", where=where)
    behind = _behind([tensor for op in outputs for tensor in op.outputs])
    return Ends([t for t in inputs if t.op in behind], [tensor for op in outputs for tensor in op.outputs])


def _is_numeric(tensor: tf.Tensor) -> bool:
    dtype = tensor.dtype.base_dtype
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def _reached(tensors: Iterable[tf.Tensor]) -> list[tf.Operation]:
    """Operations that depend on these, in the graph's order."""
    found: dict[tf.Operation, None] = {}
    waiting = list(tensors)
    while waiting:
        for op in waiting.pop().consumers():
            if op not in found:
                found[op] = None
                waiting += op.outputs
    return sorted(found, key=lambda op: op._id)


def _behind(tensors: Iterable[tf.Tensor]) -> set[tf.Operation]:
    """Operations that these depend on."""
    found: set[tf.Operation] = set()
    waiting = [tensor.op for tensor in tensors]
    while waiting:
        op = waiting.pop()
        if op not in found:
            found.add(op)
            waiting += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
    return found
