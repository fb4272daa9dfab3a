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
from trtbuild.core.complaint import nearest, place, readers_of
from trtbuild.core.job import Job
from trtbuild.core.memory import activation_bytes
from trtbuild.core.parse import parse
from trtbuild.core.parserwarnings import advice, misread_words
from trtbuild.core.plan import Need
from trtbuild.core.recipekeys import FORM_DEFAULTS
from trtbuild.core.recipes import data_inputs, data_params, input_params, tools
from trtbuild.core.spec import Form, Lowering, Override, Qat, Variant
from trtbuild.core.step import Input, Out, Step
from trtbuild.steps import ranges

if TYPE_CHECKING:
    import onnx

    from trtbuild.graphs.lowered import LoweredGraph
    from trtbuild.graphs.placement import Placement
    from trtbuild.graphs.trainedadmission import Admission

VERSION = 5


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
    if precision.quantised:
        params["quantize_ops"] = list(precision.quantize_ops)
    form = asdict(precision.form(""))
    params |= {key: form[key] for key, default in FORM_DEFAULTS.items() if form[key] != default}
    if precision.scopes:
        params["scopes"] = {scope: _plain(form) for scope, form in sorted(precision.scopes.items())}
    export, qat = need("export"), model.qat or Qat()
    graph = need("ranges").out(ranges.GRAPH) if ranges.applies(variant) else export.out("model.onnx")
    inputs: dict[str, Input] = {"model": graph, "scopes": export.out("scopes.json")}
    if qat != Qat(qat.ranges):
        params["qat"] = {"untrained": qat.untrained, "strip": list(qat.strip)}
    label, work_bytes = variant.names.precision, 0
    if precision.calibrated:
        source = model.data.calibration
        if source is None and model.qat is None:
            raise _no_data(variant.names.precision)
        params |= {
            "calibration": {k: v for k, v in asdict(variant.spec.calibration).items() if k != "strict"},  # validate's
            **({} if source is None else {"data": data_params(source)}),
            "inputs": input_params(model, profiles=True),
            "declared_ranges": {name: list(spec.range) for name, spec in model.inputs.items() if spec.range},
            "tools": tools(variant, "onnx", "onnxruntime", "numpy"),
        }
        inputs |= data_inputs(variant, source) if source is not None else {}
        label += f"-{variant.names.calibration}"
        options = variant.spec.calibration
        compares = options.algorithm == "best" or options.bias_correction  # whole graphs, call by call
        work_bytes = activation_bytes(model.inputs.values(), options.batch if compares else 1)
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

    from trtbuild.graphs import canonical, compute, lowered, trainedint8
    from trtbuild.graphs.graph import all_nodes, element_types, hoist_constants
    from trtbuild.graphs.placement import Placement, scoped

    model = onnx.load(job.input("model"))
    hoist_constants(model.graph)
    lowering = _lowering(job.params)
    admission = _admission(job, model, lowering)
    admitted = admission.admit(model)
    _refuse_misread(job, model)
    placement = Placement(lowering, scoped(model, lowering, job.read_json("scopes")["nodes"]))
    if lowering.kind == "none":
        _refuse_low(job, model)
    about: dict[str, Any] = {}
    work = compute.multiply_accumulates(model)  # before it: behind TensorRT's own operations shapes are not known
    if not lowering.plain:
        lowered.prepare(model, placement)
        nodes, rest = lowered.quantised_nodes(model, placement)
        calibrated = lowering.calibrated and nodes
        watched = lowered.activations(model, placement, nodes)
        found, about = _calibrate(job, model, watched, nodes, placement) if calibrated else ({}, {})
        written = lowered.write(model, placement, nodes, found)
        about |= _about(placement, written, rest)
        if written.rounded is not None:
            admitted.append(written.rounded.warning(model, lowering.base.float_type, _operations(job, model)))
        admitted += trainedint8.warnings(rest, job.read_json("scopes")["nodes"])
    if admitted:
        about["warnings"] = [*(warning.document() for warning in admitted), *about.get("warnings", ())]
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise LowerError(f"the lowered graph is not valid ONNX: {str(error).splitlines()[0]}", where="lower") from error
    promise = compute.promised(model)
    composite = compute.COMPOSITE_OPS
    about |= {
        "precision": job.params["precision"],
        "compute": promise,
        "unpromised": {n.name: n.op_type for n in all_nodes(model.graph) if n.op_type in composite},
        "macs": work,
        "nodes_by_dtype": dict(sorted(Counter(promise.values()).items())),
        "tensors": {name: compute.dtype_name(kind) for name, kind in sorted(element_types(model).items())},
    }
    canonical.strip(model)
    job.write_json("precision.json", about)
    job.output("lowered.onnx").write_bytes(canonical.to_bytes(model))


def _lowering(params: Mapping[str, Any]) -> Lowering:
    wanted = (
        "precision", "quantize_ops", *FORM_DEFAULTS, "scopes", "exclude_scopes", "exclude_ops",
        "calibration", "qat",
    )  # fmt: skip
    given = {key: params[key] for key in wanted if key in params}
    return parse(Lowering, {**given, "kind": params["lowering"]}, "lower")


def _plain(form: Form) -> dict[str, Any]:
    return {**asdict(form), "quantize_ops": list(form.quantize_ops)}


def _refuse_misread(job: Job, model: onnx.ModelProto) -> None:
    """Refuse what every TensorRT would misread, before anything is calibrated: no precision mends it."""
    from trtbuild.graphs import misreadings

    readers, entries = readers_of(model.graph.node), job.read_json("scopes")["nodes"]
    found = misreadings.misread(model)
    lines = [f"{c.op_type} ({place(c, entries, readers)}): {c.words}" for c in found]
    if lines:
        hint = advice(found[0].words)
        raise LowerError(misread_words("TensorRT", lines), where="lower", hint=hint, details=tuple(lines))


