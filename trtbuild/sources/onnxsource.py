"""A ready-made ONNX file as a source: loaded, checked, its inputs compared with the config's."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError, SourceError, first_line
from trtbuild.base.text import did_you_mean, printable
from trtbuild.graphs import canonical, externaldata
from trtbuild.graphs.graph import input_dims, open_dims
from trtbuild.sources import largemodel, wiring
from trtbuild.sources.tfmodel import check_fit

if TYPE_CHECKING:
    import onnx

    from trtbuild.core.recipes import InputParams


def load_source(path: Path, where: str, inputs: Mapping[str, InputParams]) -> onnx.ModelProto:
    """The model, with dynamic dimensions fixed where the config fixes them.

    Raises:
        SourceError: not a valid ONNX model.  ConfigError: its inputs are not the config's, or some of its weights are
        in other files.
    """
    import onnx

    model = parse(path, where)
    if any(True for _ in externaldata.places(model, path.resolve().parent, where)):
        hint = "put them into one: trtbuild init does, or onnx.save(onnx.load(PATH), PATH)"
        what = "its weights lie in another file, whose changes a build would not see"
        raise ConfigError(what, where=where, hint=hint)
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # the checker's own error, and RuntimeError of its C++ part
        raise _invalid(error, path, where) from error
    _ask_for(model, inputs)
    wiring.give_nodes(model)
    dims = input_dims(model)
    loose = set(wiring.unread(model)) - set(inputs)
    kept = [type(v).FromString(v.SerializeToString()) for v in model.graph.input if v.name not in loose]
    del model.graph.input[:]  # what nothing reads, and the config does not name, is left out
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
        check_fit(name, inputs[name], kind, dims[name])
        _fix_dims(value, inputs[name]["shape"])
    return model


def _ask_for(model: onnx.ModelProto, inputs: Mapping[str, InputParams]) -> None:
    """An input with a default (an initialiser of its name) is that constant, unless the config names it."""
    listed = {value.name for value in model.graph.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in inputs or tensor.name not in listed]
    if len(kept) < len(model.graph.initializer):
        rest = [type(tensor).FromString(tensor.SerializeToString()) for tensor in kept]
        del model.graph.initializer[:]
        model.graph.initializer.extend(rest)


def parse(path: Path, where: str) -> onnx.ModelProto:
    """The model without weights that are in other files.

    Raises:
        SourceError: it is not an ONNX model.
    """
    import onnx

    if largemodel.is_one(path):
        raise SourceError("a zip archive, not an ONNX model", where=where, hint=largemodel.HINT)
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's DecodeError has moved between versions
        raise _invalid(error, path, where) from error
    if not model.graph.node and not model.graph.output:
        raise SourceError("not a valid ONNX model: it has no graph", where=where)
    odd = next((value.name for value in model.graph.input if not value.type.HasField("tensor_type")), None)
    if odd is not None:
        raise SourceError(f"its input '{printable(odd)}' is not a tensor", where=where)
    open_dims(model)
    return model


def whole(path: Path, where: str) -> onnx.ModelProto | None:
    """The model with all its weights, wherever they are, a zip archive included; None where the file is already whole.

    Raises:
        SourceError: not an ONNX model.  ConfigError: a file of weights is not where it should be.
    """
    if largemodel.is_one(path):
        with tempfile.TemporaryDirectory(prefix="trtbuild-") as unpacked:
            inner = largemodel.unpack(path, where, Path(unpacked))
            model = whole(inner, where)
            return parse(inner, where) if model is None else model
    model = parse(path, where)
    folder = path.resolve().parent
    if not any(True for _ in externaldata.places(model, folder, where)):
        return None
    externaldata.read(model, folder, where)
    canonical.check_size(tensor.raw_data for tensor in model.graph.initializer)
    return model


def _invalid(error: Exception, path: Path, where: str) -> SourceError:
    said = first_line(error).replace(str(path), where)
    return SourceError(f"not a valid ONNX model: {said}", where=where)


def _fix_dims(value: onnx.ValueInfoProto, shape: Sequence[int | None]) -> None:
    """Write the config's static dimensions over symbolic ones."""
    if not value.type.tensor_type.HasField("shape"):
        value.type.tensor_type.shape.SetInParent()  # for a scalar, too
        for _ in shape:
            value.type.tensor_type.shape.dim.add()
    for dim, wanted in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        if wanted is not None:
            dim.dim_value = wanted
