"""Operations that tf2onnx silently converts into something that computes other numbers than TensorFlow.

The only table of them: the export step warns of those in its graph, and the checker names them with their lines.  Each
has a case in the suite that shows it (``trtbuild/suite/cases``); seen with tf2onnx 1.17.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.documents.verdict import WarningDocument

# Integers that do not depend on data, or are never negative whatever the data: the search for an origin ends here.
_COUNTS = {"Shape", "ShapeN", "Size", "Rank", "ArgMax", "ArgMin", "Where", "Range", "NonMaxSuppressionV3",
           "NonMaxSuppressionV4", "NonMaxSuppressionV5", "Abs", "Square", "Bucketize"}  # fmt: skip
# Integers that are not negative where what they read is not.
_KEEPS_SIGN = {
    "Identity", "StopGradient", "Pack", "ConcatV2", "StridedSlice", "Slice", "Gather", "GatherV2", "GatherNd",
    "Reshape", "Squeeze", "ExpandDims", "Tile", "Transpose", "AddV2", "Add", "Mul", "Maximum", "Minimum", "Max", "Min",
    "Sum", "Prod", "Cumsum", "FloorDiv", "FloorMod", "Cast", "Fill", "BroadcastTo", "Unpack", "Split", "SplitV",
    "RealDiv", "Floor", "Ceil", "Round",
}  # fmt: skip
_COPIES = ("Identity", "StopGradient")
_UNSIGNED = ("bool", "uint8", "uint16")
_LONG = {"int32", "int64", "uint32", "uint64"}
_SIGNED = {"int8", "int16", "int32", "int64"}


@dataclass(frozen=True)
class Fault:
    """One operation: its name and type, what may be wrong in ``words``, and what to write in its place."""

    name: str
    kind: str
    words: str
    advice: str


@dataclass(frozen=True)
class _Graph:
    nodes: Mapping[str, NodeDef]

    def inputs(self, node: NodeDef) -> list[tuple[NodeDef | None, int]]:
        """The node and output number that each input comes from, Identities skipped; None for what is outside."""
        return [self._origin(name) for name in node.input if not name.startswith("^")]

    def _origin(self, tensor: str) -> tuple[NodeDef | None, int]:
        parts = tensor.split(":")
        found, port = self.nodes.get(parts[0]), int(parts[-1]) if parts[1:] else 0
        return self._origin(found.input[0]) if found is not None and found.op in _COPIES else (found, port)

    def constant(self, node: NodeDef, index: int) -> Array | None:
        """The value of an input, as an array; None where it is not a constant."""
        import tensorflow as tf

        found = self.inputs(node)[index][0]
        return tf.make_ndarray(found.attr["value"].tensor) if found is not None and found.op == "Const" else None

    def may_be_negative(self, node: NodeDef, index: int) -> bool:
        """Whether an integer input may be negative: not where it comes from sizes, positions and such constants."""
        waiting, seen = [self.inputs(node)[index]], set()
        while waiting:
            found, port = waiting.pop()
            if found is None:
                return True
            position = found.op in ("TopKV2", "TopK") and port == 1
            if position or found.name in seen or found.op in _COUNTS or _source_type(found) in _UNSIGNED:
                continue
            seen.add(found.name)
            if found.op == "Const":
                import tensorflow as tf

                value = tf.make_ndarray(found.attr["value"].tensor)
                if value.dtype.kind in "iuf" and (value < 0).any():
                    return True
            elif found.op in _KEEPS_SIGN:
                waiting += self.inputs(found)
            else:
                return True
        return False


def faults(graph_def: GraphDef) -> list[Fault]:
    """All such operations of a GraphDef, in its order, those in its functions after them."""
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    return [found for body in bodies for found in _of_body(body)]


def warnings(frozen: bytes) -> list[WarningDocument]:
    """The same for a serialised GraphDef, as a step writes warnings."""
    from tensorflow.core.framework.graph_pb2 import GraphDef

    graph_def = GraphDef.FromString(frozen)
    return [
        {"what": f"the exporter may be wrong at {found.kind} '{found.name}': {found.words}", "where": "export",
         "hint": found.advice}
        for found in faults(graph_def)
    ]  # fmt: skip


def _of_body(body: Iterable[NodeDef]) -> Iterator[Fault]:
    graph = _Graph({node.name: node for node in body})
    for node in body:
        look = _LOOKS.get(node.op)
        said = look(node, graph) if look is not None else None
        if said is not None:
            yield Fault(node.name, node.op, *said)


def _dtype(node: NodeDef, attribute: str = "T") -> str:
    import tensorflow as tf

    return tf.as_dtype(node.attr[attribute].type).name if node.attr[attribute].type else ""


def _source_type(node: NodeDef) -> str:
    return _dtype(node, "SrcT") if node.op == "Cast" else ""


Said = tuple[str, str] | None


def _training(node: NodeDef, graph: _Graph) -> Said:
    if not node.attr["is_training"].b:
        return None
    return (
        "built for training (is_training=True), it takes each batch's statistics, or ones the exporter makes up",
        "build the network as it is for inference, with training=False",
    )


def _area(node: NodeDef, graph: _Graph) -> Said:
    return (
        "the exporter turns an area resize into a linear one, with other numbers",
        "use tf.nn.avg_pool2d for a whole factor, or method='bilinear' with antialias=False",
    )


def _bicubic(node: NodeDef, graph: _Graph) -> Said:
    if node.attr["half_pixel_centers"].b:
        return None
    return (
        "the exporter writes TensorFlow 1's bicubic kernel (a = -0.75) as TensorFlow 2's (a = -0.5)",
        "use tf.image.resize(…, 'bicubic') of TensorFlow 2, or a bilinear resize",
    )


def _division(node: NodeDef, graph: _Graph) -> Said:
    if _dtype(node) not in _SIGNED or not (graph.may_be_negative(node, 0) or graph.may_be_negative(node, 1)):
        return None
    return (
        "wrong where operands have different signs: the exporter rounds integers towards zero, TensorFlow down",
        "divide as floats: tf.cast(tf.floor(tf.cast(x, tf.float32) / y), tf.int32), or keep both operands positive",
    )


def _largest(node: NodeDef, graph: _Graph) -> Said:
    if _dtype(node) not in (*_LONG, "float64"):
        return None
    return (
        "wrong where values go beyond 2^24: the exporter sorts them as float32",
        "sort float32 values, or integers below 2^24",
    )


def _scatter(node: NodeDef, graph: _Graph) -> Said:
    indices = graph.constant(node, 0)
    if indices is not None:
        rows = indices.reshape(-1, indices.shape[-1]) if indices.ndim else indices.reshape(1, 1)
        if len({tuple(row) for row in rows.tolist()}) == len(rows):
            return None
    sure = "indices repeat here" if indices is not None else "wrong where indices repeat"
    return (
        f"{sure}: TensorFlow adds their values, the exported graph keeps one of them",
        "use tf.math.unsorted_segment_sum, or add by tf.matmul with tf.one_hot",
    )


def _one_hot(node: NodeDef, graph: _Graph) -> Said:
    if _dtype(node, "TI") not in _SIGNED or not graph.may_be_negative(node, 0):
        return None
    return (
        "wrong where an index is negative: TensorFlow makes a row of off values, the graph counts from the end",
        "keep indices at 0 or above, such as tf.where(i < 0, depth, i): beyond the end both make a row of off values",
    )


def _channels(node: NodeDef, graph: _Graph) -> Said:
    window = list(node.attr["ksize"].list.i)
    axis = 1 if node.attr["data_format"].s == b"NCHW" else 3
    if len(window) != 4 or window[axis] == 1:
        return None
    return (
        "the exporter leaves the channels as they are, where TensorFlow takes the largest over several",
        "use tf.reduce_max over reshaped channels",
    )


def _bfloat16(node: NodeDef, graph: _Graph) -> Said:
    if _dtype(node, "DstT") != "bfloat16" or _dtype(node, "SrcT") == "bfloat16":
        return None
    return (
        "the exporter writes bfloat16 as float16: it rounds differently, and is infinite beyond 65504",
        "export the model in float32, and build it with precision=bf16",
    )


def _saturation(node: NodeDef, graph: _Graph) -> Said:
    return (
        "the exporter gives other colours for a change of saturation",
        "change saturation before the network, or blend with the mean over channels",
    )


def _comparison(node: NodeDef, graph: _Graph) -> Said:
    if _dtype(node) not in _LONG:
        return None
    constants = [graph.constant(node, i) for i in (0, 1)]
    given = all(source is not None and source.op.startswith("Placeholder") for source, _ in graph.inputs(node))
    if not given and not any(c is not None and c.size and abs(c.astype(float)).max() > 2**24 for c in constants):
        return None
    return (
        "wrong where integers go beyond 2^24: the exporter compares them as float32",
        "compare their difference with 0, or integers below 2^24",
    )


_LOOKS: Mapping[str, Callable[[NodeDef, _Graph], Said]] = {
    "FusedBatchNorm": _training, "FusedBatchNormV2": _training, "FusedBatchNormV3": _training,
    "ResizeArea": _area, "ResizeBicubic": _bicubic, "FloorDiv": _division, "FloorMod": _division,
    "TopKV2": _largest, "TopK": _largest, "ScatterNd": _scatter, "OneHot": _one_hot, "MaxPool": _channels,
    "Cast": _bfloat16, "AdjustSaturation": _saturation, "Less": _comparison, "LessEqual": _comparison,
    "Greater": _comparison, "GreaterEqual": _comparison,
}  # fmt: skip
