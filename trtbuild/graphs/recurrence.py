"""Where TensorRT's importer reads a recurrent operation (RNN, GRU, LSTM) in another way than ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtbuild.graphs.facts import Facts, integer, reals, texts

if TYPE_CHECKING:
    import onnx

# Activations whose parameter ONNX Runtime takes as 0 where none is given, and TensorRT as 1 (measured).
_NEED_ALPHA = ("ThresholdedRelu", "ScaledTanh")


def refused(node: onnx.NodeProto, facts: Facts) -> str:
    if integer(node, "layout"):
        return "layout=1 puts the batch first, and TensorRT reads the sequence there"
    named = texts(node, "activations")
    if "Softplus" in named:
        return "its activation Softplus has the parameters 0 and 0 in TensorRT, and is 0 everywhere"
    missing = next((name for name in _NEED_ALPHA if name in named and not reals(node, "activation_alpha")), "")
    if missing:
        return f"its activation {missing} has no activation_alpha: ONNX Runtime takes 0, and TensorRT 1"
    return ""
