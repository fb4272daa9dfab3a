"""The config key that a step's parameter comes from, so that a change is named as a person wrote it."""

from __future__ import annotations

from collections.abc import Mapping

# Keys of a precision that are part of a recipe where they are not at their defaults.
FORM_DEFAULTS: Mapping[str, object] = {
    "rest": "float32", "block": 0, "activations": False, "weight_scales": "auto", "quantize_depthwise": False,
    "quantize_residual_adds": False,
}  # fmt: skip
# What other keys decide: named only where nothing else has changed.
DERIVED = ("outs", "inputs.", "variant.", "tensorrt.requirements", "profiles", "shapes", "declared_ranges", "pages")
LEAST = ("outs", "inputs.")  # and these only where nothing else has changed at all
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
        **{key: f"target.{key}" for key in ("compute_capabilities", "hardware_compatibility", "version_compatible")},
    },
    "validate": {"limits": "model.validation.deviation", "task": "model.validation.task",
                 "latency": "model.validation.latency"},
    "latency": {
        "lowering": "precision.lowering",
        **{key: f"latency.{key}" for key in ("warmup_s", "seconds", "rounds", "batch", "threads", "baseline")},
    },
    "layers": {key: f"layers.{key}" for key in ("mode", "samples", "max_bytes", "scope", "op")},
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
