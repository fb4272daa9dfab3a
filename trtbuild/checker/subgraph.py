"""The part of a TensorFlow graph between registered inputs and outputs, as its own GraphDef; reads, never writes.

Nodes are copied one by one from the outputs back, so that neither the rest of the graph nor a large constant in it is
ever held twice.  Needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trtbuild.checker.writes import is_write, take_out

if TYPE_CHECKING:
    import tensorflow as tf
    from tensorflow.core.framework.function_pb2 import FunctionDefLibrary
    from tensorflow.core.framework.graph_pb2 import GraphDef

LARGE_BYTES = 1 << 20  # a float constant from here on is data: its values do not matter for the check


@dataclass(frozen=True)
class VariableSpec:
    """Shape and dtype (a DataType number) of what a variable, or a large constant, holds."""

    dtype: int
    shape: tuple[int, ...]


@dataclass
class Subgraph:
    """``inputs`` and ``outputs`` are chosen name -> tensor of ``graph_def``; the rest by node name."""

    graph_def: GraphDef
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    variables: dict[str, VariableSpec] = field(default_factory=dict)
    loose: dict[str, str] = field(default_factory=dict)  # placeholders that nobody registered -> what they are
    assigned: list[str] = field(default_factory=list)  # operations that write to variables, and are cut out
    unused: list[str] = field(default_factory=list)  # inputs, by chosen name, that no output depends on
    shapes: dict[str, tuple[int | None, ...] | None] = field(default_factory=dict)  # of the inputs, by chosen name
    dtypes: dict[str, str] = field(default_factory=dict)
    handles: dict[str, tf.Tensor] = field(default_factory=dict)  # of variables that hold values now


def cut_out(
    graph: tf.Graph, inputs: Mapping[str, str], outputs: Mapping[str, str], *, initialised: bool = True
) -> Subgraph:
    """Copy what the outputs depend on, stopping at the inputs.

    Without ``initialised`` variables, what random initialisers compute is taken as the weights that it will be.

    Raises:
        KeyError: the graph has no such tensor (any more).
    """
    return _Cutter(graph, inputs, outputs, initialised).run()


class _Cutter:
    def __init__(
        self, graph: tf.Graph, inputs: Mapping[str, str], outputs: Mapping[str, str], initialised: bool
    ) -> None:
        from tensorflow.core.framework import graph_pb2

        self.graph, self.initialised = graph, initialised
        self.ins = {name: graph.get_tensor_by_name(tensor) for name, tensor in inputs.items()}
        self.outs = {name: graph.get_tensor_by_name(tensor) for name, tensor in outputs.items()}
        self.old_control_flow = any(op.type in ("Enter", "Switch") for op in graph.get_operations())
        self.used: set[str] = set()  # nodes of the copy
        self.stops: dict[str, str] = {}  # tensor -> node that stands for it
        self.captured = {inner.op.name: outer for outer, inner in getattr(graph, "captures", ())}
        self.made = Subgraph(graph_pb2.GraphDef())
        self.made.graph_def.versions.CopyFrom(graph.graph_def_versions)

    def run(self) -> Subgraph:
        wanted = {tensor.name for tensor in self.ins.values()}
        reached = self._reach(wanted)
        self._note_unused(reached, wanted)
        if not self.initialised:
            weights = _initialisers(reached, wanted)
            reached = self._reach(wanted | weights.keys())
            for tensor in weights.values():
                self._weight(tensor)
        self.used = used = {op.name for op in reached}
        for name, tensor in self.ins.items():
            node = tensor.op.name if tensor.op.name not in used else self._fresh(f"{tensor.op.name}_input", used)
            used.add(node)
            self.stops[tensor.name] = node
            self._placeholder(node, tensor.dtype.as_datatype_enum, tensor.shape)
            self.made.inputs[name] = f"{node}:0"
            self.made.shapes[name] = None if tensor.shape.rank is None else tuple(tensor.shape.as_list())
            self.made.dtypes[name] = tensor.dtype.name
        for op in reached:
            self._copy(op)
        self.made.outputs = {n: self._tensor(t.name) for n, t in self.outs.items()}
        self.made.graph_def.library.CopyFrom(_library(self.graph))
        self.made.assigned += take_out(self.made.graph_def)
        return self.made

    def _note_unused(self, reached: list[tf.Operation], wanted: set[str]) -> None:
        read = {tensor.name for op in reached for tensor in op.inputs} | {tensor.name for tensor in self.outs.values()}
        self.made.unused = [name for name, tensor in self.ins.items() if tensor.name not in read]
        # A write that something has to wait for is state, even if its result is not used.
        behind = {op.name: op for op in self._reach(wanted, control=True)}
        self.made.assigned = [name for name, op in behind.items() if is_write(op.type)]

    def _reach(self, stops: set[str], *, control: bool = False) -> list[tf.Operation]:
        """Operations behind the outputs, in the graph's order; with ``control``, also over control edges."""
        found: dict[str, tf.Operation] = {}
        waiting = [tensor.op for tensor in self.outs.values() if tensor.name not in stops]
        while waiting:
            op = waiting.pop()
            if op.name in found or (is_write(op.type) and not op.outputs and not control):
                continue
            found[op.name] = op
            # A write is not copied; the old kind passes on the value that it was given.
            read = op.inputs[1:] if is_write(op.type) and not control else op.inputs
            waiting += [tensor.op for tensor in read if tensor.name not in stops]
            # TensorFlow 1's loops and branches depend on control edges; elsewhere these only say what comes first.
            waiting += op.control_inputs if control or self.old_control_flow else ()
        return sorted(found.values(), key=lambda op: op._id)

    def _weight(self, tensor: tf.Tensor) -> None:
        """A constant of one value for the whole shape, which freezing replaces."""
        import tensorflow as tf

        node = self.made.graph_def.node.add(name=tensor.op.name, op="Const")
        node.attr["dtype"].type = tensor.dtype.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0, tensor.dtype, tensor.shape))
        self.made.variables[tensor.op.name] = VariableSpec(tensor.dtype.as_datatype_enum, tuple(tensor.shape.as_list()))

    @staticmethod
    def _fresh(name: str, used: set[str]) -> str:
        while name in used:
            name += "_"
        return name

    def _tensor(self, name: str) -> str:
        return f"{self.stops[name]}:0" if name in self.stops else name

    def _placeholder(self, name: str, dtype: int, shape: tf.TensorShape) -> None:
        node = self.made.graph_def.node.add(name=name, op="Placeholder")
        node.attr["dtype"].type = dtype
        node.attr["shape"].shape.CopyFrom(shape.as_proto())

    def _copy(self, op: tf.Operation) -> None:
        if op.type == "Const" and (held := _large_constant(op)) is not None:
            self._variable(op.name, held)
            return
        if op.type in ("Placeholder", "PlaceholderV2"):
            self._copy_placeholder(op)
            return
        node = op.node_def
        node.device = ""
        node.attr.pop("_class", None)
        for i, tensor in enumerate(op.inputs):
            # Without its ":0", which grappler would carry into control inputs, where no port may stand.
            node.input[i] = self._tensor(tensor.name).removesuffix(":0")
        behind = [source.name for source in op.control_inputs] if self.old_control_flow else []
        del node.input[len(op.inputs) :]
        node.input.extend(f"^{name}" for name in behind if name in self.used)
        if is_write(op.type):
            node.op = "Identity"
            del node.input[0]
            for extra in ("use_locking", "validate_shape"):
                node.attr.pop(extra, None)
        if op.type in ("VarHandleOp", "VariableV2", "Variable"):
            shape = tuple(dim.size for dim in node.attr["shape"].shape.dim)
            self.made.variables[op.name] = VariableSpec(node.attr["dtype"].type, shape)
            node.attr["shared_name"].s = op.name.encode()
        elif op.type == "PlaceholderWithDefault":
            node.op = "Identity"
            node.attr["T"].type = node.attr.pop("dtype").type
            node.attr.pop("shape", None)
        self.made.graph_def.node.append(node)

    def _copy_placeholder(self, op: tf.Operation) -> None:
        """One of the graph's own that was not registered, or a value that a function captured from outside."""
        outer, tensor = self.captured.get(op.name), op.outputs[0]
        if tensor.dtype.name == "resource" and (held := _handle(tensor)) is not None:
            add_variable(self.made.graph_def, op.name, held)
            self.made.variables[op.name] = held
            if outer is not None:
                self.made.handles[op.name] = outer
        elif outer is not None and hasattr(outer, "numpy"):
            self._constant(op.name, outer)
        else:
            self.made.loose[op.name] = f"{tensor.dtype.name} placeholder '{op.name}'"
            self._placeholder(op.name, tensor.dtype.as_datatype_enum, tensor.shape)

    def _variable(self, name: str, held: VariableSpec) -> None:
        """A large constant as a variable, whose value nobody needs."""
        handle = self._fresh(f"{name}/handle", set(self.made.variables))
        add_variable(self.made.graph_def, handle, held)
        add_reading(self.made.graph_def, name, handle, held)
        self.made.variables[handle] = held

    def _constant(self, name: str, value: tf.Tensor) -> None:
        import tensorflow as tf

        size = value.dtype.size * (value.shape.num_elements() or 0)
        if value.dtype.is_floating and size >= LARGE_BYTES:
            self._variable(name, VariableSpec(value.dtype.as_datatype_enum, tuple(value.shape.as_list())))
            return
        node = self.made.graph_def.node.add(name=name, op="Const")
        node.attr["dtype"].type = value.dtype.as_datatype_enum
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value.numpy(), value.dtype, value.shape))


