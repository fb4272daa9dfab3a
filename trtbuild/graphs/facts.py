"""What rules about an ONNX graph ask of it: attributes, types, shapes, constants, ranges; found when first needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from trtbuild.graphs import bounds as ranges
from trtbuild.graphs.graph import all_graphs, all_nodes, element_types, inferred, subgraphs

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

Shape = tuple[int | None, ...]


def _attribute(node: onnx.NodeProto, name: str) -> onnx.AttributeProto | None:
    return next((a for a in node.attribute if a.name == name), None)


def integer(node: onnx.NodeProto, name: str, default: int = 0) -> int:
    found = _attribute(node, name)
    return default if found is None else int(found.i)


def integers(node: onnx.NodeProto, name: str) -> list[int]:
    found = _attribute(node, name)
    return [] if found is None else [int(value) for value in found.ints]


def real(node: onnx.NodeProto, name: str, default: float) -> float:
    found = _attribute(node, name)
    return default if found is None else float(found.f)


def reals(node: onnx.NodeProto, name: str) -> list[float]:
    found = _attribute(node, name)
    return [] if found is None else [float(value) for value in found.floats]


def text(node: onnx.NodeProto, name: str, default: str = "") -> str:
    found = _attribute(node, name)
    return default if found is None else found.s.decode()


def texts(node: onnx.NodeProto, name: str) -> list[str]:
    found = _attribute(node, name)
    return [] if found is None else [value.decode() for value in found.strings]


def has(node: onnx.NodeProto, name: str) -> bool:
    return _attribute(node, name) is not None


class Facts:
    """Of one model, subgraphs included; exporters give a name once in all of them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model

    @cached_property
    def _types(self) -> dict[str, int]:
        return element_types(self._model)

    @cached_property
    def _bounds(self) -> dict[str, ranges.Bounds]:
        return ranges.bounds(self._model, self._types)

    @cached_property
    def _constants(self) -> dict[str, onnx.TensorProto]:
        graphs, nodes = all_graphs(self._model.graph), all_nodes(self._model.graph)
        found = {tensor.name: tensor for graph in graphs for tensor in graph.initializer}
        for node in nodes:
            if node.op_type == "Constant" and (value := _attribute(node, "value")) is not None:
                found[node.output[0]] = value.t
        return found

    @cached_property
    def _shapes(self) -> dict[str, Shape]:
        found: dict[str, Shape] = {}

        def collect(graph: onnx.GraphProto) -> None:
            for value in (*graph.input, *graph.value_info, *graph.output):
                kind = value.type.tensor_type
                if value.type.HasField("tensor_type") and kind.HasField("shape"):
                    found[value.name] = tuple(d.dim_value if d.dim_value > 0 else None for d in kind.shape.dim)
            for node in graph.node:
                for body in subgraphs(node):
                    collect(body)

        collect(inferred(self._model))
        return found | {name: tuple(tensor.dims) for name, tensor in self._constants.items()}

    def bounds(self, name: str) -> ranges.Bounds:
        return self._bounds.get(name, ranges.range_of(self._types.get(name, 0)))

    def unwrapped(self, node: onnx.NodeProto) -> ranges.Bounds:
        """The range of a node's result, if its type had no limits."""
        return ranges.unwrapped(node, self._bounds, self._types)

    def kind(self, name: str) -> str:
        """As onnx.TensorProto.DataType names it; "UNDEFINED" where it is not known."""
        import onnx

        return str(onnx.TensorProto.DataType.Name(self._types.get(name, 0)))

    def is_integer(self, name: str) -> bool:
        return self.kind(name).removeprefix("U").startswith("INT")

    def shape(self, name: str) -> Shape | None:
        return self._shapes.get(name)

    def constant(self, name: str) -> Array | None:
        """Values of a constant; None for what is computed, and for values in another file."""
        import onnx

        tensor = self._constants.get(name)
        if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL:
            return None
        return onnx.numpy_helper.to_array(tensor)

    def constants(self, names: Sequence[str]) -> list[Array] | None:
        found = [self.constant(name) for name in names]
        known = [value for value in found if value is not None]
        return known if len(known) == len(found) else None
