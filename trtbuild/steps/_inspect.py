"""Not a step of any plan: what a model file says about its inputs, read in a process of its own for ``init``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trtbuild.core.job import Job
from trtbuild.errors import SourceError


def run(job: Job) -> None:
    source = dict(job.params["source"])
    inputs = _READ[source["kind"]](source, job.input("source"), job)
    job.write_json("model.json", {"source": source, "inputs": inputs})


def _saved_model(source: dict[str, Any], path: Path, job: Job) -> dict[str, Any]:
    """Inputs that have a default stay that constant."""
    from trtbuild.kit import savedmodel

    signature = savedmodel.load(source, path)
    source["signature"] = signature.name
    inputs = {name: spec for name, spec in signature.inputs.items() if name not in signature.defaults}
    return _tensors(inputs or signature.inputs)


def _keras(source: dict[str, Any], path: Path, job: Job) -> dict[str, Any]:
    from trtbuild.kit import tfmodel

    found = tfmodel.open_keras(source, path, {}).inputs
    if found is None:
        hint = "export it (model.export) and start from the SavedModel"
        raise SourceError("a subclassed Keras model does not say what its inputs are", where=source["path"], hint=hint)
    return _tensors(found)


def _frozen_graph(source: dict[str, Any], path: Path, job: Job) -> dict[str, Any]:
    from trtbuild.kit import frozengraph, tfmodel

    opened = tfmodel.import_frozen_graph(path, source["path"])
    found = frozengraph.ends(opened.graph, source["path"])
    inputs = _named(found.inputs)
    source["inputs"] = {name: tensor.name for name, tensor in inputs.items()}
    source["outputs"] = {name: tensor.name for name, tensor in _named(found.outputs).items()}
    return _tensors(inputs)


def _named(tensors: list[Any]) -> dict[str, Any]:
    """By the last component of their names; by the whole path where that is not enough to tell them apart."""
    short = [t.op.name.rpartition("/")[2] + (f"_{t.value_index}" if t.value_index else "") for t in tensors]
    full = [t.name.replace("/", "_").replace(":0", "").replace(":", "_") for t in tensors]
    return {s if short.count(s) == 1 else f: t for s, f, t in zip(short, full, tensors, strict=True)}


def _onnx(source: dict[str, Any], path: Path, job: Job) -> dict[str, Any]:
    """A model with weights in other files is put into one."""
    import onnx

    from trtbuild.kit import onnxsource, wiring
    from trtbuild.kit.graph import input_dims

    model = onnxsource.whole(path, source["path"])
    if model is not None:
        try:
            job.output("model").write_bytes(model.SerializeToString())
        except Exception as error:  # protobuf's EncodeError, above 2 GB
            raise SourceError("above 2 GB: ONNX cannot hold it in one file", where=source["path"]) from error
    else:
        model = onnxsource.parse(path, source["path"])
    dims = input_dims(model)
    loose = wiring.unread(model)
    return {
        value.name: {
            "dtype": onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
            "shape": dims[value.name],
        }
        for value in model.graph.input
        if value.name in dims and value.name not in loose
    }


def _tensors(found: Any) -> dict[str, Any]:
    described = {}
    for name, tensor in found.items():
        if getattr(tensor.shape, "rank", 0) is None:
            raise SourceError(
                f"input '{name}' has no known rank", where="model", hint="export it with a shaped input signature"
            )
        shape = [None if d is None else int(d) for d in tuple(tensor.shape)]
        described[name] = {"dtype": str(getattr(tensor.dtype, "name", tensor.dtype)), "shape": shape}
    return described


_READ = {"saved_model": _saved_model, "keras": _keras, "frozen_graph": _frozen_graph, "onnx": _onnx}
