"""Why a plan has something to do: the steps that changed themselves, and those that only follow from them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trtbuild.core.explain import Judgement, flat
from trtbuild.core.record import params
from trtbuild.core.step import KEY_LENGTH, Step

_SHOWN = 70  # characters of a value
_UPSTREAM = re.compile(rf"^\.\./([a-z]+)(?:-[^/]*)?-[0-9a-f]{{{KEY_LENGTH}}}(?=/)")
_DIGEST = re.compile(rf"-[0-9a-f]{{{KEY_LENGTH}}}(?=/|$)")


@dataclass(frozen=True)
class Recorded:
    """A recorded step: its folder, the request in its params.yaml, and when it was recorded (seconds since 1970)."""

    folder: str
    params: Mapping[str, object]
    time: float


@dataclass(frozen=True)
class Change:
    """One key of a step's request with its old and new value; None where it had, or has, no such key."""

    key: str
    old: object
    new: object

    def __str__(self) -> str:
        return f"{self.key}: {_short(self.old)} -> {_short(self.new)}"


@dataclass(frozen=True)
class Cause:
    """A step that has to run for a reason of its own; ``since``: the folder of the recorded step it is compared with.

    ``follows``: the steps that have to run because this one does, each with its first cause only.
    """

    step: Step
    judgement: Judgement
    changes: tuple[Change, ...] = ()
    since: str = ""
    follows: tuple[Step, ...] = ()


def causes(judged: Sequence[tuple[Step, Judgement]], recorded: Callable[[Step], Sequence[Recorded]]) -> list[Cause]:
    """The causes in the order of the plan, which has each step after all that it reads from.

    Args:
        recorded: the records of a step's model and kind.
    """
    found: dict[str, Cause] = {}
    first: dict[str, str] = {}  # a step that has to run -> its first cause
    for step, judgement in judged:
        if judgement.state == "fresh":
            continue
        before = newest_like(step, recorded(step)) if judgement.state in ("missing", "stale") else None
        changes = changes_since(step, before) if before is not None else ()
        upstream = [first[other.key] for other in step.upstream if other.key in first]
        known = [(change.old, change.new) for key in upstream for change in found[key].changes]
        if upstream and all((change.old, change.new) in known for change in changes):  # a report repeats the opset
            first[step.key] = upstream[0]
            cause = found[upstream[0]]
            found[upstream[0]] = Cause(cause.step, cause.judgement, cause.changes, cause.since, (*cause.follows, step))
        else:
            first[step.key] = step.key
            found[step.key] = Cause(step, judgement, changes, before.folder if before and changes else "")
    return list(found.values())


def newest_like(step: Step, records: Sequence[Recorded]) -> Recorded | None:
    """The newest record of the same readable name (kind, precision, version …), else of the same inputs; else None."""
    named = [one for one in records if _DIGEST.sub("", one.folder) == _DIGEST.sub("", step.folder)]
    reads = _inputs(params(step))
    like = named or [one for one in records if _inputs(one.params) == reads]
    return max(like, key=lambda one: (one.time, one.folder), default=None)


def _inputs(request: Mapping[str, object]) -> dict[str, str]:
    return {name: _DIGEST.sub("", str(path)) for name, path in flat(request.get("inputs", {})).items()}


def changes_since(step: Step, before: Recorded) -> tuple[Change, ...]:
    """Every key whose value is another one now, except for what upstream steps decide."""
    old, new = _own(before.params), _own(params(step))
    return tuple(Change(key, old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key))


def _own(request: Mapping[str, object]) -> dict[str, object]:
    """The request without the recipe's digest, its parameters by their own names, and upstream steps by their kind."""
    kept = flat({key: value for key, value in request.items() if key not in ("recipe", "params")})
    kept |= flat(request.get("params", {}))
    return {key: _UPSTREAM.sub(r"\1", value) if isinstance(value, str) else value for key, value in kept.items() if key}


def _short(value: object) -> str:
    if value is None:
        return "absent"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
