"""What a search for mixed precisions starts from: the variants of its base and candidates, and its budget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.base.workspace import Workspace
from trtbuild.core.spec import Variant
from trtbuild.core.verdict import deviation_checks, task_check
from trtbuild.documents.deviation import Deviation
from trtbuild.documents.verdict import Check, Verdict

MAX_DROP = "max_drop"


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
        found[MAX_DROP] = validation.task.max_drop if auto.max_drop is None else auto.max_drop
    elif auto.max_drop is not None:
        hint = "add model.validation.task, or give auto.deviation={cosine: 0.999}"
        raise ConfigError("the model has no task metric", where="auto.max_drop", hint=hint)
    if not found:
        hint = "add model.validation.task, or give auto.deviation={cosine: 0.999}"
        raise ConfigError("no budget of accuracy is set", where="precision=auto", hint=hint)
    return found


def checks(limits: Mapping[str, float], deviation: Deviation, verdict: Verdict) -> dict[str, Check]:
    """The budget's checks, with what was measured."""
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
        ToolchainError: the target cannot build it.  ConfigError: it is no candidate beside this base.
    """
    variant = config.load_variant(workspace.root, [*words, f"precision={name}"])
    outside = base.spec.precision.form(base.names.precision).float_type
    precision = variant.spec.precision
    if precision.scopes:
        raise ConfigError(f"'{name}' is mixed", where="auto.candidates", hint="name precisions without scopes")
    rest = outside if precision.form(name).quantised else precision.rest
    return replace(variant, spec=replace(variant.spec, precision=replace(precision, rest=rest)))


def without_latency(variant: Variant) -> Variant:
    """The same without measuring latency, which no certificate needs."""
    return replace(variant, spec=replace(variant.spec, latency=replace(variant.spec.latency, measure=False)))


def load_base(workspace: Workspace, words: Sequence[str]) -> Variant:
    """The variant with everything in ``auto.base``.

    Raises:
        TrtbuildError: the words make no variant, or its base is itself mixed.
    """
    first = config.load_variant(workspace.root, [*words, "precision=fp32"])
    base = config.load_variant(workspace.root, [*words, f"precision={first.spec.auto.base}"])
    if base.spec.model.qat is not None:
        hint = "build precision=int8, which keeps the ranges that training chose (docs/qat.md)"
        raise ConfigError("the model was trained for int8, and is not searched", where="precision=auto", hint=hint)
    if base.spec.precision.scopes or base.spec.precision.form("").quantised:
        hint = "name fp16, bf16 or fp32"
        raise ConfigError(f"'{base.names.precision}' is not a floating-point precision", where="auto.base", hint=hint)
    return base
