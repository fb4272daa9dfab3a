"""float32 -> the floating-point type of each node, with casts only where the type changes.

Two neighbours that both stay in float32 exchange float32, a constant that is used in several types exists in each, and
pure shape arithmetic is left alone: the points where generic converters silently lose precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.core.spec import Form
from trtbuild.core.spec.precision import FloatType
from trtbuild.graphs.graph import drop_unused_initialisers, element_types, opset_of, shape_arithmetic, subgraphs

if TYPE_CHECKING:
    import onnx

    Retyped = Callable[[str, int], str]  # tensor and element type -> the tensor that has it

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.graphs.placement import Placement

SUFFIX: Mapping[FloatType, str] = {"float16": "fp16", "bfloat16": "bf16", "float32": "fp32"}
# Index and quantisation arithmetic: exact in float32, meaningless or unsupported in half.
ALWAYS_FLOAT = frozenset({"Range", "NonMaxSuppression", "RoiAlign"})
_PAIR = ("QuantizeLinear", "DequantizeLinear")
HALF_SCALES = 19  # the opset from which the scales of these can be float16 or bfloat16
LARGEST_BFLOAT16 = (2 - 2**-7) * 2.0**127
DYNAMIC = "TRT_FP4DynamicQuantize"  # TensorRT's own operation (graphs/blocks.py)
_DTYPE_ATTRIBUTE = ("EyeLike", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli")


@dataclass
class Casts:
    """Constants beyond their type's range, by name and largest magnitude, and nodes that stay in float32 all the same.

    Those are excluded, or compute with indices or shapes.
    """

    clamped: dict[str, float] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)


def cast_graph(
    model: onnx.ModelProto, placement: Placement, dequantised: Mapping[str, FloatType] | None = None
) -> Casts:
    """Rewrite ``model`` (float32) in place so that each node computes in its type.

    Graph inputs and outputs keep their types.

    Args:
        dequantised: DequantizeLinear nodes and what reshapes their results, by name, with the type that they give.
    """
    caster = _Caster(model, placement, dequantised or {})
    caster.graph(model.graph, {}, outer=None, kept=False)
    return caster.done


class _Caster:
    def __init__(self, model: onnx.ModelProto, placement: Placement, dequantised: Mapping[str, FloatType]) -> None:
        import onnx

        self.onnx = onnx
        self.float: int = onnx.TensorProto.FLOAT
        self.kinds: Mapping[FloatType, int] = {
            "float32": self.float, "float16": onnx.TensorProto.FLOAT16, "bfloat16": onnx.TensorProto.BFLOAT16,
        }  # fmt: skip
        self.suffix = {kind: SUFFIX[name] for name, kind in self.kinds.items()}
        self.types = element_types(model)
        self.opset = opset_of(model)
        self.placement, self.dequantised = placement, dequantised
        self.done = Casts()
        self.names: set[str] = set(self.types)

    def graph(self, graph: onnx.GraphProto, captured: dict[str, int], *, outer: Form | None, kept: bool) -> None:
        """Cast one graph.

        Args:
            captured: the types that tensors from outside now have.
            outer: what the node that the graph belongs to computes in; None for the whole graph.
            kept: that node stays in float32 with all that is in it.
        """
        now = dict(captured)  # float tensor -> the type it has in the new graph
        border = self.float if outer is None or kept else self.kinds[outer.float_type]
        constants = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == self.float}
        shapes = shape_arithmetic(graph)
        nodes: list[onnx.NodeProto] = []
        made: dict[tuple[str, int], str] = {}

        def as_type(name: str, want: int) -> str:
            have = now.get(name, self.float)
            if have == want:
                return name
            if (name, want) not in made:
                new = self._fresh(f"{name}_{self.suffix[want]}")
                if name in constants:
                    graph.initializer.append(self._constant(constants[name], new, want))
                else:
                    nodes.append(
                        self.onnx.helper.make_node("Cast", [name], [new], name=self._fresh(f"{new}/Cast"), to=want)
                    )
                made[name, want] = new
            return made[name, want]

        for value in graph.input:
            if self.types.get(value.name) == self.float:
                value.type.tensor_type.elem_type = border
                now[value.name] = border
        for original in list(graph.node):
            node = self.onnx.NodeProto.FromString(original.SerializeToString())
            form = self.placement.of(node, outer)
            stays = kept or self.placement.excludes(node) or self._exact(node, shapes)
            if stays and not kept and self._in_spite(node, form):
                self.done.kept.append(node.name)
            low = self.float if stays else self.kinds[self.dequantised.get(node.name, form.float_type)]
            if not stays and node.op_type in _PAIR:
                self._pair(node, as_type, now, low)
            else:
                self._node(node, as_type, now, form, low, stays)
            nodes.append(node)
        self._outputs(graph, nodes, as_type, now, border)
        del graph.node[:]
        graph.node.extend(nodes)
        drop_unused_initialisers(graph)

    def _in_spite(self, node: onnx.NodeProto, form: Form) -> bool:
        """Whether a node that stays in float32 would compute in another type by its precision."""
        floats = any(self.types.get(name) == self.float for name in (*node.input, *node.output))
        return floats and (self.placement.excludes(node) or form.float_type != "float32")

    def _exact(self, node: onnx.NodeProto, shapes: set[str]) -> bool:
        if node.name in self.dequantised:
            return False
        if node.op_type in _PAIR:
            return self.opset < HALF_SCALES
        return node.op_type in ALWAYS_FLOAT or any(name in shapes for name in node.output if name)

    def _pair(self, node: onnx.NodeProto, as_type: Retyped, now: dict[str, int], low: int) -> None:
        """A scale has the type of its floating-point side: what is quantised, or what dequantised values become."""
        if node.op_type == "QuantizeLinear":
            node.input[1] = as_type(node.input[1], now.get(node.input[0], self.float))
        elif self.types.get(node.output[0]) == self.float:
            node.input[1] = as_type(node.input[1], low)
            now[node.output[0]] = low

    def _node(
        self, node: onnx.NodeProto, as_type: Retyped, now: dict[str, int], form: Form, low: int, stays: bool
    ) -> None:
        inner = subgraphs(node)
        chosen: dict[str, int] = {}  # the op's type variable -> type
        for slot, name in enumerate(node.input):
            if self.types.get(name) == self.float:
                free = inner or (node.op_type == DYNAMIC and not slot)
                variable, allowed = (None, True) if free else self._formal(node, slot, "inputs")
                want = low if allowed else self.float
                node.input[slot] = as_type(name, want)
                if variable is not None:
                    chosen[variable] = want
        for body in inner:
            self.graph(body, now, outer=form, kept=stays)
        source_typed = low != self.float and self._set_dtype(node, low)
        for slot, name in enumerate(node.output):
            if name and self.types.get(name) == self.float:
                if inner or source_typed:
                    now[name] = low
                else:
                    variable, _ = self._formal(node, slot, "outputs")
                    now[name] = chosen.get(variable or "", self.float)

    def _formal(self, node: onnx.NodeProto, slot: int, side: str) -> tuple[str | None, bool]:
        """The type variable of a slot, and whether the op takes half precision there (by ONNX's own schema)."""
        try:
            schema = self.onnx.defs.get_schema(node.op_type, self.opset, node.domain)
        except self.onnx.defs.SchemaError:
            return None, False
        formals = getattr(schema, side)
        variable = formals[min(slot, len(formals) - 1)].type_str
        for constraint in schema.type_constraints:
            if constraint.type_param_str == variable:
                # float16 stands for both: ONNX allows bfloat16 only from opset 22 on, TensorRT in every opset.
                return variable, "tensor(float16)" in constraint.allowed_type_strs
        return variable, False

    def _set_dtype(self, node: onnx.NodeProto, low: int) -> bool:
        """Retype ops whose output type is an attribute; True when this is one of them."""
        if node.op_type == "Cast":
            for attribute in node.attribute:
                if attribute.name == "to" and attribute.i == self.float:
                    attribute.i = low
                    return True
            return False
        if node.op_type in ("ConstantOfShape", "Constant"):
            tensor = next((a.t for a in node.attribute if a.name == "value"), None)
            if tensor is None and node.op_type == "ConstantOfShape":
                zero = self.onnx.helper.make_tensor("value", self.float, [1], [0.0])
                node.attribute.append(self.onnx.helper.make_attribute("value", zero))
                tensor = node.attribute[-1].t
            if tensor is not None and tensor.data_type == self.float:
                tensor.CopyFrom(self._constant(tensor, tensor.name, low))
                return True
            return False
        if node.op_type in _DTYPE_ATTRIBUTE:
            kept = [a for a in node.attribute if a.name != "dtype"]
            del node.attribute[:]
            node.attribute.extend([*kept, self.onnx.helper.make_attribute("dtype", low)])
            return True
        return False

    def _constant(self, tensor: onnx.TensorProto, name: str, want: int) -> onnx.TensorProto:
        array = self.onnx.numpy_helper.to_array(tensor)
        return self.onnx.numpy_helper.from_array(self._narrow(array, tensor.name or name, want), name)

    def _narrow(self, array: Array, name: str, want: int) -> Array:
        """Round to nearest even; finite values beyond the range become its largest, and are reported."""
        dtype = self.onnx.helper.tensor_dtype_to_np_dtype(want)
        largest = float(np.finfo(np.float16).max) if want == self.onnx.TensorProto.FLOAT16 else LARGEST_BFLOAT16
        finite = np.isfinite(array)
        top = float(np.abs(array[finite]).max(initial=0.0))
        if top > largest:
            self.done.clamped[name] = top
            array = np.where(finite, np.clip(array, -largest, largest), array)
        return np.asarray(array.astype(dtype))

    def _outputs(
        self,
        graph: onnx.GraphProto,
        nodes: list[onnx.NodeProto],
        as_type: Retyped,
        now: dict[str, int],
        want: int,
    ) -> None:
        for value in graph.output:
            name = value.name
            if self.types.get(name) != self.float:
                continue
            value.type.tensor_type.elem_type = want
            if now.get(name, self.float) == want:
                continue
            if not any(name in node.output for node in nodes):  # a constant
                value.name = as_type(name, want)
                continue
            # The output keeps its name, which is a contract: rename inside, cast at the end.
            have = now[name]
            inside = self._fresh(f"{name}_{self.suffix[have]}")
            rename(nodes, name, inside)
            nodes.append(
                self.onnx.helper.make_node("Cast", [inside], [name], name=self._fresh(f"{name}/Cast"), to=want)
            )

    def _fresh(self, name: str) -> str:
        chosen, count = name, 2
        while chosen in self.names:
            chosen, count = f"{name}_{count}", count + 1
        self.names.add(chosen)
        return chosen


def rename(nodes: Iterable[onnx.NodeProto], old: str, new: str) -> None:
    """Rename a tensor wherever nodes, and bodies that capture it, make or read it."""
    for node in nodes:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
        for body in subgraphs(node):
            rename(body.node, old, new)
            for value in body.output:
                if value.name == old:
                    value.name = new
