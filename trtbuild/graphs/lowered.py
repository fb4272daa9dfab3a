"""A lowering written into a float32 graph: Q/DQ pairs, then casts, in the opset that its types need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trtbuild.base.errors import LowerError, first_line
from trtbuild.core.spec import Form
from trtbuild.graphs import blocks, onescale, qdq, residuals, trainedint8, trainedrounding
from trtbuild.graphs.cast import HALF_SCALES, Casts, cast_graph
from trtbuild.graphs.graph import SMALL_BYTES, all_graphs, all_nodes, element_types, opset_of
from trtbuild.graphs.qdq import Quantisation
from trtbuild.graphs.residuals import Shortcut
from trtbuild.graphs.trained import OPERATIONS
from trtbuild.graphs.trainedrounding import RoundedScales

if TYPE_CHECKING:
    import onnx

    from trtbuild.graphs.placement import Placement


OPSETS: dict[str, int] = {"float8": 19, "int4": 21, "float4": 23}  # from which Q/DQ have the type
_IR_VERSIONS = {"float8": 9, "int4": 10, "float4": 11}


@dataclass(frozen=True)
class LoweredGraph:
    """What was written: scales, casts, and the ranges that were there before.

    ``by_channel``: convolutions whose weights keep scales by channel, and why; ``rounded``: trained scales that are
    not what they were.
    """

    quantisation: Quantisation
    casts: Casts
    trained: Quantisation
    by_channel: dict[str, str]
    rounded: RoundedScales | None


def prepare(model: onnx.ModelProto, placement: Placement) -> None:
    """Raise the opset of ``model`` to what its types will need; node names stay.

    Raises:
        LowerError: onnx cannot convert it.
    """
    forms = placement.lowering.forms
    needed: dict[str, int] = {form.kind: OPSETS[form.kind] for form in forms if form.kind in OPSETS}
    pairs = placement.lowering.quantised or any(n.op_type == "QuantizeLinear" for n in all_nodes(model.graph))
    if pairs and placement.casts:
        needed["half-precision scales"] = HALF_SCALES
    for why, opset in needed.items():
        if opset_of(model) < opset:
            _raise_opset(model, opset, why)
    model.ir_version = max([model.ir_version, *(_IR_VERSIONS[form.kind] for form in forms if form.kind in OPSETS)])
    if any(form.activations for form in forms):
        model.opset_import.add(domain=blocks.DOMAIN, version=1)


def quantised_nodes(model: onnx.ModelProto, placement: Placement) -> tuple[list[onnx.NodeProto], dict[str, str]]:
    """Nodes to quantise, and why others of the wanted types are not.

    Raises:
        LowerError: a quantised precision, or a scope of one, has nothing to quantise: it would be that only by name.
    """
    lowering = placement.lowering
    if not lowering.quantised:
        return [], {}
    nodes, kept = qdq.candidates(model.graph, element_types(model), placement)
    if trainedint8.is_trained(model):
        if other := next((form for form in lowering.forms if form.quantised and form.kind != "int8"), None):
            what = f"the source was trained for int8, so it is not quantised as {other.kind}"
            raise LowerError(what, where="lower", hint="choose precision=int8")
        for body in all_graphs(model.graph):
            if body is not model.graph:  # int8 in loops and branches: where training has put it
                more, why = qdq.candidates(body, element_types(model), placement)
                nodes, kept = [*nodes, *more], {**kept, **why}
        released = {n.name for n in all_nodes(model.graph) if n.op_type in OPERATIONS and not placement.of(n).quantised}
        calibrate = lowering.qat is not None and lowering.qat.calibrates
        return trainedint8.settle(model, nodes, kept, released, calibrate=calibrate)
    used = {placement.scope_of(node) for node in nodes}
    forms: list[tuple[str | None, Form]] = [(None, lowering.base), *lowering.scopes.items()]
    for scope, form in forms:
        if form.quantised and scope not in used:
            ops, where = ", ".join(form.quantize_ops), "the graph" if scope is None else f"scope '{scope}'"
            what = f"nothing to quantise: {where} has no {ops} that can be quantised outside loops and exclusions"
            what += f" (first: {', '.join(next(iter(kept.items())))})" if kept else ""
            hint = f"{form.kind} would be {form.float_type} under another name; use fp16 or bf16"
            raise LowerError(what, where="lower", hint=hint)
    return nodes, kept


def activations(model: onnx.ModelProto, placement: Placement, nodes: list[onnx.NodeProto]) -> list[str]:
    """Tensors whose range has to be measured: those that ``nodes`` read, in graph order, then shortcuts of sums."""
    names = [one.name for one in shortcuts(model, placement, nodes)]
    return list(dict.fromkeys([*qdq.activations(nodes, model.graph, placement), *names]))


def shortcuts(model: onnx.ModelProto, placement: Placement, nodes: list[onnx.NodeProto]) -> list[Shortcut]:
    chosen = {node.name for node in nodes if placement.of(node).quantize_residual_adds}
    sums = {n.name for n in model.graph.node if n.op_type == "Add" and placement.of(n).quantize_residual_adds}
    return [one for one in residuals.shortcuts(model, chosen) if one.node in sums] if chosen else []


def write(
    model: onnx.ModelProto, placement: Placement, nodes: list[onnx.NodeProto], ranges: Mapping[str, float]
) -> LoweredGraph:
    """Rewrite ``model`` in place; ``ranges``: of the activations of ``nodes``, which are quantised."""
    trained, quantisation, by_channel = trainedint8.ranges(model), Quantisation(), dict[str, str]()
    scales = trainedrounding.scales(model)
    if nodes:
        quantisation = qdq.insert(model, nodes, ranges, shortcuts(model, placement, nodes), placement)
    forms = {node.name: placement.of(node) for node in model.graph.node if node.op_type == "Conv"}
    for kind in dict.fromkeys(form.rest for form in forms.values() if form.one_scale):
        shared = onescale.share(model, {n for n, form in forms.items() if form.one_scale and form.rest == kind})
        by_channel |= shared.by_channel
        quantisation.dequantised |= dict.fromkeys(shared.dequantised, kind)
    casts = cast_graph(model, placement, quantisation.dequantised) if placement.casts else Casts()
    del model.graph.value_info[:]  # types of what has others now
    rounded = trainedrounding.compare(scales, trainedrounding.scales(model))
    return LoweredGraph(quantisation, casts, trained, by_channel, rounded)


def _raise_opset(model: onnx.ModelProto, opset: int, why: str) -> None:
    """In place; large constants do not pass through the converter, which copies everything several times."""
    import onnx.version_converter

    graph = model.graph
    every = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in graph.initializer]
    kept = {tensor.name: tensor for tensor in every if len(tensor.raw_data) > SMALL_BYTES}
    declared = {value.name for value in graph.input}
    del graph.initializer[:]
    graph.initializer.extend(tensor for tensor in every if tensor.name not in kept)
    for tensor in kept.values():
        if tensor.name not in declared:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    try:
        model.CopyFrom(onnx.version_converter.convert_version(model, opset))
    except Exception as error:  # the converter's C++ errors come as RuntimeError or its own ConvertError
        what = f"{why} need opset {opset}, to which onnx cannot convert the graph: {first_line(error)}"
        raise LowerError(what, where="lower", hint="choose rest: float32, or export in that opset") from error
    graph = model.graph
    inputs = [value for value in graph.input if value.name in kept and value.name not in declared]
    for value in inputs:
        graph.input.remove(value)
    graph.initializer.extend(kept.values())
    del graph.value_info[:]  # types that are not to stay
