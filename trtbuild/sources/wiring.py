"""How a graph's inputs and outputs are connected: each output has a node that makes it, and depends on an input."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from trtbuild.base.errors import ExportError
from trtbuild.graphs.graph import all_graphs, all_nodes, producers, subgraphs, with_bodies

if TYPE_CHECKING:
    import onnx


def give_nodes(model: onnx.ModelProto) -> None:
    """Every output gets a node that makes it, since TensorRT accepts no other; weights are no longer listed as inputs.

    An output that is an input is called ``NAME_output`` from here on, as no engine has two bindings of one name; one
    that is an initialiser, or a constant, keeps its name.
    """
    import onnx

    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    kept = [type(value).FromString(value.SerializeToString()) for value in graph.input if value.name not in held]
    del graph.input[:]  # before IR 4 (ONNX 1.5) every initialiser was listed
    graph.input.extend(kept)
    inputs = {value.name for value in kept}
    made = {name: node for node in graph.node if node.op_type == "Constant" for name in node.output}
    names = inputs | held.keys() | {name for node in all_nodes(graph) for name in (*node.input, *node.output)}
    names |= {value.name for value in graph.output}
    for output in graph.output:
        name = output.name
        if name in held or name in made:
            source = _unused(f"{name}_value", names)
            _rename(graph, name, source)
            if name in held:
                held[name].name = source
            else:
                made[name].output[0] = source
        elif name in inputs:
            source, name = name, _unused(f"{name}_output", names)
            output.name = name
        else:
            continue
        graph.node.append(onnx.helper.make_node("Identity", [source], [name], name=_unused(f"{name}/Identity", names)))


def constant_outputs(model: onnx.ModelProto) -> frozenset[str]:
    """Outputs that are initialisers or constants, behind an Identity or not."""
    makers = producers(model.graph)
    held = {tensor.name for tensor in model.graph.initializer}

    def is_constant(name: str) -> bool:
        while name in makers and makers[name].op_type == "Identity":
            name = makers[name].input[0]
        return name in held or (name in makers and makers[name].op_type == "Constant")

    return frozenset(value.name for value in model.graph.output if is_constant(value.name))


def unread(model: onnx.ModelProto) -> list[str]:
    """Inputs that no output depends on."""
    used = _behind(model, [value.name for value in model.graph.output])
    return [value.name for value in model.graph.input if value.name not in used]


def check(model: onnx.ModelProto, inputs: Collection[str], constants: Collection[str]) -> None:
    """``inputs`` are those that the config declares; ``constants``: outputs that are constants in the source itself.

    Raises:
        ExportError: an input that nothing reads, or an output that depends on no input: something was cut off.
    """
    graph = model.graph
    lost = {*unread(model), *(set(inputs) - {value.name for value in graph.input})}
    if lost:
        what = f"nothing reads the input '{min(lost)}': no output depends on it"
        hint = "leave it out of the model, or out of model.inputs where the model does without"
        raise ExportError(what, where=f"model.inputs.{min(lost)}", hint=hint)
    for output in graph.output:
        if output.name not in constants and not _behind(model, [output.name]) & set(inputs):
            what = f"the output '{output.name}' depends on no input"
            hint = "leave it out of the model's outputs, or name the input that it is computed from"
            raise ExportError(what, where="export", hint=hint)


def _behind(model: onnx.ModelProto, names: Collection[str]) -> set[str]:
    """Tensors that these depend on, including themselves."""
    makers = producers(model.graph)
    found, waiting = set(names), list(names)
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None:
            new = {name for inner in with_bodies(node) for name in inner.input} - found
            new |= {value.name for body in _bodies(node) for value in body.output} - found
            found |= new
            waiting += new
    return found


def _bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [found for body in subgraphs(node) for found in all_graphs(body)]


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in all_nodes(graph):
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new
    for node in graph.node:
        for body in _bodies(node):
            for value in body.output:
                value.name = new if value.name == old else value.name


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
