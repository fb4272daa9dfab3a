"""From a traced TensorFlow function to an ONNX model, by tf2onnx and, past its last opset, onnx's version converter.

tf2onnx does not raise for an operation it cannot convert: it logs, and leaves the TensorFlow node in the graph. So
every node is looked up in ONNX's own schemas here, and all without one are reported together.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ExportError
from trtbuild.graphs import canonical, trained
from trtbuild.graphs.folding import TfOp
from trtbuild.graphs.graph import all_nodes
from trtbuild.sources import fakequant, randomness, standins, tf2onnxpatches
from trtbuild.sources.inlining import allow_inlining
from trtbuild.sources.tfmodel import TfModel

if TYPE_CHECKING:
    import onnx
    import tensorflow as tf
    from tensorflow.core.framework.graph_pb2 import GraphDef

TF2ONNX_LAST_OPSET = 18


@dataclass(frozen=True)
class ExportedModel:
    model: onnx.ModelProto
    ops: dict[str, TfOp]
    tensors: dict[str, str]  # clean name of a graph input or output -> TensorFlow tensor
    graph_def: GraphDef  # what was converted, without its ``weights`` (constant -> bytes); ``ops`` are its operations
    weights: dict[str, bytes]
    constants: frozenset[str]  # outputs that are constants or variables in the source itself
    random: dict[str, str]  # operations that draw random numbers: name -> type
    doubts: dict[str, str]  # fake quantisation whose range looks untrained, and why

    def write_frozen(self, path: Path) -> None:
        standins.write(self.graph_def, self.weights, path)


def convert(source: TfModel, opset: int) -> ExportedModel:
    """Freeze, optimise and convert.

    Raises:
        ExportError: operations without an ONNX form, all of them in ``details``.
    """
    stand_ins = standins.StandIns()
    graph_def, inputs, outputs, constants = _freeze(source, stand_ins)
    del source  # and its variables, if nobody else holds it
    weights = {name: stand_ins.weights[number][1] for name, number in stand_ins.found(graph_def).items()}
    del stand_ins
    canonical.check_size(weights.values())
    found = convert_graph(graph_def, inputs, outputs, opset, weights)
    if found.unknown:
        raise _unknown_ops(found)
    tensors = {clean: tensor for tensor, clean in (inputs | outputs).items()}
    random = randomness.in_graph_def(graph_def)
    return ExportedModel(found.model, found.ops, tensors, graph_def, weights, constants, random, found.doubts)


@dataclass(frozen=True)
class Unknown:
    """A node that ONNX has no schema for; ``reason`` is what else tf2onnx said."""

    name: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Conversion:
    """A converted graph, with ``unknown`` TensorFlow operations left in it.

    ``shapes``: element type and shape of tensors as tf2onnx keeps them, in its layout, None where it does not know.
    ``doubts``: fake quantisation whose range looks untrained, and why.
    """

    model: onnx.ModelProto
    ops: dict[str, TfOp]
    unknown: tuple[Unknown, ...]
    shapes: dict[str, tuple[int, tuple[int | None, ...]]]
    doubts: dict[str, str]


def convert_graph(
    graph_def: GraphDef, inputs: Mapping[str, str], outputs: Mapping[str, str], opset: int,
    weights: Mapping[str, bytes] | None = None,
) -> Conversion:  # fmt: skip
    """Convert a frozen, optimised GraphDef; ``inputs`` and ``outputs`` are tensor -> clean name.

    ``weights``: the bytes of constants that have stand-ins in the graph (``sources/standins.py``).
    The opset is not raised past tf2onnx's last one while unknown operations are in the graph.

    Raises:
        ExportError: tf2onnx failed altogether, or onnx cannot raise the opset.
    """
    import tensorflow as tf

    fakequant.refuse_keras(graph_def)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        ops = {op.name: _describe(op) for op in graph.get_operations()}
        model, shapes, said, doubts = _tf2onnx(graph, inputs, outputs, min(opset, TF2ONNX_LAST_OPSET), weights)
    unknown = _unknown(model, said)
    if opset > TF2ONNX_LAST_OPSET and not unknown:
        model = raise_opset(model, opset)
    return Conversion(model, ops, unknown, shapes, doubts)


def _freeze(
    source: TfModel, stand_ins: standins.StandIns
) -> tuple[GraphDef, dict[str, str], dict[str, str], frozenset[str]]:
    """Turn variables into constants, then run tf2onnx's grappler pass.

    Returns:
        the GraphDef; tensor -> clean name of inputs and of outputs; outputs that nothing computes.
    """
    import tensorflow as tf
    from tf2onnx import tf_loader

    from trtbuild.sources import defaults

    try:
        frozen = standins.freeze(source.function, stand_ins)
    except (
        Exception
    ) as error:  # a model that assigns to its variables cannot be frozen; TensorFlow says so in many ways
        raise randomness.not_frozen(error, source.function.graph.as_graph_def()) from error
    # Structured arguments and results are flattened in the order of their sorted names.
    inputs = dict(zip(frozen.inputs, sorted(source.inputs), strict=True))
    outputs: dict[str, str] = {}
    for tensor, name in zip(frozen.outputs, sorted(source.outputs), strict=True):
        outputs[tensor] = f"{name}_output" if name in source.inputs else name
    graph_def = tf_loader.fix_freezing_errors_part2(frozen.graph_def)
    del frozen
    allow_inlining(graph_def)
    stand_ins.hide(graph_def)
    graph_def = defaults.take(graph_def, [*inputs, *outputs])
    constants = frozenset(outputs[tensor] for tensor in defaults.constants(graph_def, outputs))
    hidden = stand_ins.safe(graph_def)
    while True:
        stand_ins.reveal(graph_def, keep=hidden)
        with tf.Graph().as_default():  # export_meta_graph, inside tf_optimize, refuses eager mode
            tf.import_graph_def(graph_def, name="")
            optimised = tf_loader.tf_optimize(list(inputs), list(outputs), graph_def)
        lost = hidden - set(stand_ins.found(optimised).values())
        if not lost:
            return defaults.settle_dropout(optimised, [*inputs, *outputs]), inputs, outputs, constants
        hidden -= lost


def _describe(op: tf.Operation) -> TfOp:
    def dims(tensor: tf.Tensor) -> tuple[int | None, ...] | None:
        return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())

    return TfOp(op.name, op.type, tuple(t.name for t in op.inputs), tuple(dims(t) for t in op.outputs))


def _tf2onnx(
    graph: tf.Graph,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    opset: int,
    weights: Mapping[str, bytes] | None,
) -> tuple[onnx.ModelProto, dict[str, tuple[int, tuple[int | None, ...]]], Sequence[str], dict[str, str]]:
    """The model, its tensors, tf2onnx's complaints, and ranges that were hardly trained."""
    import tf2onnx.utils
    from tf2onnx import optimizer
    from tf2onnx.tfonnx import process_tf_graph

    tf2onnxpatches.mend()
    fakequant.mend()
    said = _Complaints()
    logger = logging.getLogger("tf2onnx")
    logger.addHandler(said)
    tf2onnx.utils.INTERNAL_NAME = 1  # a process-wide counter, which would show in the names of new nodes
    try:
        converted = process_tf_graph(
            graph, opset=opset, input_names=list(inputs), output_names=list(outputs),
            tensors_to_rename={**inputs, **outputs}, continue_on_error=True,
            const_node_values=dict(weights or {}), custom_op_handlers={"Erfc": (tf2onnxpatches.erfc, [])},
        )  # fmt: skip
        # An optimiser pass that fails is skipped with a warning and a copy of the graph before it is kept; a deep copy
        # for each of its seven passes is what makes large graphs slow, and a failed pass should be seen.
        onnx_graph = optimizer.optimize_graph(converted, catch_errors=False)
        model = onnx_graph.make_model("model")
        doubts = trained.write_pairs(model)
        shapes = {
            name: (kind, tuple(None if d < 0 else d for d in shape))
            for node in onnx_graph.get_nodes()
            for name in node.output
            if (shape := onnx_graph.get_shape(name)) is not None and (kind := onnx_graph.get_dtype(name))
        }
    except Exception as error:  # tf2onnx raises KeyError, AssertionError and ValueError alike
        details = tuple(said.lines)
        what = details[0] if details else f"tf2onnx: {type(error).__name__}: {error}"
        raise ExportError(what, where="export", details=details) from error
    finally:
        logger.removeHandler(said)
    return model, shapes, said.lines, doubts


