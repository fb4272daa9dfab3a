"""A job for ``init``: what a model file says about its inputs, and which sizes it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from trtbuild.base.errors import ConfigError, SourceError
from trtbuild.core.job import Job
from trtbuild.core.spec.model import DTYPES

if TYPE_CHECKING:
    import tensorflow as tf

    from trtbuild.arrays.trial import Inputs, Run
    from trtbuild.core.recipes import InputParams, SourceParams
    from trtbuild.sources.tfmodel import TensorLike, UntracedModel


class Declared(TypedDict):
    """What a file says of an input: ``shape`` is None where not even the rank is known."""

    dtype: str
    shape: list[int | None] | None


@dataclass(frozen=True)
class Read:
    """A model's inputs, and what readies it for given ones, as :func:`trtbuild.arrays.trial.fit` takes it.

    ``quantised``: whether it has fake quantisation, or Q/DQ, called with given inputs.
    """

    inputs: Mapping[str, Declared]
    make: Callable[[Inputs], Run]
    quantised: Callable[[Inputs], bool]


def run(job: Job) -> None:
    from trtbuild.arrays import trial

    source: SourceParams = job.params["source"].copy()
    read = _READ[source["kind"]](source, job.input("source"), job)
    inputs = _shaped(read.inputs, job.params["shapes"])
    for name, spec in inputs.items():
        if spec["dtype"] not in DTYPES:
            what = f"its input '{name}' is {spec['dtype']}, which no engine takes"
            raise SourceError(what, where=source["path"], hint="export the model without what reads it")
    job.stage("trying to run it")
    fitted = trial.fit(inputs, read.make, trial.draw)
    job.write_json("model.json", {"source": source, "inputs": fitted, "quantised": read.quantised(fitted)})


def _shaped(inputs: Mapping[str, Declared], given: Mapping[str, list[int | None]]) -> Inputs:
    """With the shapes that the user has given.

    Raises:
        ConfigError: one of no input, or one that does not fit.  SourceError: the rank of an input is not known.
    """
    from trtbuild.base.text import did_you_mean
    from trtbuild.sources.tfmodel import check_fit

    for name in given:
        if name not in inputs:
            hint = did_you_mean(name, inputs)
            raise ConfigError(f"the model has no input '{name}'", where="--shape", hint=hint)
        dtype, shape = inputs[name]["dtype"], inputs[name]["shape"]
        check_fit(name, {"dtype": dtype, "shape": given[name]}, dtype, shape)
    found: dict[str, InputParams] = {}
    for name, spec in inputs.items():
        shape = given.get(name, spec["shape"])
        if shape is None:
            hint = f"say what it is, for example: --shape {name}=null,224,224,3"
            raise SourceError(f"the shape of its input '{name}' is not known", where="model", hint=hint)
        found[name] = {"dtype": spec["dtype"], "shape": shape}
    return found


def _of_tensorflow(inputs: Mapping[str, Declared], opened: UntracedModel) -> Read:
    from trtbuild.runtimes.tensorflow import TensorFlowSession
    from trtbuild.sources import fakequant, tfmodel

    def quantised(asked: Inputs) -> bool:
        return fakequant.is_in(tfmodel.trace(opened, asked).function.graph.as_graph_def())

    return Read(inputs, lambda asked: TensorFlowSession(tfmodel.trace(opened, asked)).run, quantised)


def _saved_model(source: SourceParams, path: Path, job: Job) -> Read:
    """Inputs that have a default stay that constant."""
    from trtbuild.sources import savedmodel, tfmodel

    signature = savedmodel.load(source, path)
    source["signature"] = signature.name
    inputs = {name: spec for name, spec in signature.inputs.items() if name not in signature.defaults}
    return _of_tensorflow(_tensors(inputs or signature.inputs), tfmodel.of_signature(signature))


def _keras(source: SourceParams, path: Path, job: Job) -> Read:
    from trtbuild.sources import tfmodel

    opened = tfmodel.open_keras(source, path, {})
    if opened.inputs is None:
        hint = "export it (model.export) and start from the SavedModel"
        raise SourceError("a subclassed Keras model does not say what its inputs are", where=source["path"], hint=hint)
    return _of_tensorflow(_tensors(opened.inputs), opened)


def _frozen_graph(source: SourceParams, path: Path, job: Job) -> Read:
    from trtbuild.sources import frozengraph, tfmodel

    graph_def = frozengraph.parse(path, source["path"])
    found = frozengraph.ends(frozengraph.graph_of(graph_def, source["path"]), source["path"])
    inputs = _named(found.inputs)
    source["inputs"] = {name: tensor.name for name, tensor in inputs.items()}
    source["outputs"] = {name: tensor.name for name, tensor in _named(found.outputs).items()}
    return _of_tensorflow(_tensors(inputs), tfmodel.open_source(source, path, inputs))


def _named(tensors: list[tf.Tensor]) -> dict[str, tf.Tensor]:
    """By the last component of their names; by the whole path where that is not enough to tell them apart."""
    short = [t.op.name.rpartition("/")[2] + (f"_{t.value_index}" if t.value_index else "") for t in tensors]
    full = [t.name.replace("/", "_").replace(":0", "").replace(":", "_") for t in tensors]
    return {s if short.count(s) == 1 else f: t for s, f, t in zip(short, full, tensors, strict=True)}


def _onnx(source: SourceParams, path: Path, job: Job) -> Read:
    """A model with weights in other files is put into one."""
    from trtbuild.graphs import trainedint8
    from trtbuild.graphs.graph import input_dims
    from trtbuild.runtimes.onnxruntime import session_of
    from trtbuild.sources import onnxsource, wiring

    where = source["path"]
    model = onnxsource.whole(path, where)
    if model is not None:
        path = job.output("model")
        try:
            path.write_bytes(model.SerializeToString())
        except Exception as error:  # protobuf's EncodeError, above 2 GB
            raise SourceError("above 2 GB: ONNX cannot hold it in one file", where=where) from error
    else:
        model = onnxsource.parse(path, where)
    dims = input_dims(model)
    loose = wiring.unread(model)
    inputs: dict[str, Declared] = {
        value.name: {"dtype": _dtype_name(value.type.tensor_type.elem_type), "shape": dims[value.name]}
        for value in model.graph.input
        if value.name in dims and value.name not in loose
    }
    trained = trainedint8.is_trained(model)
    del model

    def make(asked: Inputs) -> Run:
        return session_of(onnxsource.load_source(path, where, asked), where, quiet=True).run

    return Read(inputs, make, lambda asked: trained)


def _dtype_name(kind: int) -> str:
    import onnx

    types = onnx.TensorProto.DataType
    if kind in (types.STRING, types.UNDEFINED) or kind not in types.values():
        return "text" if kind == types.STRING else "of an unknown type"
    return str(onnx.helper.tensor_dtype_to_np_dtype(kind).name)


def _tensors(found: Mapping[str, TensorLike]) -> dict[str, Declared]:
    described: dict[str, Declared] = {}
    for name, tensor in found.items():
        known = getattr(tensor.shape, "rank", 0) is not None
        shape = [None if d is None else int(d) for d in tuple(tensor.shape)] if known else None
        described[name] = {"dtype": str(getattr(tensor.dtype, "name", tensor.dtype)), "shape": shape}
    return described


_READ: Mapping[str, Callable[[SourceParams, Path, Job], Read]] = {
    "saved_model": _saved_model, "keras": _keras, "frozen_graph": _frozen_graph, "onnx": _onnx,
}  # fmt: skip
