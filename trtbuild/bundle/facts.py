"""What a manifest says about the engine and its tensors: from the passport, and from what the config states."""

from __future__ import annotations

from collections.abc import Mapping

from trtbuild.base.errors import ConfigError
from trtbuild.base.text import did_you_mean
from trtbuild.core.spec import Variant
from trtbuild.core.spec.capability import PORTABLE
from trtbuild.core.spec.contract import Output, Preprocessing
from trtbuild.documents.bundle import EngineFacts, InputFacts, PreprocessingFacts, ProfileFacts, TensorFacts
from trtbuild.documents.engine import Binding, Passport

_AMPERE = "8.0"  # where hardware_compatibility=ampere_plus begins


def engine_facts(file: str, variant: Variant, passport: Passport) -> EngineFacts:
    capabilities, or_later = _capabilities(passport)
    flavour = variant.spec.tensorrt.flavour
    return {
        "file": file, "flavour": flavour, "version": passport["version"],
        "version_compatible": variant.spec.target.version_compatible, "compute_capabilities": capabilities,
        "or_later": or_later, "tf32": passport["tf32"], "built_on": passport.get("device"),
    }  # fmt: skip


def _capabilities(passport: Passport) -> tuple[list[str], bool]:
    """The devices that an engine was compiled for; TensorRT's is for the GPU that it was built on, or for more."""
    named, compatibility = passport["compute_capabilities"], passport.get("hardware_compatibility", "none")
    if compatibility == "ampere_plus":
        return [_AMPERE], True
    if device := passport.get("device"):
        return [device["compute_capability"]], False
    return (list(PORTABLE) if isinstance(named, str) else list(named)), False


def input_facts(variant: Variant, passport: Passport) -> list[InputFacts]:
    """In the engine's order."""
    return [_input(variant, binding, passport["profiles"].get(binding["name"])) for binding in passport["inputs"]]


def output_facts(variant: Variant, passport: Passport) -> list[TensorFacts]:
    """In the engine's order.

    Raises:
        ConfigError: the config describes an output that there is not, or one of another rank.
    """
    stated, names = variant.spec.model.outputs, [binding["name"] for binding in passport["outputs"]]
    for name in stated:
        if name not in names:
            raise ConfigError(f"no output '{name}'", where="model.outputs", hint=did_you_mean(name, names))
    return [_output(binding, stated) for binding in passport["outputs"]]


def _input(variant: Variant, binding: Binding, profile: list[list[int]] | None) -> InputFacts:
    stated = variant.spec.model.inputs.get(binding["name"])
    shapes: ProfileFacts = dict(zip(("min", "opt", "max"), profile or [binding["shape"]] * 3, strict=True))  # type: ignore[assignment]
    made: InputFacts = {
        "name": binding["name"], "dtype": binding["dtype"], "shape": binding["shape"], "profile": shapes,
        "layout": None, "range": None, "note": "", "preprocessing": None,
    }  # fmt: skip
    if stated is not None:
        made |= {"layout": stated.layout, "range": list(stated.range) or None, "note": stated.note}
        made["preprocessing"] = None if stated.preprocessing is None else _preprocessing(stated.preprocessing)
    return made


def _preprocessing(stated: Preprocessing) -> PreprocessingFacts:
    return {
        "resize": stated.resize, "channels": stated.channels, "scale": stated.scale, "mean": list(stated.mean),
        "std": list(stated.std), "note": stated.note,
    }  # fmt: skip


def _output(binding: Binding, stated: Mapping[str, Output]) -> TensorFacts:
    said = stated.get(binding["name"], Output())
    if said.layout is not None and len(said.layout) != len(binding["shape"]):
        what = f"'{said.layout}' has {len(said.layout)} letters, but the output has {len(binding['shape'])} dimensions"
        raise ConfigError(what, where=f"model.outputs.{binding['name']}.layout")
    return {
        "name": binding["name"], "dtype": binding["dtype"], "shape": binding["shape"], "layout": said.layout,
        "range": list(said.range) or None, "note": said.note,
    }  # fmt: skip
