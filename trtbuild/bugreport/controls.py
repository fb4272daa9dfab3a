"""Near misses: graphs that differ from the failing one in one thing and build, which shows what the fault needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtbuild.reducing.dims import valid
from trtbuild.reducing.weights import structural

if TYPE_CHECKING:
    import onnx

MOST = 24  # variants that TensorRT is asked about
_WORDS = {  # other values that an attribute may have
    "coordinate_transformation_mode": ("half_pixel", "asymmetric", "align_corners"),
    "mode": ("linear", "nearest", "cubic", "constant", "reflect", "edge", "bilinear"),
    "nearest_mode": ("floor", "round_prefer_floor"), "reduction": ("none", "add"), "padding_mode": ("zeros", "border"),
    "direction": ("forward",), "auto_pad": ("NOTSET", "SAME_UPPER"), "equation": (),
}  # fmt: skip

Setting = float | str | bytes | Sequence[int]  # values of an attribute


@dataclass(frozen=True)
class Control:
    """``how``: what is different about it, in words."""

    how: str
    model: onnx.ModelProto


def variants(model: onnx.ModelProto) -> Iterator[Control]:
    """Valid graphs, each with one change: one node fewer, or an attribute with its default or another value."""
    yield Control("Relu alone: the installation works", _relu())
    yield from _fewer(model)
    yield from _other_types(model)
    for place, (op, attributes) in enumerate(_attributes(model)):
        for name, values in attributes:
            for value in (None, *values):
                changed = _changed(model, place, name, value)
                if changed is not None:
                    how = f"{op} without {name}" if value is None else f"{op} with {name} = {value}"
                    yield Control(how, changed)


def passing(model: onnx.ModelProto, passes: Callable[[onnx.ModelProto], bool]) -> tuple[list[Control], int]:
    """Those that pass, and how many were tried; the failing graph itself is not among them."""
    found, tried, seen = [], 0, {model.SerializeToString()}
    for control in variants(model):
        content = control.model.SerializeToString()
        if content in seen:
            continue
        seen.add(content)
        if tried == MOST:
            break
        tried += 1
        if passes(control.model):
            found.append(control)
    return found, tried


def _relu() -> onnx.ModelProto:
    import onnx

    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in ("t0", "t1")]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["t0"], ["t1"], "n0")], "model", values[:1], values[1:]
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def _other_types(model: onnx.ModelProto) -> Iterator[Control]:
    """All tensors of one type changed to another type, if that is valid."""
    import onnx

    kinds = onnx.TensorProto
    for old, new in ((kinds.FLOAT, kinds.FLOAT16), (kinds.FLOAT, kinds.INT32), (kinds.DOUBLE, kinds.FLOAT),
                     (kinds.FLOAT16, kinds.FLOAT), (kinds.INT64, kinds.INT32), (kinds.INT32, kinds.FLOAT),
                     (kinds.INT64, kinds.FLOAT), (kinds.BOOL, kinds.FLOAT), (kinds.UINT8, kinds.FLOAT)):  # fmt: skip
        changed = _retyped(model, old, new)
        if changed is not None:
            names = [kinds.DataType.Name(kind).lower() for kind in (old, new)]
            yield Control(f"{names[1]} in place of {names[0]}", changed)


def _retyped(model: onnx.ModelProto, old: int, new: int) -> onnx.ModelProto | None:
    import onnx

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    found = [v for v in copy.graph.input if v.type.tensor_type.elem_type == old]
    for value in found:
        value.type.tensor_type.elem_type = new
    how = structural(copy.graph)
    for tensor in copy.graph.initializer:
        if (
            tensor.name not in how
            and tensor.data_type == old
            and old
            in (
                onnx.TensorProto.FLOAT,
                onnx.TensorProto.DOUBLE,
                onnx.TensorProto.FLOAT16,
            )
        ):
            array = onnx.numpy_helper.to_array(tensor).astype(onnx.helper.tensor_dtype_to_np_dtype(new))
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for value in copy.graph.output:
        value.type.ClearField("tensor_type")
    return valid(copy) if found else None


def _fewer(model: onnx.ModelProto) -> Iterator[Control]:
    from trtbuild.graphs.reduction import extract, tensor_values

    nodes = list(model.graph.node)
    values = tensor_values(model) if len(nodes) > 1 else {}
    for node in nodes if len(nodes) > 1 else ():
        piece = extract(model, {other.name for other in nodes if other is not node}, values)
        if piece is not None:
            yield Control(f"without {node.op_type} ({node.name})", piece)


def _attributes(model: onnx.ModelProto) -> Iterator[tuple[str, list[tuple[str, tuple[Setting, ...]]]]]:
    """For every node, also in bodies: its operation, and other values of its attributes."""
    from trtbuild.graphs.graph import all_nodes

    for node in all_nodes(model.graph):
        yield node.op_type, [(a.name, _others(a)) for a in node.attribute if not (a.HasField("g") or a.HasField("t"))]


def _others(attribute: onnx.AttributeProto) -> tuple[Setting, ...]:
    import onnx

    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return tuple(word for word in _WORDS.get(attribute.name, ()) if word != value.decode("utf-8", "replace"))
    if isinstance(value, int):
        return tuple(other for other in (0, 1) if other != value)
    if isinstance(value, list) and value and all(isinstance(part, int) for part in value):
        return tuple([other] * len(value) for other in (0, 1) if [other] * len(value) != value)
    return ()


def _changed(model: onnx.ModelProto, place: int, name: str, value: Setting | None) -> onnx.ModelProto | None:
    import onnx

    from trtbuild.graphs.graph import all_nodes

    copy = onnx.ModelProto.FromString(model.SerializeToString())
    node = list(all_nodes(copy.graph))[place]
    attribute = next(a for a in node.attribute if a.name == name)
    if value is None:
        node.attribute.remove(attribute)
    else:
        attribute.CopyFrom(onnx.helper.make_attribute(name, value))
    for output in copy.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")
    del copy.graph.value_info[:]
    return valid(copy)
