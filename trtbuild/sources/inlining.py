"""Functions of a GraphDef inlined into their calls, by TensorFlow's own optimiser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef


def inline_functions(graph_def: GraphDef, keep: Sequence[str]) -> GraphDef:
    """Calls replaced by what they call; loops and branches stay, as in freezing; ``keep``: tensors that survive."""
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2
    from tensorflow.python.framework.convert_to_constants import disable_lower_using_switch_merge
    from tensorflow.python.grappler import tf_optimizer

    graph_def = disable_lower_using_switch_merge(graph_def)
    for function in graph_def.library.function:
        function.attr.pop("api_implements", None)  # a GPU form of an LSTM, which would keep it from being inlined
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1  # small graphs too
    options.optimizers.append("function")
    options.function_optimization = rewriter_config_pb2.RewriterConfig.AGGRESSIVE
    with tf.Graph().as_default():
        tf.import_graph_def(graph_def, name="")
        meta_graph = tf.compat.v1.train.export_meta_graph(graph_def=graph_def)
    wanted = meta_graph_pb2.CollectionDef()
    wanted.node_list.value.extend(keep)
    meta_graph.collection_def["train_op"].CopyFrom(wanted)
    return tf_optimizer.OptimizeGraph(config, meta_graph)


def allow_inlining(graph_def: GraphDef) -> None:
    """Let jit-compiled functions be inlined, which TensorFlow keeps apart; Keras 3's grouped convolutions are such."""
    marks = ("_XlaMustCompile", "_noinline")
    for function in graph_def.library.function:
        for mark in marks:
            function.attr.pop(mark, None)
    for node in (*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)):
        if marks[0] in node.attr and node.op == "StatefulPartitionedCall":
            node.op = "PartitionedCall"  # frozen: no state is left
        node.attr.pop(marks[0], None)
