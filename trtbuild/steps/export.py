"""export: the source model -> canonical ONNX with clean names, and the map back to TensorFlow's scopes."""

from __future__ import annotations

from typing import Any

from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.spec import Onnx, Variant
from trtbuild.core.step import Out, Step
from trtbuild.errors import ConfigError, ExportError, SourceError
from trtbuild.steps._shared import input_params, source_inputs, source_params, tools

VERSION = 1


def declare(variant: Variant, need: Need) -> Step:
    model = variant.spec.model
    libraries = ("onnx",) if isinstance(model.source, Onnx) else ("tensorflow", "tf2onnx", "onnx")
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
        outs=(Out("model.onnx"), Out("scopes.json")),
    )


def run(job: Job) -> None:
    import onnx

    from trtbuild.kit import canonical, scopes

    if job.params["source"]["kind"] == "onnx":
        model, ops, tensors = _import_onnx(job)
    else:
        from trtbuild.kit import tfmodel, tfonnx

        path = job.input("source") if "source" in job.inputs else None
        source = tfmodel.open_model(job.params["source"], path, job.params["inputs"])
        converted = tfonnx.convert(source, job.params["opset"])
        model, ops, tensors = converted.model, converted.ops, converted.tensors
    canonical.canonicalise(model, keep=ops)
    try:
        onnx.checker.check_model(model, full_check=False)
    except onnx.checker.ValidationError as error:
        raise ExportError(f"the exported graph is not valid ONNX: {str(error).splitlines()[0]}", where="export") from error
    job.write_json("scopes.json", scopes.scope_map(model, ops, tensors))
    job.output("model.onnx").write_bytes(canonical.to_bytes(model))


def _import_onnx(job: Job) -> tuple[Any, dict[str, Any], dict[str, str]]:
    """A ready-made ONNX file: checked, its dynamic dimensions fixed where the config fixes them, opset raised."""
    import onnx

    from trtbuild.kit import tfonnx
    from trtbuild.kit.tfmodel import check_fit

    where = job.params["source"]["path"]
    try:
        model = onnx.load(job.input("source"))
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's DecodeError, the checker's error and OSError alike
        raise SourceError(f"not a valid ONNX model: {str(error).splitlines()[0]}", where=where) from error
    initialised = {tensor.name for tensor in model.graph.initializer}
    values = {value.name: value for value in model.graph.input if value.name not in initialised}
    wanted = job.params["inputs"]
    _same_names(wanted, values)
    for name, value in values.items():
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
        dims = [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim]
        check_fit(name, wanted[name], kind, dims if value.type.tensor_type.HasField("shape") else None)
        _fix_dims(value, wanted[name]["shape"])
    have = next((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), 0)
    if have < job.params["opset"]:
        model = tfonnx.raise_opset(model, job.params["opset"])
    return model, {}, {}


def _same_names(wanted: dict[str, Any], have: dict[str, Any]) -> None:
    from trtbuild.core.names import did_you_mean

    for name in wanted:
        if name not in have:
            raise ConfigError(f"the model has no input '{name}'", where=f"model.inputs.{name}", hint=did_you_mean(name, have))
    for name in have:
        if name not in wanted:
            raise ConfigError(f"the model's input '{name}' is missing", where="model.inputs")


def _fix_dims(value: Any, shape: list[int | None]) -> None:
    """Write the config's static dimensions over symbolic ones."""
    if not value.type.tensor_type.HasField("shape"):
        for _ in shape:
            value.type.tensor_type.shape.dim.add()
    for dim, wanted in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        if wanted is not None:
            dim.dim_value = wanted