_NO_REASON = ("not supported", "Unsupported ops")  # what tf2onnx says of every one of them


def _unknown(model: onnx.ModelProto, said: Sequence[str]) -> tuple[Unknown, ...]:
    """Every node whose type ONNX has no schema for."""
    import onnx

    domains = {entry.domain: entry.version for entry in model.opset_import}
    found = []
    for node in all_nodes(model.graph):
        version = domains.get(node.domain, 1)
        if node.domain not in ("", "ai.onnx", "ai.onnx.ml") or not onnx.defs.has(node.op_type, version, node.domain):
            whole = re.compile(rf"(?<![\w/.-]){re.escape(node.name)}(?![\w/.-])")
            about = (line for line in said if node.name and whole.search(line))
            reason = next((line for line in about if not any(sign in line for sign in _NO_REASON)), "")
            found.append(Unknown(node.name, node.op_type, reason.removeprefix(f"{node.name}: ")))
    return tuple(found)


def _unknown_ops(found: Conversion) -> ExportError:
    from trtbuild.graphs.scopes import Cleaner

    clean = Cleaner(found.ops)
    lines = []
    for node in found.unknown:
        origin = clean.name(node.name) if node.name in found.ops else f"{node.name} (made by tf2onnx)"
        lines.append(f"{node.kind} {origin}" + (f": {node.reason}" if node.reason else ""))
    kinds = ", ".join(sorted({node.kind for node in found.unknown}))
    first = f"{len(lines)} operation(s) cannot be exported to ONNX: {kinds}; first: {lines[0]}"
    fake = all(node.kind in fakequant.KINDS for node in found.unknown)
    hint = fakequant.HINT if fake else "rewrite them with supported operations"
    return ExportError(first, where="export", hint=hint, details=tuple(lines))


def raise_opset(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The same graph in a newer opset; node names stay, except where the converter has to insert nodes."""
    import onnx.version_converter

    try:
        return onnx.version_converter.convert_version(model, opset)
    except Exception as error:  # the converter's C++ errors come as RuntimeError or its own ConvertError
        what = f"onnx cannot convert the graph to opset {opset}: {str(error).splitlines()[0]}"
        raise ExportError(what, where="model.export.opset", hint=f"use opset {TF2ONNX_LAST_OPSET} or lower") from error


class _Complaints(logging.Handler):
    """tf2onnx's error lines, in order, each once."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = " ".join(record.getMessage().split())
        if record.exc_info and record.exc_info[1] is not None:  # of a node: its name, then a dump of it
            line = f"{line.partition(' (fct=')[0]}: {' '.join(str(record.exc_info[1]).split())}"
        if line not in self.lines:
            self.lines.append(line)
