"""What the declarations of several steps say alike: parameters and file inputs drawn from the config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trtbuild.core.spec import VALIDATION, DataSource, Factory, FactoryData, Model, Variant
from trtbuild.core.step import File, Input


def input_params(model: Model, *, profiles: bool = False) -> dict[str, Any]:
    """Inputs as parameters: dtype and shape, and with ``profiles`` what data and engines need as well."""
    wanted = ("dtype", "shape", "profile", "range") if profiles else ("dtype", "shape")
    return {name: {k: _plain(v) for k, v in asdict(spec).items() if k in wanted} for name, spec in model.inputs.items()}


def source_params(model: Model) -> dict[str, Any]:
    return {k: _plain(v) for k, v in asdict(model.source).items()}


def source_inputs(variant: Variant) -> dict[str, Input]:
    """The source's own file, or the workspace file with the factory's code."""
    source = variant.spec.model.source
    if isinstance(source, Factory):
        return code_inputs(variant, source.callable, "source_code")
    return {"source": File(source.path)}


def set_params(model: Model, name: str) -> dict[str, Any]:
    """Inputs and data of one measured set; validation's recipe does not say its name."""
    known = {} if name == VALIDATION else {"set": name}
    return {"inputs": input_params(model, profiles=True), "data": data_params(model.data.sets[name]), **known}


def set_place(params: Mapping[str, Any]) -> str:
    """Where the config names the data of a step with :func:`set_params`."""
    return f"model.data.inspection.{params['set']}" if "set" in params else f"model.data.{VALIDATION}"


def data_params(source: DataSource) -> Any:
    return source if isinstance(source, str) else {k: _plain(v) for k, v in asdict(source).items()}


def data_inputs(variant: Variant, source: DataSource) -> dict[str, Input]:
    if isinstance(source, str):
        return {"data": File(source)}
    return code_inputs(variant, source.callable, "data_code") if isinstance(source, FactoryData) else {}


def code_inputs(variant: Variant, callable_name: str, prefix: str = "code") -> dict[str, Input]:
    """The workspace files of a callable, one input each."""
    return {f"{prefix}_{i}": File(path) for i, path in enumerate(variant.code.get(callable_name, ()))}


def tools(variant: Variant, *names: str) -> dict[str, str]:
    """Versions of the libraries whose work a step's bytes depend on."""
    return {name: variant.tools.get(name, "absent") for name in names}


def _plain(value: Any) -> Any:
    """Tuples as lists, so that parameters read back from YAML compare equal."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