def _initialisers(ops: list[tf.Operation], inputs: set[str]) -> dict[str, tf.Tensor]:
    """Tensors that a weight's initialiser made: random or constant, of no input, and read by what depends on one."""
    live: set[str] = set()  # operations that depend on an input
    random: set[str] = set()  # operations that depend on a random one, and on no input
    for op in ops:  # in the order in which they were made: sources first
        if any(tensor.name in inputs or tensor.op.name in live for tensor in op.inputs):
            live.add(op.name)
        elif "Random" in op.type or any(tensor.op.name in random for tensor in op.inputs):
            random.add(op.name)
    found = {}
    for op in ops:
        for tensor in op.inputs if op.name in live else ():
            source = tensor.op
            if tensor.name in inputs or source.name in live or not tensor.shape.is_fully_defined():
                continue
            filled = source.type in ("Const", "Fill") and source.name.rpartition("/")[2].startswith(("zeros", "ones"))
            if tensor.dtype.is_floating and (source.name in random or filled) and tensor.name == f"{source.name}:0":
                found[tensor.name] = tensor
    return found


def _library(graph: tf.Graph) -> FunctionDefLibrary:
    """The functions that a graph calls; as_graph_def would also copy all its nodes and their constants."""
    from tensorflow.core.framework import graph_pb2

    copied = graph_pb2.GraphDef()
    copy: Callable[[GraphDef, int], None] = graph._copy_functions_to_graph_def
    copy(copied, 0)
    library: FunctionDefLibrary = copied.library
    return library


