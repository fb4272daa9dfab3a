"""Words and a threshold for the task metric of classes and slices (documents/task.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trtbuild.documents.latency import Bounds
from trtbuild.documents.task import ALL, CLASS, Group, GroupComparison
from trtbuild.documents.verdict import Check

NAMED = 3  # falls in one line


def called(group: Group) -> str:
    """
    >>> called({"by": "class", "name": "7"}), called({"by": "weather", "name": "rain"})
    ('class 7', 'weather rain')
    """
    return group["name"] if group["by"] == ALL else f"{group['by']} {group['name']}"


def interval(bounds: Bounds, sign: str = "") -> str:
    """
    >>> interval({"value": -0.05, "low": -0.091234, "high": -0.01}, "+")
    '-0.05 [-0.09123, -0.01]'
    """
    value, low, high = (f"{bounds[key]:{sign}.4g}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def fall(group: Group) -> str:
    """A group's change in a few words."""
    scores = f"{group['old']['value']:.4g} → {group['new']['value']:.4g}"
    return f"{called(group)} {scores} ({interval(group['change'], '+')}, {group['samples']} samples)"


def fallen(compared: GroupComparison) -> list[Group]:
    """The groups that fell, the largest fall first."""
    sign = 1 if compared["higher_is_better"] else -1
    return sorted((g for g in compared["groups"] if g["fell"]), key=lambda g: sign * g["change"]["value"])


def fall_lines(compared: GroupComparison) -> list[str]:
    """One phrase for all falls, or none."""
    found = fallen(compared)
    if not found:
        return []
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return [f"{compared['metric']} fell: {'; '.join(fall(group) for group in found[:NAMED])}{more}"]


def by_change(compared: GroupComparison) -> list[Group]:
    """Classes and slices, those that fell first, then the rest from the worst change to the best."""
    sign = 1 if compared["higher_is_better"] else -1
    parts = [group for group in compared["groups"] if group["by"] != ALL]
    return sorted(parts, key=lambda g: (not g["fell"], sign * g["change"]["value"]))


def kinds(groups: Iterable[Group]) -> Sequence[str]:
    """What the groups are made by, in their order: classes, then each array of slices."""
    return list(dict.fromkeys(group["by"] for group in groups if group["by"] != ALL))


def title(by: str) -> str:
    return "Classes" if by == CLASS else f"Slices by {by}"


def class_drop_check(compared: GroupComparison, limit: float) -> Check:
    """The drop of the worst class or slice that is certain: the end of its interval that is nearest to no change."""
    sign = 1 if compared["higher_is_better"] else -1

    def certain(group: Group) -> float:
        return max(0.0, -group["change"]["high"] if sign > 0 else group["change"]["low"])

    worst = max((group for group in compared["groups"] if group["by"] != ALL), key=certain, default=None)
    observed = 0.0 if worst is None else certain(worst)
    check: Check = {
        "observed": observed, "limit": limit, "passed": observed <= limit,
        "share_of_limit": observed / limit if limit else None,
    }  # fmt: skip
    return check if worst is None or not observed else {**check, "says": fall(worst)}
