"""Why a step is fresh or not, as data: its record compared with its recipe, inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from trtbuild.core.record import Digest, Record, command, dep_path, params, same
from trtbuild.core.step import Step

NEVER_BUILT = "never built here"
INPUT_CHANGED = "input changed: "  # and its path
State = Literal["fresh", "stale", "missing", "remote"]


@dataclass(frozen=True)
class Observation:
    """What the workspace holds of one step: digests, and which recorded objects are in the cache."""

    record: Record | None
    inputs: Mapping[str, Digest] | None  # by workspace path; None while an input is missing
    outs: Mapping[str, Digest | None]
    cached: frozenset[str]  # names of recorded outputs whose object is in the local cache
    unpulled: str = ""  # a tracked source that is not in the workspace, so its digest is unknown


@dataclass(frozen=True)
class Judgement:
    state: State
    why: str
    restorable: bool = False  # the record is valid, and the cache has every missing object: no need to run


def judge(step: Step, seen: Observation) -> Judgement:
    """Compare recipe, record and files; the first difference is the reason."""
    record = seen.record
    if record is None:
        return Judgement("missing", NEVER_BUILT)
    if difference := _recipe_difference(step, record):
        return Judgement("stale", difference)
    if seen.inputs is None and seen.unpulled:
        return Judgement("remote", f"{seen.unpulled} is tracked, but not pulled")
    if seen.inputs is None:
        return Judgement("stale", "an input is missing")
    for path, digest in seen.inputs.items():
        if not same(record.deps.get(dep_path(step, path)), digest):
            return Judgement("stale", f"{INPUT_CHANGED}{path}")
    absent = [name for name in record.outs if seen.outs.get(name) is None]
    lost = [name for name in absent if name not in seen.cached]
    if lost:
        return Judgement("remote", f"{lost[0]} is recorded, but neither in the workspace nor in the cache")
    if absent:
        return Judgement("missing", f"{absent[0]} is not in the workspace, but in the cache", _all(record, seen))
    for name, digest in record.outs.items():
        if not same(seen.outs.get(name), digest):
            return Judgement("stale", f"output was changed by hand: {name}", _all(record, seen))
    return Judgement("fresh", "recipe, inputs and outputs agree with the record")


def _all(record: Record, seen: Observation) -> bool:
    """Whether every output is in the cache, or already correct in the workspace (git brings metrics)."""
    return all(name in seen.cached or same(seen.outs.get(name), digest) for name, digest in record.outs.items())


def _recipe_difference(step: Step, record: Record) -> str:
    if record.cmd != command(step):
        return "the record was made by another command"
    wanted = params(step)
    if record.params.get("version") != step.version:
        return f"step version {record.params.get('version')} -> {step.version}"
    changed = sorted(k for k in {*wanted, *record.params} - {"recipe"} if wanted.get(k) != record.params.get(k))
    if changed:
        return f"parameter changed: {', '.join(changed)}"
    if set(record.outs) != {out.name for out in step.outs}:
        return "the step makes other files now"
    return ""


def flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested mappings, flattened to dotted keys.

    >>> flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    if not isinstance(value, Mapping):
        return {prefix: value}
    flattened: dict[str, object] = {}
    for key, inner in value.items():
        flattened |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flattened
