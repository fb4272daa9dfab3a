"""What differs between versions of TensorRT in the record of a layer: its words for types, layouts and kinds.

RTX 1.4 and TensorRT 10.16 write ``Format/Datatype: Half``, older TensorRT ``Channel major FP16 format where channel %
8 == 0``, RTX 1.5 and later ``Datatype`` and ``Format`` separately.  RTX lists constants since 1.5; TensorRT instead has
``Weights: {"Type", "Count"}`` for convolutions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from trtbuild.engine.values import Kind

_TYPES: Mapping[str, str] = {
    "FP32": "float32", "Float": "float32", "FLOAT": "float32", "FP16": "float16", "Half": "float16", "HALF": "float16",
    "BF16": "bfloat16", "BFloat16": "bfloat16", "Int8": "int8", "INT8": "int8", "UInt8": "uint8", "UINT8": "uint8",
    "Int32": "int32", "INT32": "int32", "Int64": "int64", "INT64": "int64", "Bool": "bool", "BOOL": "bool",
    "FP8": "float8", "FP8E4M3": "float8", "E4M3": "float8", "Int4": "int4", "INT4": "int4", "FP4": "float4",
    "FP4E2M1": "float4", "E2M1": "float4",
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z]\w*")

# TensorRT's layer types; generated layers name their operations, which decide their kind: see ``_generated``.
_KINDS: Mapping[Kind, tuple[str, ...]] = {
    "convolution": (
        "correlation", "CaskConvolution", "CublasConvolution", "CudnnConvolution", "FusedConvActConvolution",
        "FusedConvActDirect", "CudaDepthwiseConvolution", "CudaGroupConvolution", "CaskDepthwiseConvolution",
        "Convolution", "CaskJitConv", "CaskConvActPool", "CaskFlattenConvolution", "CaskDeconvolution",
        "CaskDeconvolutionV2", "CudnnDeconvolution", "GemmDeconvolution", "CudaDepthwiseDeconvolution", "Deconvolution",
        "deconv",
    ),
    "product": (
        "gemm", "MatrixMultiply", "CaskGemmMatrixMultiply", "CublasMatrixMultiply", "CublasLtMatrixMultiply",
        "CaskFullyConnected", "FullyConnected", "CublasFullyConnected", "CaskGemmConvolution", "fc", "bmm", "fmha",
        "fmha_v2", "MultiHeadAttention", "RNN", "RNNv2", "Einsum",
    ),
    "pooling": (
        "maxpool", "avgpool", "CaskPooling", "TiledPooling", "CudaPooling", "CudnnPooling", "Pooling", "PoolingTiled",
    ),
    "pointwise": (
        "kgen", "PointWise", "PointWiseV2", "ElementWise", "ElementWiseBinary", "Unary", "Activation", "Scale", "LRN",
        "ParametricReLU", "Select", "Normalization", "InstanceNormalization",
        "add", "sub", "mul", "div", "min", "max", "pow", "less", "greater", "equal", "and", "or", "xor", "not",
        "select",
    ),
    "reformat": ("Reformat", "MyelinReformat", "Cast", "cast", "copy", "Copy", "Identity", "Quantize", "Dequantize"),
    "shuffle": (
        "Shuffle", "Slice", "Padding", "Gather", "Concatenation", "Concat", "Resize", "Scatter", "Squeeze", "Unsqueeze",
        "Fill", "memset", "reshape", "resize", "OneHot", "NonZero", "GridSample",
    ),
    "softmax": ("CudaSoftMax", "SoftMax", "SoftMaxV2", "CudnnSoftMax", "CaskSoftMaxV2", "RaggedSoftMax", "softmax"),
    "reduce": ("Reduce", "TopK", "reduce", "topk", "Cumulative", "NMS"),
    "constant": ("Constant", "constant"),
    "region": ("Myelin", "ForeignNode", "Loop", "Condition", "PluginV2", "PluginV3", "Plugin", "DLA"),
    "control": ("signal", "wait", "TrainStation", "trainStation", "EngineSync", "jmp", "cjmp"),
    "shape": ("shape_call", "ShapeHostToDevice", "DeviceToShapeHost", "ShapeHost", "HostToDevice", "Assertion"),
    "nothing": ("NoOp", "no_op"),
}  # fmt: skip
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words}
_KERNEL = re.compile(r"^__myl_(?P<ops>(?:[A-Z][a-z0-9]*)+)(?:_myl\d+_\d+|_0x[0-9a-f]+)?$")
_CONVOLVE, _MULTIPLY = {"Corr", "Conv", "Deco"}, {"Fc", "Gemm", "Bmm", "Mha", "Fmha", "Dot"}


def tensor_type(words: str) -> str:
    """The type named by TensorRT's words for types and layouts; "" where they name none or two.

    >>> tensor_type("Channel major FP16 format where channel % 8 == 0"), tensor_type("BFloat16"), tensor_type("Odd")
    ('float16', 'bfloat16', '')
    """
    found = {_TYPES[word] for word in _WORD.findall(words) if word in _TYPES}
    return found.pop() if len(found) == 1 else ""


def type_and_layout(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Type and layout from a tensor's record; the layout in TensorRT's own words, "" where it states only the type."""
    both = entry.get("Format/Datatype")
    if isinstance(both, str):
        return tensor_type(both), "" if both in _TYPES else both
    datatype, layout = entry.get("Datatype"), entry.get("Format")
    return tensor_type(datatype if isinstance(datatype, str) else ""), layout if isinstance(layout, str) else ""


def operations(name: str) -> tuple[str, ...]:
    """The operations of a generated kernel, each by the four letters in its name; () for any other layer.

    >>> operations("__myl_MulAddTanh_myl0_2"), operations("conv1 + relu1")
    (('Mul', 'Add', 'Tanh'), ())
    """
    found = _KERNEL.match(name)
    return tuple(re.findall(r"[A-Z][a-z0-9]*", found["ops"])) if found else ()


def kind(layer_type: str, name: str) -> Kind:
    """The kind of a layer; "unknown" where its type is not in the table.

    >>> kind("correlation", "Conv"), kind("runtime_fusion", "__myl_FcAddTanh_myl0_8"), kind("Odd", "x")
    ('convolution', 'product', 'unknown')
    """
    if layer_type in ("runtime_fusion", "runtime_function", "kgen"):
        done = set(operations(name))
        if done & _CONVOLVE:
            return "convolution"
        if done & _MULTIPLY:
            return "product"
        return "pointwise" if layer_type == "kgen" or done else "unknown"
    return _KIND_OF.get(layer_type, "unknown")


def multiplies_and_sums(name: str) -> bool:
    """Whether a generated kernel may be a matrix product, written as multiplication and sum (small batches)."""
    return {"Mul", "Sum"} <= set(operations(name))
