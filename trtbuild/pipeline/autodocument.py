"""What a search for mixed precisions found: its sentence, its precision file, and the document of its page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from trtbuild.auto.costs import Shares
from trtbuild.documents.auto import AutoDocument, GroupChoices, PointEntry
from trtbuild.documents.estimate import Bounded
from trtbuild.documents.verdict import Check
from trtbuild.pipeline.auto import Assignment, Search

_NAMED = 4  # exceptions that the sentence names


def sentence(search: Search, chosen: Assignment | None) -> str:
    """What a reviewer needs: which precision where, what is lost of the budget, and the cost against the base."""
    base = base_of(search)
    if chosen is None:
        lost = lost_of_budget(search.measured[base.precisions])
        hint = "a larger budget" if search.auto.base == "fp32" else "auto.base=fp32, or a larger budget"
        return f"not even {search.auto.base} is within the budget: {lost}; try {hint}"
    lost, unit = lost_of_budget(search.measured[chosen.precisions]), _unit(search)
    if chosen is base:
        others = [one for one in search.compiled.values() if one is not base]
        cheapest = min(others, key=lambda one: one.cost, default=None)
        why = "there is nothing else to build here" if cheapest is None else "no engine within the budget costs less"
        if cheapest is not None and cheapest.cost >= base.cost:
            share = f"{_share(cheapest.cost / base.cost)} of {search.auto.base}'s {unit}"
            why = f"none of {len(others)} other engines costs less: the cheapest has {share}"
        return f"{search.auto.base}: {lost}; {why}"
    share = f"{_share(chosen.cost / base.cost)} of {search.auto.base}'s {unit}"
    return f"{placement(search, chosen.precisions)}: {lost}, {share}"


def _share(ratio: float) -> str:
    """
    >>> _share(0.8123), _share(0.9986), _share(1.0129)
    ('0.81', '0.999', '1.01')
    """
    return f"{ratio:.3f}" if abs(ratio - 1) < 0.01 else f"{ratio:.2f}"


def placement(search: Search, precisions: Sequence[str]) -> str:
    """``int8 except head and encoder/stem``, the exceptions with their precision where they have several."""
    if not precisions:
        return search.auto.base
    counts = Counter(precisions)
    usual = max(counts, key=lambda name: counts[name])
    others = [(g["name"], p) for g, p in zip(search.groups, precisions, strict=True) if p != usual]
    if not others:
        return usual
    several = len({precision for _, precision in others}) > 1 or others[0][1] != search.auto.base
    named = [f"{name} ({precision})" if several else name for name, precision in others[:_NAMED]]
    rest = [f"{len(others) - _NAMED} more"] if len(others) > _NAMED else []
    *first, last = [*named, *rest]
    return f"{usual} except {', '.join(first)}{' and ' * bool(first)}{last}"


def lost_of_budget(checks: Mapping[str, Check]) -> str:
    """``drop 0.0031 of 0.005``, or the statistics with their limits."""
    parts: list[str] = []
    for name, check in checks.items():
        observed = "none" if check["observed"] is None else f"{check['observed']:.4g}"
        if name.startswith("task: "):
            parts.insert(0, f"drop {observed} of {check['limit']:.9g}")
        elif not name.endswith("no NaN or infinity") or not check["passed"]:
            parts.append(f"{name} {observed} (limit {check['limit']:.9g})")
    return ", ".join(parts)


def _unit(search: Search) -> str:
    device = search.base.spec.device.name
    return "bytes moved" if device is None else f"estimated time on {device}"


def base_of(search: Search) -> Assignment:
    return search.compiled[search.base_precisions]


def precision_file(search: Search, chosen: Assignment, says: str, name: str) -> str:
    """The text of ``conf/precision/<name>.yaml``."""
    names = search.base.names
    words = " ".join(word for word in search.words if not word.lstrip("+~").startswith("executor"))  # says where only
    lines = [
        f"# {says}.",
        f"# Found by: trtbuild {words} precision=auto ({names.tensorrt}, {names.target}). It can be edited.",
        *_later(search, name),
        f"base: {search.auto.base}",
        *(["scopes:"] if chosen.scopes else []),
        *(f"  {_quoted(scope)}: {precision}" for scope, precision in sorted(chosen.scopes.items())),
    ]
    return "\n".join(lines) + "\n"


def _later(search: Search, name: str) -> list[str]:
    """How builds and upgrades come to judge the result by limits that only the search was given."""
    limits = ", ".join(f"{statistic}: {{{name}: {limit:.9g}}}" for statistic, limit in search.auto.deviation.items())
    if not limits:
        return []
    file = f"conf/model/{search.base.names.model}.yaml"
    return [f"# Later builds and upgrades judge it by these limits if {file} has them:",
            f"#   validation: {{deviation: {{{limits}}}}}"]  # fmt: skip


def _quoted(scope: str) -> str:
    plain = all(c.isalnum() or c in "/_-." for c in scope) and scope[:1].isalpha()
    return scope if plain else "'" + scope.replace("'", "''") + "'"


def document(search: Search, chosen: Assignment | None, says: str, file: str | None) -> AutoDocument:
    base, names, data = base_of(search), search.base.names, search.base.spec.model.data
    return {
        "schema_version": 1, "model": names.model, "tensorrt": names.tensorrt, "target": names.target,
        "base": search.auto.base, "candidates": list(search.auto.candidates), "dropped": dict(search.dropped),
        "refused": [f"{placement(search, one)}: {why}" for one, why in search.refused.items()],
        "cost_unit": "µs" if search.has_device else "bytes",
        "cost_says": f"{_unit(search)}, of compiled engines{'' if search.has_device else '; device=… gives times'}",
        "budget": dict(search.budget),
        "certified_on": "data.certification" if data.certification is not None else "data.validation",
        "samples": search.auto.samples, "says": says, "file": file,
        "scopes": dict(chosen.scopes) if chosen is not None else {},
        "groups": _groups(search, chosen), "rest": search.rest, "points": _points(search, chosen, base),
        "front": [{"error": point.error, "cost": point.cost + search.rest} for point in search.predicted()],
        "runs": search.runs, "builds": len(search.compiled), "evaluations": len(search.measured),
    }  # fmt: skip


def _groups(search: Search, chosen: Assignment | None) -> list[GroupChoices]:
    base = base_of(search)
    one = chosen or base
    return [
        {"name": group["name"], "operations": group["operations"], "chosen": precision,
         "choices": [{"precision": c.precision, "error": c.error, "cost": c.cost} for c in choices],
         "base_limits": _by_limit(before), "limits": _by_limit(now)}
        for group, choices, precision, before, now in zip(
            search.groups, search.priced(), one.precisions, base.shares, one.shares, strict=True
        )
    ]  # fmt: skip


def _by_limit(shares: Shares) -> dict[Bounded, float]:
    return {limit: cost for limit, cost in sorted(shares.items(), key=lambda one: -one[1]) if limit and cost}


def _points(search: Search, chosen: Assignment | None, base: Assignment) -> list[PointEntry]:
    made: list[PointEntry] = []
    for one in sorted(search.compiled.values(), key=lambda a: (a.cost, a.error)):
        checks = search.measured.get(one.precisions)
        meets = None if checks is None else all(check["passed"] for check in checks.values())
        made.append(
            {"variant": placement(search, one.precisions), "scopes": dict(one.scopes), "predicted_error": one.error,
             "cost": one.cost, "relative_cost": one.cost / base.cost if base.cost else 1.0,
             "bytes_moved": one.bytes_moved, "checks": checks, "meets": meets, "chosen": one is chosen}
        )  # fmt: skip
    return made


def summary(documents: Sequence[AutoDocument]) -> list[str]:
    """For a terminal: a line for each search, and its page's numbers."""
    return [
        f"auto: {d['model']}: {d['says']} ({len(d['groups'])} groups, {d['runs']} runs, {d['builds']} engines, "
        f"{d['evaluations']} evaluations)"
        for d in documents
    ]
