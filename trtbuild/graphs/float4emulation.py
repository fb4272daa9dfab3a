"""NVFP4 in operations that ONNX Runtime has: its CPU provider knows neither E2M1 nor TensorRT's dynamic quantisation.

Weights become the constants that their blocks stand for.  Activations are quantised by these steps, for each block of
16 along the last axis, as TensorRT documents ``TRT_FP4DynamicQuantize``:

    scale = E4M3(max|x| / 6 / whole)      x' = E2M1(x / (scale * whole))      and then x' * scale * whole

E2M1 rounds to the nearest, ties to even, and saturates at 6; a block of zeros stays zero.  NaN stays NaN, where a GPU
would make it a number, so that a build sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trtbuild.graphs.blocks import FLOAT4_BLOCK
from trtbuild.graphs.cast import DYNAMIC
from trtbuild.graphs.graph import drop_unused_initialisers, producers
from trtbuild.graphs.lowtypes import FLOAT4_LARGEST

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array


def rewrite(model: onnx.ModelProto) -> dict[str, int]:
    """Rewrite ``model`` in place; returns the element types of results that inference could not find."""
    return _Rewriting(model).done()


class _Rewriting:
    def __init__(self, model: onnx.ModelProto) -> None:
        import onnx

        self._onnx, self._graph = onnx, model.graph
        self._made = producers(model.graph)
        self._constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self._types: dict[str, int] = {}
        self._dynamic: dict[str, str] = {}  # quantised activation -> what it was made of

    def done(self) -> dict[str, int]:
        nodes: list[onnx.NodeProto] = []
        for original in self._graph.node:
            node = self._onnx.NodeProto.FromString(original.SerializeToString())
            if node.op_type == DYNAMIC:
                nodes += self._quantised(node)
            elif node.op_type == "DequantizeLinear" and node.input[0] in self._dynamic:
                nodes += self._dequantised(node)
            elif node.op_type == "DequantizeLinear" and self._is_float4(node.input[0]):
                self._constant(node.output[0], self._value(node.output[0]))
            else:
                nodes.append(node)
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        drop_unused_initialisers(self._graph)
        return self._types

    def _is_float4(self, name: str) -> bool:
        tensor = self._constants.get(name)
        return tensor is not None and tensor.data_type == self._onnx.TensorProto.FLOAT4E2M1

    def _value(self, name: str) -> Array:
        """The value of a tensor that constants alone decide, in its own type."""
        if name in self._constants:
            return self._onnx.numpy_helper.to_array(self._constants[name])
        node = self._made[name]
        if node.op_type == "Cast":
            to = next(a.i for a in node.attribute if a.name == "to")
            return self._value(node.input[0]).astype(self._onnx.helper.tensor_dtype_to_np_dtype(to))
        assert node.op_type == "DequantizeLinear", f"{name} is not made of constants"
        stored, scale = self._value(node.input[0]), self._value(node.input[1])
        options = {a.name: a.i for a in node.attribute}
        spread = scale.astype(np.float32)
        if options.get("block_size"):
            spread = np.repeat(spread, options["block_size"], axis=options.get("axis", 1))
        return (stored.astype(np.float32) * spread).astype(scale.dtype)

    def _quantised(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Blocks as rows: the scale of each, and its values in E2M1 as float32."""
        source, whole, (values, scales) = node.input[0], node.input[1], node.output
        self._dynamic[values] = source
        low, high = self._number(-FLOAT4_LARGEST), self._number(FLOAT4_LARGEST)
        half, one, two, four, zero = (self._number(n) for n in (0.5, 1.0, 2.0, 4.0, 0.0))
        rows = self._integers(f"{values}//rows", [-1, FLOAT4_BLOCK])
        t = f"{values}//".__add__
        make = self._onnx.helper.make_node
        return [
            make("Cast", [source], [t("float")], to=self._onnx.TensorProto.FLOAT),
            make("Reshape", [t("float"), rows], [t("blocks")]),
            make("Abs", [t("blocks")], [t("sizes")]),
            make("ReduceMax", [t("sizes"), self._integers(f"{values}//axes", [1])], [t("largest")], keepdims=1),
            make("Div", [t("largest"), high], [t("sixth")]),
            make("Div", [t("sixth"), whole], [t("scale")]),
            make("Cast", [t("scale")], [scales], to=self._onnx.TensorProto.FLOAT8E4M3FN, saturate=1),
            make("Cast", [scales], [t("scale8")], to=self._onnx.TensorProto.FLOAT),
            make("Mul", [t("scale8"), whole], [t("step")]),
            make("Equal", [t("step"), zero], [t("empty")]),
            make("Where", [t("empty"), one, t("step")], [t("divisor")]),
            make("Div", [t("blocks"), t("divisor")], [t("ratio")]),
            make("Clip", [t("ratio"), low, high], [t("clipped")]),
            make("Abs", [t("clipped")], [t("size")]),
            make("Less", [t("size"), two], [t("small")]),
            make("Less", [t("size"), four], [t("medium")]),
            make("Where", [t("medium"), one, two], [t("coarse")]),
            make("Where", [t("small"), half, t("coarse")], [t("unit")]),
            make("Div", [t("clipped"), t("unit")], [t("units")]),
            make("Round", [t("units")], [t("whole")]),
            make("Mul", [t("whole"), t("unit")], [t("near")]),
            make("Where", [t("empty"), zero, t("near")], [values]),
        ]

    def _dequantised(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Products of values and scales, in the shape of what was quantised."""
        values, scale, out = node.input[0], node.input[1], node.output[0]
        cast = self._made[scale]
        low = [attribute.i for attribute in cast.attribute if cast.op_type == "Cast"]
        self._types[out] = low[0] if low else self._onnx.TensorProto.FLOAT
        make = self._onnx.helper.make_node
        return [
            make("Mul", [values, scale], [f"{out}//rows"]),
            make("Shape", [self._dynamic[values]], [f"{out}//shape"]),
            make("Reshape", [f"{out}//rows", f"{out}//shape"], [out], name=node.name),
        ]

    def _constant(self, name: str, array: Array) -> str:
        self._graph.initializer.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _number(self, value: float) -> str:
        name = f"//float4/{value}"
        if name not in self._constants:
            scalar = self._onnx.helper.make_tensor(name, self._onnx.TensorProto.FLOAT, [], [value])
            self._graph.initializer.append(scalar)
            self._constants[name] = scalar
        return name

    def _integers(self, name: str, values: list[int]) -> str:
        return self._constant(name, np.array(values, np.int64))
