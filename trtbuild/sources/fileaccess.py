"""Operations of a TensorFlow graph that read or write files or talk to servers: refused before the graph runs.

Needs TensorFlow.  A graph is a program whose paths come from whoever wrote it: WriteFile writes anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from trtbuild.base.errors import SourceError
from trtbuild.base.text import printable

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

# Names of inputs and attributes, in TensorFlow's registry of operations, that hold a path or an address.
_PLACES = {"filename", "filenames", "file_pattern", "path", "prefix", "checkpoint_prefixes", "destination_prefix",
           "shard_dir", "snapshot_path", "chunk_file", "directory", "logdir", "log_dir_path", "output_file_path",
           "ckpt_path", "vocab_file", "new_vocab_file", "memory_region_name", "address", "server_address",
           "debug_urls"}  # fmt: skip
_UNNAMED = {"MatchingFiles", "MatchingFilesDataset", "ExperimentalMatchingFilesDataset", "WholeFileReader",
            "WholeFileReaderV2", "TextLineReader", "TextLineReaderV2", "TFRecordReader", "TFRecordReaderV2",
            "FixedLengthRecordReader", "FixedLengthRecordReaderV2", "LMDBReader"}  # fmt: skip
_RESTORES = {"RestoreV2", "Restore", "RestoreSlice"}
_TABLES = {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}  # of an asset: a file of the SavedModel


def check_saved_model(graph: MetaGraphDef, outputs: Iterable[str], where: str) -> None:
    """Check what runs when a SavedModel is loaded or called: the signature's ``outputs``, objects, initialisers.

    Its own saver, which TensorFlow does not run, may save; the variables may be restored.

    Raises:
        SourceError: an operation reads or writes files.
    """
    assets = {asset.tensor_info.name.partition(":")[0] for asset in graph.asset_file_def}
    started = [*outputs, *_initialisers(graph)]
    _refuse(_reached(graph.graph_def, started, graph.object_graph_def.concrete_functions), assets, where)
    _refuse(_reached(graph.graph_def, [graph.saver_def.restore_op_name]), assets, where, restoring=True)


def _initialisers(graph: MetaGraphDef) -> Iterator[str]:
    """What the loader of TensorFlow 1 runs after the variables are restored."""
    for key in ("saved_model_main_op", "legacy_init_op"):
        if key in graph.collection_def:
            yield from graph.collection_def[key].node_list.value
    key = "__saved_model_init_op"
    if key in graph.signature_def:
        yield from (info.name for info in graph.signature_def[key].outputs.values())


def check(graph_def: GraphDef, where: str) -> None:
    """Check a whole graph; raises SourceError as :func:`check_saved_model`."""
    nodes = [*graph_def.node, *(node for function in graph_def.library.function for node in function.node_def)]
    _refuse(((node, {}) for node in nodes), set(), where)


_Place = tuple["NodeDef", Mapping[str, "NodeDef"]]  # a node, and the nodes of its graph or function by name


def _refuse(nodes: Iterable[_Place], assets: set[str], where: str, *, restoring: bool = False) -> None:
    for node, scope in nodes:
        own = node.op in _TABLES or (restoring and node.op in _RESTORES)
        path = _plain(node.input[node.op in _TABLES]) if own else ""
        # The loader gives a path of its own: by a function's argument, by a placeholder, or in place of an asset's.
        given = own and (path in assets or path not in scope or scope[path].op.startswith("Placeholder"))
        if not (given and scope) and _has_place(node):
            what = f"its operation '{printable(node.name)}' ({printable(node.op)}) reads or writes files"
            hint = "a model is not run with it; remove it from the graph, and give what it reads as an input"
            raise SourceError(what, where=where, hint=hint)


def _has_place(node: NodeDef) -> bool:
    from tensorflow.python.framework import op_def_registry

    if node.op in _UNNAMED:
        return True
    definition = op_def_registry.get(node.op)
    if definition is None:  # a function, or an operation that this TensorFlow cannot run
        return False
    if node.op == "PrintV2":
        return bool(node.attr["output_stream"].s.startswith(b"file:"))
    if any(argument.name in _PLACES for argument in definition.input_arg):
        return True
    named = (node.attr[attribute.name] for attribute in definition.attr if attribute.name in _PLACES)
    return any(value.s or value.list.s for value in named)


def _reached(graph_def: GraphDef, names: Iterable[str], functions: Iterable[str] = ()) -> Iterator[_Place]:
    """Every node behind these tensors or operations, and of every function that they or ``functions`` call."""
    nodes: Mapping[str, NodeDef] = {node.name: node for node in graph_def.node}
    bodies = {function.signature.name: function.node_def for function in graph_def.library.function}
    pending, called = [nodes[_plain(name)] for name in names if _plain(name) in nodes], list(functions)
    seen, entered = {node.name for node in pending}, set()
    while pending or called:
        if pending:
            node = pending.pop()
            yield node, nodes
            fresh = [name for name in map(_plain, node.input) if name in nodes and name not in seen]
            seen.update(fresh)
            pending += [nodes[name] for name in dict.fromkeys(fresh)]
            called += _called(node)
        elif (name := called.pop()) in bodies and name not in entered:
            entered.add(name)
            scope = {node.name: node for node in bodies[name]}
            for node in scope.values():
                yield node, scope
                called += _called(node)


def _called(node: NodeDef) -> list[str]:
    values = node.attr.values()
    return [node.op, *(v.func.name for v in values), *(func.name for v in values for func in v.list.func)]


def _plain(name: str) -> str:
    return name.removeprefix("^").partition(":")[0]
