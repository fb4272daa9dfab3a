"""export: the source model -> canonical ONNX with clean names, and the map back to TensorFlow's scopes.

``frozen.pb`` is the GraphDef that was converted: the map names its tensors, and layer inspection runs it without
loading the source again (for InceptionV3, that takes over 3 GB; running the frozen graph takes under 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trtbuild.base.errors import ExportError
from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.recipes import input_params, source_inputs, source_params, tools
from trtbuild.core.spec import Onnx, Variant
from trtbuild.core.step import Out, Step
from trtbuild.core.warning import StepWarning
from trtbuild.documents.verdict import WarningDocument

if TYPE_CHECKING:
    from trtbuild.graphs.folding import TfOp

VERSION = 6
UNTRAINED_HINT = "train with fake quantisation switched on, and save the model after it"


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
    from trtbuild.sources import randomness, wiring

    warnings: list[WarningDocument] = []
    doubts: dict[str, str] = {}
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
        doubts = converted.doubts
        converted.write_frozen(job.output("frozen.pb"))
        del converted  # its weights
        frozen = job.output("frozen.pb").read_bytes()
        warnings = exporterfaults.warnings(frozen)
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
    untrained = _untrained(doubts, ops)
    warnings += [warning.document() for warning in (*random, *untrained)]
    job.write_json("scopes.json", {**about, "warnings": warnings})
    job.output("model.onnx").write_bytes(canonical.to_bytes(model))


def _untrained(doubts: Mapping[str, str], ops: Mapping[str, TfOp]) -> list[StepWarning]:
    """One warning for each way in which a range of fake quantisation looks untrained."""
    from trtbuild.core.parserwarnings import where
    from trtbuild.graphs.scopes import Cleaner

    clean, found = Cleaner(ops).name, []
    for words in dict.fromkeys(doubts.values()):
        names = [name for name, said in doubts.items() if said == words]
        places = where(f"{ops[name].kind} {clean(name)}" for name in names)
        found.append(StepWarning(f"{len(names)} range(s) of fake quantisation: each {words}", places, UNTRAINED_HINT))
    return found


def _import_onnx(job: Job) -> Any:
    """A ready-made ONNX file, converted to the requested opset if its own is lower."""
    from trtbuild.graphs.graph import opset_of
    from trtbuild.sources import onnxsource, tfonnx

    model = onnxsource.load_source(job.input("source"), job.params["source"]["path"], job.params["inputs"])
    if opset_of(model) < job.params["opset"]:
        model = tfonnx.raise_opset(model, job.params["opset"])
    return model