def _no_data(precision: str) -> ConfigError:
    hint = "give a file, or {kind: random, count: 16} to try the tools"
    return ConfigError(f"{precision} needs calibration data", where="model.data.calibration", hint=hint)


def _admission(job: Job, model: onnx.ModelProto, lowering: Lowering) -> Admission:
    from trtbuild.graphs.trainedadmission import Admission

    strip = lowering.qat is not None and lowering.precision in lowering.qat.strip
    uses = any(form.kind == "int8" for form in lowering.forms)
    return Admission(lowering.precision, uses, strip, _operations(job, model))


def _operations(job: Job, model: onnx.ModelProto) -> Callable[[onnx.NodeProto], str]:
    """What says which operation of the source a node comes from; the node's own name where none is known."""
    from trtbuild.graphs.graph import all_nodes

    readers, entries = readers_of(all_nodes(model.graph)), job.read_json("scopes")["nodes"]

    def operation(node: onnx.NodeProto) -> str:
        entry = entries.get(node.name) or nearest(readers, entries, node.name)
        return f"{entry['type']} {entry['name']}" if entry else node.name

    return operation


def _refuse_low(job: Job, model: onnx.ModelProto) -> None:
    """A graph that does not compute in float32 must not be labelled so."""
    from trtbuild.graphs.rounding import low_types

    if precisions := low_types(model):
        own = " and ".join(precisions)
        what = f"the source model already computes in {own}, so it is not {job.params['precision']}"
        raise LowerError(what, where="lower", hint="choose that precision")


def _about(placement: Placement, written: LoweredGraph, rest: Mapping[str, str]) -> dict[str, Any]:
    """What precision.json says about the lowering; without casts, all that is not quantised is in float32."""
    from trtbuild.graphs import trainedint8

    about: dict[str, Any] = {}
    if placement.casts:
        about |= {"kept_float32": sorted(written.casts.kept), "clamped_constants": written.casts.clamped}
    if placement.lowering.quantised:
        about |= {
            "scales": {**written.trained.scales, **written.quantisation.scales},
            "weights_per_channel": {**written.trained.weights, **written.quantisation.weights},
            "not_quantised": dict(sorted(rest.items())),
            "scales_by_channel": dict(sorted(written.by_channel.items())),
        }
        about.setdefault("kept_float32", sorted(rest))
        if written.trained.scales or written.trained.weights:
            about["provenance"] = trainedint8.provenance(written.trained, written.quantisation)
    if placement.lowering.scopes:
        about["scopes"] = {scope: form.precision for scope, form in sorted(placement.lowering.scopes.items())}
    return about


def _calibrate(
    job: Job, model: onnx.ModelProto, tensors: list[str], nodes: list[onnx.NodeProto], placement: Placement
) -> tuple[Mapping[str, float], dict[str, Any]]:
    """The range of each of ``tensors``, and what precision.json says about it.

    Biases of ``model`` are corrected, if the config wants it.
    """
    from trtbuild.arrays import data, samples
    from trtbuild.graphs import biases, degenerate
    from trtbuild.graphs.graph import producers
    from trtbuild.quantizers import Candidates
    from trtbuild.runtimes import calibration, choice

    if "data" not in job.params:
        raise _no_data(job.params["precision"])
    options = job.params["calibration"]
    path = job.input("data") if "data" in job.inputs else None
    where, scratch = "model.data.calibration", Path(job.out)
    parts = data.Source(job.params["data"], path, job.params["inputs"], where, scratch=scratch).parts()
    quantizer = import_module(f"trtbuild.quantizers.{options['algorithm']}").make(options)
    seen = calibration.calibrate(model, tensors, parts, job.params["inputs"], options["batch"], quantizer)
    seen.different = samples.different(parts, job.params["inputs"], options["min_samples"])
    ranges, chosen = quantizer.ranges(), None
    means: Mapping[str, Any] = {}
    if isinstance(quantizer, Candidates):
        chosen = choice.choose(
            model, nodes, placement, quantizer.candidates(), parts, job.params["inputs"], options["batch"],
            correct=options["bias_correction"],
        )  # fmt: skip
        ranges = dict(chosen.ranges)
    entries, made_by = job.read_json("scopes")["nodes"], producers(model.graph)
    called = {t: entries[made_by[t].name]["name"] for t in tensors if t in made_by and made_by[t].name in entries}
    stored = "float16" if "float16" in placement.float_types else "float32"
    warnings = degenerate.warnings(seen, ranges, job.params["declared_ranges"], options["min_samples"], called, stored)
    if chosen is not None:
        means = chosen.errors
    elif options["bias_correction"]:
        compared, errors = biases.comparison(model, nodes, ranges, placement)
        means = calibration.mean_errors(compared, errors, parts, job.params["inputs"], options["batch"])
    corrected = biases.correct(model, means) if means else 0
    facts = {
        "algorithm": options["algorithm"],
        "samples": seen.samples,
        "doubts": len(warnings),
        "corrected_biases": corrected,
        **({} if chosen is None else {"chosen": chosen.name, "sqnr_db": chosen.sqnr_db}),
        "source": job.params["data"],
        "sha256": _digest([part.arrays for part in parts], job.params["inputs"]),
    }
    return ranges, {"calibration": facts, "warnings": [warning.document() for warning in warnings]}


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
