"""Parameters and file inputs that several steps take from the config, and their way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal, TypedDict

from trtbuild.core.spec import Model, Variant
from trtbuild.core.spec.data import VALIDATION, DataSource, FactoryData
from trtbuild.core.spec.model import Factory
from trtbuild.core.step import File, Input, Slot


class TensorParams(TypedDict):
    """An input in a recipe; None in ``shape`` is a dynamic dimension."""

    dtype: str
    shape: Sequence[int | None]


class InputParams(TensorParams, total=False):
    """An input with what data and engines need as well; a ``profile``'s point is a size or a whole shape."""

    profile: Mapping[str, int | list[int]] | None
    range: Sequence[float]


SourceKind = Literal["saved_model", "keras", "frozen_graph", "onnx", "factory"]


class SourceParams(TypedDict, total=False):
    """A source in a recipe: its ``kind``, and the fields of such a source."""

    kind: SourceKind
    path: str
    signature: str | None
    tags: Sequence[str] | None
    inputs: dict[str, str]
    outputs: dict[str, str]
    callable: str
    arguments: dict[str, object]
    seed: int


class DataParams(TypedDict, total=False):
    """A data source that is not a file: random numbers, or a callable's."""

    kind: Literal["random", "factory"]
    count: int
    seed: int
    callable: str
    arguments: dict[str, object]


class SetParams(TypedDict):
    inputs: dict[str, InputParams]
    data: str | DataParams


class NamedSetParams(SetParams, total=False):
    """Inputs and data of one measured set; ``set``: the name of a set that is only inspected."""

    set: str


UNDECLARED_RANGE = (0.0, 1.0)  # of random data, where the config does not declare one


def input_params(model: Model, *, profiles: bool = False) -> dict[str, InputParams]:
    """Inputs as parameters: dtype and shape, and with ``profiles`` also what data and engines need."""
    wanted = ("dtype", "shape", "profile", "range") if profiles else ("dtype", "shape")
    specs = {name: replace(spec, range=spec.range or UNDECLARED_RANGE) for name, spec in model.inputs.items()}
    params: dict[str, InputParams] = {
        name: _plain({k: v for k, v in asdict(spec).items() if k in wanted}) for name, spec in specs.items()
    }
    return params


def source_params(model: Model) -> SourceParams:
    """The source as parameters; None is left out, so that a key most models do not need changes no recipe."""
    params: SourceParams = _plain({key: value for key, value in asdict(model.source).items() if value is not None})
    return params


def source_inputs(variant: Variant) -> dict[str, Input]:
    """The source's own file, or the workspace file with the factory's code."""
    source = variant.spec.model.source
    if isinstance(source, Factory):
        return code_inputs(variant, source.callable, "source_code")
    return {"source": File(source.path)}


def set_params(model: Model, name: str) -> NamedSetParams:
    """Parameters of a set, by its name; the recipe of the validation set does not contain the name."""
    params: NamedSetParams = {
        "inputs": input_params(model, profiles=True), "data": data_params(model.data.sets[name]),
    }  # fmt: skip
    if name != VALIDATION:
        params["set"] = name
    return params


def set_place(params: Mapping[str, object]) -> str:
    """The config key of the data of a step with :func:`set_params`."""
    return f"model.data.inspection.{params['set']}" if "set" in params else f"model.data.{VALIDATION}"


def data_params(source: DataSource) -> str | DataParams:
    if isinstance(source, str):
        return source
    params: DataParams = _plain(asdict(source))
    return params


def data_inputs(variant: Variant, source: DataSource) -> dict[str, Input]:
    if isinstance(source, str):
        return {"data": File(source)}
    return code_inputs(variant, source.callable, "data_code") if isinstance(source, FactoryData) else {}


def code_inputs(variant: Variant, callable_name: str, prefix: str = "code") -> dict[str, Input]:
    """The workspace files of a callable, one input each."""
    return {f"{prefix}_{i}": File(path) for i, path in enumerate(variant.code.get(callable_name, ()))}


def graph_runtime(variant: Variant, *, tf32: bool = False) -> dict[str, object]:
    """What runs a graph; on a GPU also which one, and whether float32 can be TF32 there."""
    runtime = variant.spec.runtime
    params: dict[str, object] = {"module": runtime.module, "providers": list(runtime.providers)}
    if not runtime.on_gpu:
        return {"runtime": params}
    return {"runtime": {**params, "tf32": tf32}, "device": gpu_of(variant)}


def graph_name(variant: Variant) -> str:
    """The name in folders for what runs the graphs: a runtime that executes engines shares its graphs' steps."""
    runtime = variant.spec.runtime
    return variant.names.runtime if runtime.engine is None else runtime.module


def variant_label(variant: Variant) -> str:
    """The label of a step that measures: if an engine is executed, TensorRT and target are part of it."""
    names = variant.names
    if variant.spec.runtime.engine is None:
        return f"{names.precision}-{names.runtime}"
    return variant.id.removeprefix(f"{names.model}-")


def graph_slot(variant: Variant) -> Slot:
    return "gpu-exclusive" if variant.spec.runtime.on_gpu else "cpu"


def engine_runtime(variant: Variant) -> dict[str, object]:
    """What executes an engine: the runtime, in exactly the engine's toolchain, on this machine's GPU."""
    toolchain = variant.spec.tensorrt
    return {
        "runtime": {
            "module": variant.spec.runtime.engine,
            "version_compatible": variant.spec.target.version_compatible,
        },
        "flavour": toolchain.flavour,
        "tensorrt": toolchain.version,
        "requirements": list(toolchain.requirements),
        "supported": list(toolchain.compute_capabilities),
        "device": gpu_of(variant),
    }


def gpu_of(variant: Variant) -> dict[str, object]:
    """The GPU as part of a recipe whose result depends on its arithmetic, but not on its driver."""
    return {key: variant.gpu.get(key) for key in ("gpu", "compute_capability")}


def session_options(params: Mapping[str, object]) -> dict[str, object]:
    """The arguments of a runtime's ``open_session`` and ``open_timed``, from a step's parameters."""
    runtime, known = params["runtime"], ("flavour", "tensorrt", "device")
    assert isinstance(runtime, Mapping), "every step that runs something names its runtime"
    return {**runtime, **{key: params[key] for key in known if key in params}}


def tools(variant: Variant, *names: str) -> dict[str, str]:
    """Versions of the libraries that a step's bytes depend on."""
    return {name: variant.tools.get(name, "absent") for name in names}


def _plain(value: object) -> Any:  # it has the form of the typed parameters that it becomes
    """Tuples as lists, so that parameters read back from YAML compare equal."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
