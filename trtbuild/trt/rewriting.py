"""What the importer wrote into the network between the graph's nodes, where that computes something else.

The graph's own casts have its nodes in their metadata; those that the importer adds have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from trtbuild.core.complaint import Complaint
from trtbuild.graphs.bounds import Bounds
from trtbuild.graphs.facts import Facts
from trtbuild.graphs.graph import all_nodes
from trtbuild.trt.network import dtype_name, onnx_node

if TYPE_CHECKING:
    from types import ModuleType

    import onnx
    import tensorrt_rtx as trt

_EXACT: Mapping[tuple[str, str], float] = {  # the largest integer up to which all survive
    ("int64", "int32"): 2.0**31 - 1, ("int64", "float32"): 2.0**24, ("int32", "float32"): 2.0**24,
    ("int64", "float16"): 2.0**11, ("int32", "float16"): 2.0**11, ("int64", "bfloat16"): 2.0**8,
    ("int32", "bfloat16"): 2.0**8, ("float32", "float16"): 0.0, ("float32", "bfloat16"): 0.0,
    ("float32", "int32"): 0.0, ("float32", "int64"): 0.0,
}  # fmt: skip
# The importer limits the number of boxes to int32 before it casts it, and rounds the length of a Range.
_ROUNDED = ("NonMaxSuppression", "Range")
_LARGEST_ERROR = 0.001  # of a constant: half a unit in the last place of float16


def doubtful(trt: ModuleType, network: trt.INetworkDefinition, model: onnx.ModelProto) -> tuple[Complaint, ...]:
    """Nodes between which the importer's own casts may lose digits; a plain exponential that may overflow."""
    layers = [network.get_layer(i) for i in range(network.num_layers)]
    kinds = {node.name: node.op_type for node in all_nodes(model.graph)}
    found: dict[str, str] = {}
    casts = [layer for layer in layers if layer.type == trt.LayerType.CAST and not layer.metadata]
    if casts:
        facts, wiring = Facts(model), _Wiring(trt, layers)
        for layer in casts:
            owner = wiring.owner(layer)
            if owner and kinds.get(owner) not in _ROUNDED and (words := _lost(layer, wiring, facts)):
                found.setdefault(owner, words)
    for name in _plain_exponentials(trt, layers, kinds):
        found.setdefault(name, "TensorRT computes log(sum(exp(x))) as it stands: above 88 the result is infinite")
    return tuple(Complaint(name, kinds.get(name, ""), "misread", words) for name, words in found.items())


class _Wiring:
    """Who makes and who reads each tensor."""

    def __init__(self, module: ModuleType, layers: Iterable[trt.ILayer]) -> None:
        self.trt = module
        self.makers: dict[str, trt.ILayer] = {}
        self.readers: dict[str, list[trt.ILayer]] = {}
        for layer in layers:
            for i in range(layer.num_outputs):
                self.makers[layer.get_output(i).name] = layer
            for i in range(layer.num_inputs):
                if (tensor := layer.get_input(i)) is not None:
                    self.readers.setdefault(tensor.name, []).append(layer)

    def owner(self, layer: trt.ILayer) -> str:
        """The graph's node that a layer was added for: the first behind it; "" where its values only are indices."""
        waiting, seen = [layer], {layer.name}
        while waiting:
            made = waiting.pop(0)
            tensors = [made.get_output(i).name for i in range(made.num_outputs)]
            for reader in (reader for name in tensors for reader in self.readers.get(name, ())):
                if reader.type in (self.trt.LayerType.GATHER, self.trt.LayerType.SLICE):
                    return ""  # positions within a dimension, which has 31 bits
                if reader.metadata:
                    return onnx_node(reader)
                if reader.name not in seen:
                    seen.add(reader.name)
                    waiting.append(reader)
        return ""

    def source(self, tensor: trt.ITensor) -> trt.ILayer | None:
        """The layer that makes a tensor's values; what only shapes them is skipped."""
        kinds = self.trt.LayerType
        names = ("SHUFFLE", "IDENTITY", "CAST", "SQUEEZE", "UNSQUEEZE")
        skipped = [getattr(kinds, name) for name in names if hasattr(kinds, name)]
        maker = self.makers.get(tensor.name)
        while maker is not None and maker.type in skipped and not maker.metadata:
            maker = self.makers.get(maker.get_input(0).name)
        return maker


def _lost(layer: trt.ILayer, wiring: _Wiring, facts: Facts) -> str:
    source, target = dtype_name(layer.get_input(0).dtype), dtype_name(layer.get_output(0).dtype)
    exact = _EXACT.get((source, target))
    if exact is None:
        return ""
    maker = wiring.source(layer.get_input(0))
    if maker is not None and maker.type == wiring.trt.LayerType.SHAPE:
        return ""
    if maker is not None and maker.type == wiring.trt.LayerType.CONSTANT:
        if _survives(maker, target, wiring.trt):
            return ""
    elif exact and _within(facts.bounds(layer.get_input(0).name), exact):
        return ""
    return f"{source} is computed in {target}: {_MEANING[target]}"


_MEANING = {
    "int32": "values beyond 2^31 change", "int64": "fractions are cut off", "float32": "values beyond 2^24 lose digits",
    "float16": "values lose digits, and small ones become 0", "bfloat16": "values lose digits",
}  # fmt: skip


def _within(bounds: Bounds, exact: float) -> bool:
    return -exact - 1 <= bounds[0] and bounds[1] <= exact


def _survives(maker: trt.ILayer, target: str, trt: ModuleType) -> bool:
    """Whether a constant keeps its values."""
    import ml_dtypes
    import numpy as np

    maker.__class__ = trt.IConstantLayer
    values = np.asarray(maker.weights).astype(np.float64)
    kind = ml_dtypes.bfloat16 if target == "bfloat16" else np.dtype(target)
    with np.errstate(all="ignore"):
        kept = values.astype(kind).astype(np.float64)
        return bool(np.all(np.abs(kept - values) <= _LARGEST_ERROR * np.abs(values)))


def _plain_exponentials(trt: ModuleType, layers: Iterable[trt.ILayer], kinds: Mapping[str, str]) -> list[str]:
    """ReduceLogSumExp without subtracting the maximum: RTX up to 1.6."""
    wanted = {name for name, kind in kinds.items() if kind == "ReduceLogSumExp"}
    if not wanted:
        return []
    reduced: dict[str, int] = {}
    for layer in layers:
        if layer.type == trt.LayerType.REDUCE and (name := onnx_node(layer)) in wanted:
            reduced[name] = reduced.get(name, 0) + 1
    return [name for name, count in reduced.items() if count == 1]
