"""What a search for mixed precisions starts from: the variants of its base and candidates, and its budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.base.workspace import Workspace
from trtbuild.building.sourcefiles import SourceFiles
from trtbuild.config import option
from trtbuild.config.places import placing
from trtbuild.core.spec import Precision, Variant
from trtbuild.core.spec.auto import Auto
from trtbuild.core.step import Step
from trtbuild.core.verdict import deviation_checks, task_check
from trtbuild.documents import reading
from trtbuild.documents.deviation import Deviation
from trtbuild.documents.verdict import Check, Verdict
from trtbuild.store import Store

MAX_DROP = "max_drop"
_VALIDATION, _CERTIFICATION = "model.data.validation", "model.data.certification"
T = TypeVar("T")


def budget(variant: Variant) -> dict[str, float]:
    """What the outputs must keep: ``max_drop`` of the task metric, and limits on statistics.

    Raises:
        ConfigError: there is none.
    """
    auto, validation = variant.spec.auto, variant.spec.model.validation
    found = dict(auto.deviation) or {
        name: limit for name, limit in validation.deviation.items() if isinstance(limit, float)
    }
    if validation.task is not None:
        drop = validation.task.max_drop if auto.max_drop is None else auto.max_drop
        found[MAX_DROP] = _valid(lambda task: replace(task, max_drop=drop), validation.task, "auto.max_drop").max_drop
    elif auto.max_drop is not None:
        hint = "add model.validation.task, or give auto.deviation={cosine: 0.999}"
        raise ConfigError("the model has no task metric", where="auto.max_drop", hint=hint)
    if not found:
        hint = "add model.validation.task, or give auto.deviation={cosine: 0.999}"
        raise ConfigError("no budget of accuracy is set", where="precision=auto", hint=hint)
    return found


def measured(root: Path, roles: Mapping[str, Step], limits: Mapping[str, float]) -> dict[str, Check]:
    """The budget's checks, with what the steps ``deviation`` and ``validate`` of a variant measured."""
    deviation: Deviation = reading.read(root / roles["deviation"].folder / "deviation.json", Deviation)
    verdict: Verdict = reading.read(root / roles["validate"].folder / "verdict.json", Verdict)
    statistics = {name: limit for name, limit in limits.items() if name != MAX_DROP}
    found = deviation_checks(deviation["hops"]["total"], statistics)
    for name, check in verdict["checks"].items():
        if MAX_DROP in limits and name.startswith("task: "):
            found[name] = task_check(
                check["metric"], check["reference"], check.get("score", math.nan), limits[MAX_DROP],
                higher_is_better=check["higher_is_better"],
            )  # fmt: skip
    return found


def result_name(base: Variant) -> str:
    return f"auto-{base.names.model}"


def uniform(workspace: Workspace, words: Sequence[str], name: str, base: Variant) -> Variant:
    """Everything that can be in a candidate in it, the rest as in the base.

    Raises:
        ToolchainError: the target cannot build it.  ConfigError: its calibration data is not there.
    """
    with placing(workspace.root, words):
        variant = config.load_variant(workspace.root, [*words, f"precision={name}"])
        SourceFiles(Store(workspace)).check(variant)
    outside = base.spec.precision.form(base.names.precision).float_type
    precision = variant.spec.precision
    rest = outside if precision.form(name).quantised else precision.rest
    return replace(variant, spec=replace(variant.spec, precision=replace(precision, rest=rest)))


def certified(variant: Variant) -> Variant:
    """The variant whose outputs are judged: on held-out samples, if there are any, and without latency.

    Raises:
        ConfigError: they do not go with the model's task.
    """
    spec = replace(variant.spec, latency=replace(variant.spec.latency, measure=False))
    data = spec.model.data
    if data.certification is not None:
        held_out = replace(data, validation=data.certification, slices=None)
        model = _valid(lambda model: replace(model, data=held_out), spec.model, _CERTIFICATION)
        spec = replace(spec, model=model)
    return replace(variant, spec=spec)


def load_base(workspace: Workspace, words: Sequence[str]) -> Variant:
    """The variant with everything in ``auto.base``; what would fail only when the search has begun is checked here.

    Raises:
        TrtbuildError: the words make no variant, or nothing that can be searched.
    """
    root = workspace.root
    if own := next((word for word in words if word.lstrip("+~").startswith("precision.")), None):
        hint = "give a precision its own file in conf/precision, and name it in auto.base or auto.candidates"
        raise ConfigError("a search takes precisions as their files have them", where=own, hint=hint)
    with placing(root, words):
        first = config.load_variant(root, [*words, "precision=fp32"])
        check_names(root, first.spec.auto)
        base = config.load_variant(root, [*words, f"precision={first.spec.auto.base}"])
    if base.spec.model.qat is not None:
        hint = "build precision=int8, which keeps the ranges that training chose (docs/qat.md)"
        raise ConfigError("the model was trained for int8, and is not searched", where="precision=auto", hint=hint)
    with placing(root, words):
        budget(base)
        files = SourceFiles(Store(workspace))
        files.check(base)
        try:
            files.check(certified(base))
        except ConfigError as error:  # which speaks of the data that it takes the place of
            what, hint = (text.replace(_VALIDATION, _CERTIFICATION) for text in (error.what, error.hint))
            raise type(error)(what, where=error.where, hint=hint) from error
    return base


def check_names(root: Path, auto: Auto) -> None:
    """Refuse a base that is not a floating-point precision, and candidates that it cannot be mixed with."""
    base = _option(root, auto.base, "auto.base")
    if base.scopes or base.form("").quantised:
        floats = [name for name in ("fp16", "bf16", "fp32") if name not in auto.candidates]
        hint = f"name {' or '.join(floats)}; a quantised precision can be in auto.candidates"
        raise ConfigError(f"'{auto.base}' is not a floating-point precision", where="auto.base", hint=hint)
    for name in auto.candidates:
        if name == auto.base:
            hint = "name others, or another auto.base"
            raise ConfigError(f"'{name}' is the base", where="auto.candidates", hint=hint)
        if _option(root, name, "auto.candidates").scopes:
            raise ConfigError(f"'{name}' is mixed", where="auto.candidates", hint="name precisions without scopes")
        try:
            option.precision(root, {"base": auto.base, "scopes": {"any": name}}, "auto.candidates")
        except ConfigError as error:
            raise ConfigError(error.what, where="auto.candidates", hint=error.hint) from error


def _option(root: Path, name: str, where: str) -> Precision:
    have = config.options(root, "precision")
    if name not in have or name == "auto":
        raise config.unknown("precision", name, have, where)
    return option.precision(root, option.content(root, "precision", name), f"precision={name}")


def _valid(change: Callable[[T], T], value: T, where: str) -> T:
    """A changed value; what does not fit together is a mistake at ``where``."""
    try:
        return change(value)
    except ValueError as error:
        raise ConfigError(str(error), where=where) from error
