"""A frozen graph exported to ONNX as a build does; what has no ONNX form is cut out, so that the rest can be checked.

Runs in the process that has TensorFlow loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.checker import weights
from trtbuild.checker.cut import Cut, cut_out
from trtbuild.checker.frozen import FrozenSubgraph

if TYPE_CHECKING:
    import onnx

    from trtbuild.graphs.scopes import NodeEntry
    from trtbuild.sources.tfonnx import Unknown

Shapes = Mapping[str, tuple[int, tuple[int | None, ...]]]  # tensor -> element type (ONNX) and shape


@dataclass(frozen=True)
class ExportedGraph:
    """``model`` is None when nothing is left of it.

    ``nodes``: ONNX node -> its TensorFlow operation, as in an export's map; ``ops``: TensorFlow operation -> its type;
    ``unknown``: operations without an ONNX form.  ``static``: its inputs have fixed shapes now; ``extra`` are the
    shapes of new ones.  ``entries``: input -> its TensorFlow operation.  ``shapes`` gives what was known about them.
    ``doubts``: fake quantisation whose range looks untrained, and why.
    """

    model: onnx.ModelProto | None
    nodes: dict[str, NodeEntry]
    ops: Mapping[str, str]
    unknown: Sequence[Unknown] = ()
    static: bool = False
    extra: Mapping[str, Sequence[int]] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)
    shapes: Callable[[], Shapes] = dict
    doubts: Mapping[str, str] = field(default_factory=dict)


def export(frozen: FrozenSubgraph, opset: int, shapes: Mapping[str, Sequence[int]], folder: Path) -> ExportedGraph:
    """Convert; ``shapes`` (input -> concrete shape) apply where something has to be cut out.

    Raises:
        ExportError: the exporter failed altogether.
    """
    from trtbuild.graphs import canonical, scopes, trained
    from trtbuild.sources import tfonnx

    named = {tensor: f"{trained.STAND_IN}{tensor.rpartition(':')[0]}" for tensor in frozen.weights}
    found = tfonnx.convert_graph(frozen.graph_def, {**frozen.inputs, **named}, frozen.outputs, opset)
    kinds = {name: op.kind for name, op in found.ops.items()}
    model = found.model
    cut: Cut | None = None
    if found.unknown:
        names = {node.name for node in found.unknown}
        raw = {name for node in model.graph.node if node.name in names for name in node.output}
        static = _joined(found.shapes, _static_tensors(frozen, shapes), raw)
        known = {n: (k, tuple(d for d in s if d is not None)) for n, (k, s) in static.items() if None not in s}
        cut = cut_out(model, names, known, shapes)
        if not model.graph.node:
            return ExportedGraph(None, {}, kinds, found.unknown)
        if opset > tfonnx.TF2ONNX_LAST_OPSET:
            model = tfonnx.raise_opset(model, opset)
    present = {value.name for value in model.graph.input}
    held = {name: frozen.weights[tensor].shape for tensor, name in named.items() if name in present}
    weights.settle(model, held, folder)
    canonical.canonicalise(model, set(found.ops))
    clean = {name: tensor for tensor, name in (frozen.inputs | frozen.outputs).items()}
    mapped = scopes.scope_map(model, found.ops, clean)
    operations = (one for entry in mapped["nodes"].values() for one in (entry, *entry["members"]))
    kinds |= {one["op"]: one["type"] for one in operations}  # as before TensorFlow's own folding
    entries = {name: tensor.rpartition(":")[0] for tensor, name in frozen.inputs.items()}
    return ExportedGraph(
        model, mapped["nodes"], kinds, found.unknown, cut is not None, extra=cut.inputs if cut else {}, entries=entries,
        shapes=lambda: _joined(found.shapes, _static_tensors(frozen, shapes), set()), doubts=found.doubts,
    )  # fmt: skip


def _joined(written: Shapes, static: Shapes, raw: set[str]) -> Shapes:
    """TensorFlow's shapes for operations left as they are (``raw`` tensors), the exporter's for others, in its layout.

    The first dimension is the same in every layout, and TensorFlow knows it.
    """
    found = {name: kind for name, kind in static.items() if name in raw}
    for name, (kind, shape) in written.items():
        if name not in raw:
            known = static[name][1] if name in static else ()
            first = known[:1] if shape[:1] == (None,) and len(known) == len(shape) else shape[:1]
            found[name] = (kind, (*first, *shape[1:]))
    return found


def _static_tensors(frozen: FrozenSubgraph, shapes: Mapping[str, Sequence[int]]) -> Shapes:
    """dtype (ONNX) and shape of every tensor that is known where the inputs have their concrete shapes."""
    import tensorflow as tf
    from tf2onnx import tf_utils

    graph_def = tf.compat.v1.GraphDef()
    graph_def.CopyFrom(frozen.graph_def)
    wanted = {tensor.rpartition(":")[0]: shapes[name] for tensor, name in frozen.inputs.items() if name in shapes}
    for node in graph_def.node:
        node.attr.pop("_output_shapes", None)
        if node.name in wanted:
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(wanted[node.name]).as_proto())
    found = {}
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        for op in graph.get_operations():
            for tensor in op.outputs:
                if tensor.shape.rank is not None:
                    try:
                        kind = int(tf_utils.map_tf_dtype(tensor.dtype))
                    except KeyError:  # a resource or a variant: nothing that ONNX knows
                        continue
                    found[tensor.name] = (kind, tuple(tensor.shape.as_list()))
    return found
