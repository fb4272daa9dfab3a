"""The config key that a step's parameter comes from, so that a change is named as a person wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from trtbuild.core.spec.engine import Target
from trtbuild.core.spec.precision import FormOptions
from trtbuild.core.spec.run import Latency, Layers

# Keys of a precision that are part of a recipe where they are not at their defaults.
FORM_DEFAULTS: Mapping[str, object] = {
    option.name: option.default for option in fields(FormOptions) if option.name != "quantize_ops"
}
# What other keys decide: named only where nothing else has changed.
DERIVED = ("outs", "inputs.", "variant.", "tensorrt.requirements", "profiles", "shapes", "declared_ranges", "pages")
LEAST = ("outs", "inputs.")  # and these only where nothing else has changed at all
# A report's pages that a config has or has not -> what switches each on.
PAGES: Mapping[str, str] = {
    "latency": "latency", "layers": "layers", "estimate": "device", "task": "model.validation.task",
}  # fmt: skip
_SHARED = {"inputs": "model.inputs", "source": "model.source", "runtime": "runtime", "tf32": "precision.tf32"}
_OF_KIND: Mapping[str, Mapping[str, str]] = {
    "export": {"opset": "model.export.opset"},
    "lower": {
        "exclude_scopes": "model.overrides.{precision}.exclude_scopes", "data": "model.data.calibration",
        "exclude_ops": "model.overrides.{precision}.exclude_ops", "qat": "model.qat",
        **{key: f"precision.{key}" for key in ("lowering", "quantize_ops", "scopes", *FORM_DEFAULTS)},
    },
    "engine": {
        "flavour": "tensorrt.flavour", "tensorrt": "tensorrt.version", "requirements": "tensorrt.requirements",
        **{part.name: f"target.{part.name}" for part in fields(Target)},
    },
    "validate": {"limits": "model.validation.deviation", "task": "model.validation.task",
                 "latency": "model.validation.latency"},
    "latency": {"lowering": "precision.lowering", **{part.name: f"latency.{part.name}" for part in fields(Latency)}},
    "layers": {part.name: f"layers.{part.name}" for part in fields(Layers)},
}  # fmt: skip


def config_keys(kind: str) -> dict[str, str]:
    """Parameters of a kind of step by their own names -> config keys, some with ``{precision}`` in them."""
    return {**_SHARED, "data": "model.data.validation", **_OF_KIND.get(kind, {})}


def config_key(kind: str, key: str, params: Mapping[str, object]) -> str:
    """The config key of a parameter's dotted key; its own where none decides it alone (tools, a machine's device).

    >>> config_key("lower", "exclude_ops", {"precision": "int8"})
    'model.overrides.int8.exclude_ops'
    >>> config_key("validate", "limits.max_abs", {})
    'model.validation.deviation.max_abs'
    """
    first, dot, rest = key.partition(".")
    if first == "data" and "set" in params:
        return f"model.data.inspection.{params['set']}{dot}{rest}"
    known = config_keys(kind).get(first)
    return f"{known.format(precision=params.get('precision', ''))}{dot}{rest}" if known else key
