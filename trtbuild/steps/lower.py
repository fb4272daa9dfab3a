"""lower: the exported graph -> the same graph in the chosen precision, and a promise of which node computes in which.

TensorRT builds strongly typed networks only, so the precision is written into the ONNX here, once for all versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtbuild.base.errors import ConfigError, LowerError
from trtbuild.base.text import did_you_mean
from trtbuild.core.complaint import place, readers_of
from trtbuild.core.job import Job
from trtbuild.core.memory import activation_bytes
from trtbuild.core.parserwarnings import MISREAD_ADVICE, misread_words
from trtbuild.core.plan import Need
from trtbuild.core.recipes import data_inputs, data_params, input_params, tools
from trtbuild.core.spec import Override, Variant
from trtbuild.core.step import Input, Out, Step

if TYPE_CHECKING:
    import onnx

    Keep = Callable[[onnx.NodeProto], bool]

VERSION = 3
# The operations that decide an engine's speed: the promise covers these.
COMPUTE_OPS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
# These compute, too, but each becomes many layers: the promise leaves them out, and the report says so.
COMPOSITE_OPS = ("LSTM", "GRU", "RNN", "Einsum", "Attention")


def declare(variant: Variant, need: Need) -> Step:
    model, precision = variant.spec.model, variant.spec.precision
    override = model.overrides.get(variant.names.precision, Override())
    params: dict[str, Any] = {
        "precision": variant.names.precision,
        "lowering": precision.lowering,
        "exclude_scopes": list(override.exclude_scopes),
        "exclude_ops": list(override.exclude_ops),
        "tools": tools(variant, "onnx"),
    }
    export = need("export")
    inputs: dict[str, Input] = {"model": export.out("model.onnx"), "scopes": export.out("scopes.json")}
    label, work_bytes = variant.names.precision, 0
    if precision.calibrated:
        source = model.data.calibration
        if source is None:
            hint = "give a file, or {kind: random, count: 16} to try the tools"
            raise ConfigError("int8 needs calibration data", where="model.data.calibration", hint=hint)
        params |= {
            "quantize_ops": list(precision.quantize_ops),
            "calibration": {k: v for k, v in asdict(variant.spec.calibration).items() if k != "strict"},  # validate's
            "data": data_params(source),
            "inputs": input_params(model, profiles=True),
            "declared_ranges": {name: list(spec.range) for name, spec in model.inputs.items() if spec.range},
            "tools": tools(variant, "onnx", "onnxruntime", "numpy"),
        }
        inputs |= data_inputs(variant, source)
        label += f"-{variant.names.calibration}"
        work_bytes = activation_bytes(model.inputs.values(), 1)
    return Step(
        kind="lower",
        version=VERSION,
        model=variant.names.model,
        label=label,
        params=params,
        inputs=inputs,
        outs=(Out("lowered.onnx"), Out("precision.json")),
        work_bytes=work_bytes,
    )


def run(job: Job) -> None:
    import onnx

    from trtbuild.graphs import canonical
    from trtbuild.graphs.graph import all_nodes, element_types, hoist_constants

    model = onnx.load(job.input("model"))
    hoist_constants(model.graph)
    _refuse_misread(job, model)
    keep = _keeper(job, model)
    about = _LOWER[job.params["lowering"]](job, model, keep)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise LowerError(f"the lowered graph is not valid ONNX: {str(error).splitlines()[0]}", where="lower") from error
    promise = promised(model)
    about |= {
        "precision": job.params["precision"],
        "compute": promise,
        "unpromised": {n.name: n.op_type for n in all_nodes(model.graph) if n.op_type in COMPOSITE_OPS},
        "macs": multiply_accumulates(model),
        "nodes_by_dtype": dict(sorted(Counter(promise.values()).items())),
        "tensors": {name: _dtype_name(kind) for name, kind in sorted(element_types(model).items())},
    }
    canonical.strip(model)
    job.write_json("precision.json", about)
    job.output("lowered.onnx").write_bytes(canonical.to_bytes(model))


def _refuse_misread(job: Job, model: onnx.ModelProto) -> None:
    """Refuse what every TensorRT would misread, before anything is calibrated: no precision mends it."""
    from trtbuild.graphs import misreadings

    readers, entries = readers_of(model.graph.node), job.read_json("scopes")["nodes"]
    lines = [f"{c.op_type} ({place(c, entries, readers)}): {c.words}" for c in misreadings.misread(model)]
    if lines:
        raise LowerError(misread_words("TensorRT", lines), where="lower", hint=MISREAD_ADVICE, details=tuple(lines))


def _keeper(job: Job, model: onnx.ModelProto) -> Keep:
    """Which nodes the overrides keep in higher precision; a scope or op type that matches nothing is an error."""
    from trtbuild.graphs.graph import all_nodes
    from trtbuild.graphs.scopes import names_of, nodes_in_scopes

    scope_map = job.read_json("scopes")
    nodes = list(all_nodes(model.graph))
    by_scope = nodes_in_scopes(nodes, job.params["exclude_scopes"], scope_map)
    where = f"model.overrides.{job.params['precision']}"
    for scope, found in by_scope.items():
        if not found:
            known = (name for entry in scope_map["nodes"].values() for name in names_of(entry)[1::2])
            parts = {part for name in known for part in name.split("/")[:-1] if part}
            raise ConfigError(
                f"no node is in scope '{scope}'", where=f"{where}.exclude_scopes", hint=did_you_mean(scope, parts)
            )
    present = {node.op_type for node in nodes}
    for op_type in job.params["exclude_ops"]:
        if op_type not in present:
            hint = did_you_mean(op_type, present)
            raise ConfigError(f"the graph has no {op_type}", where=f"{where}.exclude_ops", hint=hint)
    names = {name for found in by_scope.values() for name in found}
    op_types = set(job.params["exclude_ops"])
    return lambda node: node.name in names or node.op_type in op_types


def _none(job: Job, model: onnx.ModelProto, keep: Keep) -> dict[str, Any]:
    """Nothing to change, but a graph that does not compute in float32 must not be labelled so."""
    from trtbuild.graphs.graph import all_nodes
    from trtbuild.graphs.rounding import low_types

    quantised = any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in all_nodes(model.graph))
    precisions = ["int8 (Q/DQ)"] if quantised else low_types(model)
    if precisions:
        own = " and ".join(precisions)
        what = f"the source model already computes in {own}, so it is not {job.params['precision']}"
        raise LowerError(what, where="lower", hint="choose that precision")
    return {}


def _cast(job: Job, model: onnx.ModelProto, keep: Keep) -> dict[str, Any]:
    from trtbuild.graphs.cast import cast_graph

    done = cast_graph(model, job.params["lowering"], keep)
    return {"kept_float32": sorted(done.kept), "clamped_constants": done.clamped}


def _int8(job: Job, model: onnx.ModelProto, keep: Keep) -> dict[str, Any]:
    from trtbuild.arrays import data
    from trtbuild.graphs import degenerate, qdq
    from trtbuild.graphs.graph import element_types, producers
    from trtbuild.runtimes import calibration

    options = job.params["calibration"]
    nodes, kept = qdq.nodes_to_quantise(model.graph, element_types(model), job.params["quantize_ops"], keep)
    path = job.input("data") if "data" in job.inputs else None
    where, scratch = "model.data.calibration", Path(job.out)
    parts = data.Source(job.params["data"], path, job.params["inputs"], where, scratch=scratch).parts()
    quantizer = import_module(f"trtbuild.quantizers.{options['algorithm']}").make(options)
    tensors = qdq.activations(nodes, model.graph)
    seen = calibration.calibrate(model, tensors, parts, job.params["inputs"], options["batch"], quantizer)
    ranges = quantizer.ranges()
    report = qdq.insert(model, nodes, ranges)
    entries, made_by = job.read_json("scopes")["nodes"], producers(model.graph)
    called = {t: entries[made_by[t].name]["name"] for t in tensors if t in made_by and made_by[t].name in entries}
    warnings = degenerate.warnings(seen, ranges, job.params["declared_ranges"], options["min_samples"], called)
    return {
        "calibration": {
            "algorithm": options["algorithm"],
            "samples": seen.samples,
            "doubts": len(warnings),
            "source": job.params["data"],
            "sha256": _digest([part.arrays for part in parts], job.params["inputs"]),
        },
        "scales": report.scales,
        "weights_per_channel": report.weights,
        "kept_float32": dict(sorted(kept.items())),
        "warnings": [warning.document() for warning in warnings],
    }


_LOWER: Mapping[str, Callable[[Job, onnx.ModelProto, Keep], dict[str, Any]]] = {
    "none": _none,
    "float16": _cast,
    "bfloat16": _cast,
    "int8": _int8,
}


def promised(model: onnx.ModelProto) -> dict[str, str]:
    """The dtype in which every compute node is to run, by node name: int8 when both operands come from int8."""
    import onnx

    from trtbuild.graphs.graph import all_nodes, element_types, producers

    types, made_by = element_types(model), producers(model.graph)
    nodes = list(all_nodes(model.graph))  # the bodies of loops and branches compute, too

    def operand(name: str) -> str:
        producer = made_by.get(name)
        if producer is not None and producer.op_type == "DequantizeLinear":
            name = producer.input[0]
        return _dtype_name(types.get(name, onnx.TensorProto.UNDEFINED))

    promise = {}
    for node in nodes:
        if node.op_type in COMPUTE_OPS:
            kinds = {operand(name) for name in node.input[:2]}
            promise[node.name] = kinds.pop() if len(kinds) == 1 else "float32"
    return promise


def multiply_accumulates(model: onnx.ModelProto) -> dict[str, int]:
    """Multiply-accumulates of every convolution and matrix product for one sample, where shapes are known.

    Convolution: output elements x weight elements per output channel.  Matrix product: output elements x inner
    dimension, from whichever operand states it.  Any other dynamic dimension counts as 1.
    """
    from math import prod

    from trtbuild.graphs.graph import inferred

    graph = inferred(model)
    shapes = {t.name: list(t.dims) for t in model.graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = [max(d.dim_value, 1) for d in value.type.tensor_type.shape.dim]
    work = {}
    for node in graph.node:
        if node.op_type not in COMPUTE_OPS or any(name not in shapes for name in (*node.input[:2], node.output[0])):
            continue
        first, second, out = (shapes[name] for name in (node.input[0], node.input[1], node.output[0]))
        if node.op_type == "Conv":
            work[node.name] = prod(out) * prod(second[1:])
        elif node.op_type == "ConvTranspose":
            work[node.name] = prod(first) * prod(second[1:])
        else:
            transposed = {a.name for a in node.attribute if a.i}  # Gemm's transA and transB
            inner = first[0] if "transA" in transposed else first[-1]
            other = second[-1] if "transB" in transposed or len(second) == 1 else second[-2]
            work[node.name] = prod(out) * max(inner, other)
    return work


def _dtype_name(kind: int) -> str:
    import onnx

    return "undefined" if kind == 0 else str(onnx.helper.tensor_dtype_to_np_dtype(kind).name)


def _digest(parts: Sequence[Mapping[str, Any]], inputs: Mapping[str, Any]) -> str:
    """sha256 over names, shapes, dtypes and values of the calibration arrays, whatever file they came from."""
    import hashlib

    from trtbuild.arrays.arrayfile import rows_of

    sha = hashlib.sha256()
    for array, name in ((arrays[name], name) for arrays in parts for name in sorted(inputs)):
        sha.update(f"{name}:{array.dtype}:{array.shape};".encode())
        for _, rows in rows_of(array):
            sha.update(rows.tobytes())
    return sha.hexdigest()
