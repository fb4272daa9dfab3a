"""export: the source model -> canonical ONNX with clean names, and the map back to TensorFlow's scopes.

``frozen.pb`` is the GraphDef that was converted: the map names its tensors, and layer inspection runs it without
loading the source again (for InceptionV3, that takes over 3 GB; running the frozen graph takes under 1).
"""

from __future__ import annotations

from typing import Any

from trtbuild.base.errors import ExportError
from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.recipes import input_params, source_inputs, source_params, tools
from trtbuild.core.spec import Onnx, Variant
from trtbuild.core.step import Out, Step
from trtbuild.documents.verdict import WarningDocument

VERSION = 4


def declare(variant: Variant, need: Need) -> Step:
    model = variant.spec.model
    libraries = ("onnx",) if isinstance(model.source, Onnx) else ("tensorflow", "keras", "tf2onnx", "onnx")
    return Step(
        kind="export",
        version=VERSION,
        model=variant.names.model,
        label=f"opset{model.export.opset}",
        params={
            "source": source_params(model),
            "inputs": input_params(model),
            "opset": model.export.opset,
            "tools": tools(variant, *libraries),
        },
        inputs=source_inputs(variant),
        outs=(Out("model.onnx"), Out("scopes.json"), *(() if isinstance(model.source, Onnx) else (Out("frozen.pb"),))),
    )


def run(job: Job) -> None:
    import onnx

    from trtbuild.graphs import canonical, scopes
    from trtbuild.sources import fakequant, randomness, wiring

    warnings: list[WarningDocument] = []
    trained: tuple[Any, ...] = ()
    if job.params["source"]["kind"] == "onnx":
        model, ops, tensors = _import_onnx(job), {}, {}
        keep, constants = canonical.names(model), wiring.constant_outputs(model)
        random = randomness.warning(randomness.in_onnx(model), "model.source", randomness.HINT_ONNX)
    else:
        from trtbuild.sources import exporterfaults, tfmodel, tfonnx

        path = job.input("source") if "source" in job.inputs else None
        converted = tfonnx.convert(
            tfmodel.open_model(job.params["source"], path, job.params["inputs"]), job.params["opset"]
        )
        model, ops, tensors = converted.model, converted.ops, converted.tensors
        keep, constants = set(ops), converted.constants
        wiring.give_nodes(model)
        clean = scopes.Cleaner(ops).name
        drawn = {randomness.named(name, clean): kind for name, kind in converted.random.items()}
        random = randomness.warning(drawn, "model.source", randomness.HINT)
        converted.write_frozen(job.output("frozen.pb"))
        del converted  # its weights
        frozen = job.output("frozen.pb").read_bytes()
        warnings, trained = exporterfaults.warnings(frozen), _fake_quantisation(frozen)
        del frozen
    wiring.check(model, job.params["inputs"], constants)
    canonical.canonicalise(model, keep)
    try:
        onnx.checker.check_model(model, full_check=False)
    except onnx.checker.ValidationError as error:
        raise ExportError(
            f"the exported graph is not valid ONNX: {str(error).splitlines()[0]}", where="export"
        ) from error
    about = scopes.scope_map(model, ops, tensors)
    folded = fakequant.warnings(trained, fakequant.kept(model, about["nodes"]), scopes.Cleaner(ops))
    warnings += [warning.document() for warning in (*random, *folded)]
    job.write_json("scopes.json", {**about, "warnings": warnings})
    job.output("model.onnx").write_bytes(canonical.to_bytes(model))


def _fake_quantisation(frozen: bytes) -> tuple[Any, ...]:
    from tensorflow.core.framework.graph_pb2 import GraphDef

    from trtbuild.sources import fakequant

    return fakequant.find(GraphDef.FromString(frozen))


def _import_onnx(job: Job) -> Any:
    """A ready-made ONNX file, converted to the requested opset if its own is lower."""
    from trtbuild.graphs.graph import opset_of
    from trtbuild.sources import onnxsource, tfonnx

    model = onnxsource.load_source(job.input("source"), job.params["source"]["path"], job.params["inputs"])
    if opset_of(model) < job.params["opset"]:
        model = tfonnx.raise_opset(model, job.params["opset"])
    return model
