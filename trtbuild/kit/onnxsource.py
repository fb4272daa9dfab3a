"""A ready-made ONNX file as a source: loaded, checked, its inputs compared with the config's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtbuild.core.names import did_you_mean
from trtbuild.errors import ConfigError, SourceError
from trtbuild.kit.tfmodel import check_fit


def load_source(path: Path, where: str, inputs: Mapping[str, Any]) -> Any:
    """The model (onnx.ModelProto), with dynamic dimensions fixed where the config fixes them.

    Raises:
        SourceError: not a valid ONNX model.  ConfigError: its inputs are not the config's.
    """
    import onnx

    try:
        model = onnx.load(path.resolve())  # external data lies beside the file itself, not beside a link to it
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's DecodeError, the checker's error and OSError alike
        said = (str(error).splitlines() or [type(error).__name__])[0].replace(str(path), where)
        raise SourceError(f"not a valid ONNX model: {said}", where=where) from error
    constants = {tensor.name for tensor in model.graph.initializer}
    values = {value.name: value for value in model.graph.input if value.name not in constants}
    if len(values) < len(model.graph.input):  # weights that are also inputs (ONNX before IR 4): they are weights
        kept = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in values.values()]
        del model.graph.input[:]
        model.graph.input.extend(kept)
        values = {value.name: value for value in model.graph.input}
    for name in inputs:
        if name not in values:
            hint = did_you_mean(name, values)
            raise ConfigError(f"the model has no input '{name}'", where=f"model.inputs.{name}", hint=hint)
    for name, value in values.items():
        if name not in inputs:
            raise ConfigError(f"the model's input '{name}' is missing", where="model.inputs")
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
        dims = [d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim]
        check_fit(name, inputs[name], kind, dims if value.type.tensor_type.HasField("shape") else None)
        _fix_dims(value, inputs[name]["shape"])
    return model


def _fix_dims(value: Any, shape: list[int | None]) -> None:
    """Write the config's static dimensions over symbolic ones."""
    if not value.type.tensor_type.HasField("shape"):
        for _ in shape:
            value.type.tensor_type.shape.dim.add()
    for dim, wanted in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        if wanted is not None:
            dim.dim_value = wanted
