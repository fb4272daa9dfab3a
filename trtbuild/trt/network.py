"""What a parsed TensorRT network says about itself: its bindings, and the dtype that every node computes in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trtbuild.documents.engine import Binding
from trtbuild.graphs.agreement import TensorKind, together

if TYPE_CHECKING:
    from types import ModuleType

    import tensorrt_rtx as trt
    from tensorrt_rtx import ITensor

_DTYPES = {
    "FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16", "INT8": "int8", "INT32": "int32", "INT64": "int64",
    "BOOL": "bool", "UINT8": "uint8", "FP8": "float8", "FP4": "float4",
}  # fmt: skip


def dtype_name(dtype: trt.DataType) -> str:
    name = str(dtype).rpartition(".")[2]
    return _DTYPES.get(name, name.lower())


def contract(tensors: Sequence[trt.ITensor]) -> list[Binding]:
    return [{"name": t.name, "dtype": dtype_name(t.dtype), "shape": list(t.shape)} for t in tensors]


def bindings(network: trt.INetworkDefinition) -> tuple[list[Binding], list[Binding]]:
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    return contract(inputs), contract(outputs)


def tensors(network: trt.INetworkDefinition) -> dict[str, TensorKind]:
    """Type and shape of every layer's results, by name."""
    layers = (network.get_layer(i) for i in range(network.num_layers))
    results = [layer.get_output(j) for layer in layers for j in range(layer.num_outputs)]
    return {t.name: TensorKind(dtype_name(t.dtype), _shape(t)) for t in results if t is not None}


def _shape(t: trt.ITensor) -> tuple[int | None, ...] | None:
    try:
        return tuple(size if size >= 0 else None for size in t.shape)
    except ValueError:  # TensorRT's sign for a shape that cannot be: a negative rank
        return None


def compute_dtypes(trt: ModuleType, network: trt.INetworkDefinition) -> dict[str, str]:
    """The dtype in which every convolution and matrix product of the parsed network computes, by ONNX node name.

    In a strongly typed network a layer computes in its inputs' type, and in a quantised one where they come from a
    DequantizeLinear that reads it.  The node is in the layer's metadata: ``[ONNX Layer: <node>]``.
    """
    kinds = (trt.LayerType.CONVOLUTION, trt.LayerType.DECONVOLUTION, trt.LayerType.MATRIX_MULTIPLY)
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    makers = {layer.get_output(j).name: layer for layer in layers for j in range(layer.num_outputs)}

    def operand(tensor: ITensor) -> str:
        maker = makers.get(tensor.name)
        if maker is not None and maker.type == trt.LayerType.DEQUANTIZE:
            return dtype_name(maker.get_input(0).dtype)
        if maker is not None and maker.type == trt.LayerType.SHUFFLE and maker.num_inputs == 1:
            return operand(maker.get_input(0))  # the parser unsqueezes operands of a lower rank
        return dtype_name(tensor.dtype)

    found: dict[str, str] = {}
    for layer in layers:
        if layer.type in kinds:
            operands = [layer.get_input(j) for j in range(min(2, layer.num_inputs)) if layer.get_input(j) is not None]
            held = len(operands) == 1  # the layer has its weights, in the type of what it reads
            kind = together([dtype_name(t.dtype) if held else operand(t) for t in operands])
            node = onnx_node(layer)
            found[node] = kind if found.get(node, kind) == kind else "mixed"  # one node may become several layers
    return found


def onnx_node(layer: trt.ILayer) -> str:
    metadata = layer.metadata or layer.name
    start, end = "[ONNX Layer: ", "]"
    if metadata.startswith(start) and metadata.endswith(end):
        return str(metadata[len(start) : -len(end)])
    return str(metadata)
