"""Why a plan has something to do: the steps that changed themselves, and those that only follow from them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from trtbuild.core.explain import INPUT_CHANGED, Judgement, flat
from trtbuild.core.recipekeys import DERIVED, FORM_DEFAULTS, LEAST, PAGES, config_key
from trtbuild.core.record import params
from trtbuild.core.step import KEY, File, Step

_SHOWN = 70  # characters of a value
_LISTED = 6  # elements of two lists; of longer ones only what differs is shown
_UPSTREAM = re.compile(rf"^\.\./([a-z]+)(?:-[^/]*)?-{KEY}(?=/)")
_DIGEST = re.compile(rf"-{KEY}(?=/|$)")


@dataclass(frozen=True)
class Recorded:
    """A recorded step: its folder, the request in its params.yaml, and when it was recorded (seconds since 1970)."""

    folder: str
    params: Mapping[str, object]
    time: float


@dataclass(frozen=True)
class Change:
    """A config key, or one of a step's request, with old and new value; None where there was, or is, no such key."""

    key: str
    old: object
    new: object

    def __str__(self) -> str:
        old, new = self.old, self.new
        if isinstance(old, list) and isinstance(new, list) and len(old) + len(new) > _LISTED:
            old, new = ([one for one in a if one not in b] for a, b in ((old, new), (new, old)))
        return f"{self.key}: {_short(old)} -> {_short(new)}"


@dataclass(frozen=True)
class Cause:
    """A step that has to run for a reason of its own; ``since``: the folder of the recorded step it is compared with.

    ``follows``: the steps that have to run because this one does, or for the same reason; each with its first cause.
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
    whose: dict[tuple[str, str], str] = {}  # a model and its change, or reason -> the first cause that has it
    for step, judgement in judged:
        if judgement.state == "fresh":
            continue
        before = newest_like(step, recorded(step)) if judgement.state in ("missing", "stale") else None
        upstream = [first[other.key] for other in step.upstream if other.key in first]
        known = [(change.old, change.new) for key in upstream for change in found[key].changes]
        changes = _decisive(changes_since(step, before) if before is not None else (), upstream)
        reasons = [(step.model, text) for text in map(str, changes or [judgement.why] * (judgement.state == "stale"))]
        new = [change for change in changes if (step.model, str(change)) not in whose]
        repeated = all((change.old, change.new) in known for change in new)  # as a report repeats the opset
        follows = upstream if repeated and not _reads_changed_file(step, judgement) else []
        if reasons and all(reason in whose for reason in reasons):
            follows = follows or [whose[reasons[0]]]
        if follows:
            first[step.key] = follows[0]
            cause = found[follows[0]]
            found[follows[0]] = replace(cause, follows=(*cause.follows, step))
        else:
            first[step.key] = step.key
            found[step.key] = Cause(step, judgement, tuple(new), before.folder if before and new else "")
            whose |= {reason: step.key for reason in reasons if reason not in whose}
    return list(found.values())


def _decisive(changes: Sequence[Change], upstream: Sequence[str]) -> tuple[Change, ...]:
    """Without what other keys decide, if one of those has changed here or upstream."""
    own = tuple(change for change in changes if not change.key.startswith(DERIVED))
    if own or upstream:
        return own
    most = tuple(change for change in changes if not change.key.startswith(LEAST)) or tuple(changes)
    switches = {f"pages.{page}": key for page, key in PAGES.items()}
    return tuple(replace(change, key=switches.get(change.key, change.key)) for change in most)


def _reads_changed_file(step: Step, judgement: Judgement) -> bool:
    files = {source.path for source in step.inputs.values() if isinstance(source, File)}
    return judgement.why.removeprefix(INPUT_CHANGED) in files


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
    """The request without the recipe's digest, parameters by their config keys, and upstream steps by their kind."""
    kept = flat({key: value for key, value in request.items() if key not in ("recipe", "params")})
    kind, said = str(request.get("kind")), request.get("params", {})
    if isinstance(said, Mapping):
        whole = {**FORM_DEFAULTS, **said} if kind == "lower" else said
        if isinstance(pages := said.get("pages"), list):
            whole = {**said, "pages": {page: "on" if page in pages else "off" for page in PAGES}}
        kept |= {config_key(kind, key, said): value for key, value in flat(whole).items()}
    return {key: _UPSTREAM.sub(r"\1", value) if isinstance(value, str) else value for key, value in kept.items() if key}


def _short(value: object) -> str:
    if value is None:
        return "absent"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