def _large_constant(op: tf.Operation) -> VariableSpec | None:
    tensor = op.outputs[0]
    size = tensor.dtype.size * (tensor.shape.num_elements() or 0)
    if not tensor.dtype.is_floating or size < LARGE_BYTES:
        return None
    return VariableSpec(tensor.dtype.as_datatype_enum, tuple(tensor.shape.as_list()))


def _handle(tensor: tf.Tensor) -> VariableSpec | None:
    """What the variable behind a resource handle holds; None for tables and the like."""
    from tensorflow.python.ops import handle_data_util

    data = handle_data_util.get_resource_handle_data(tensor)
    if data is None or not data.is_set or not data.shape_and_type:
        return None
    kind = data.shape_and_type[0]
    if kind.shape.unknown_rank or any(dim.size < 0 for dim in kind.shape.dim):
        return None
    return VariableSpec(kind.dtype, tuple(dim.size for dim in kind.shape.dim))


def add_variable(graph_def: GraphDef, name: str, held: VariableSpec) -> None:
    """A variable's handle, with the shape that grappler infers shapes by."""
    from tensorflow.core.framework import tensor_shape_pb2

    node = graph_def.node.add(name=name, op="VarHandleOp")
    node.attr["dtype"].type = held.dtype
    node.attr["shape"].shape.dim.extend(tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in held.shape)
    node.attr["shared_name"].s = name.encode()


def add_reading(graph_def: GraphDef, name: str, handle: str, held: VariableSpec) -> None:
    node = graph_def.node.add(name=name, op="ReadVariableOp")
    node.input.append(handle)
    node.attr["dtype"].type = held.dtype
