"""The task metric by class and slice in two reports of the same samples: which groups changed."""

from __future__ import annotations

from trtbuild.core.taskgroups import by_change, called, interval
from trtbuild.documents.comparison import GroupsChange
from trtbuild.documents.latency import Bounds
from trtbuild.documents.task import Group, GroupComparison, TaskScores

Row = tuple[str, str, str, str]


def compare_groups(new: TaskScores | None, old: TaskScores | None) -> GroupsChange:
    """``why``: the reason where they are not compared; empty where neither side has a task."""
    if new is None or old is None:
        sides = "neither side" if new is None and old is None else "the old side" if old is None else "the new side"
        neither = new is None and old is None
        return {"why": "" if neither else f"{sides} has no scores by class", "compared": None}
    if new["metric"] != old["metric"]:
        return {"why": f"{old['metric']} on the old side, {new['metric']} on the new one", "compared": None}
    if new["data"] != old["data"]:
        return {"why": "labels, slices or samples differ", "compared": None}
    if new["scores"] is None or old["scores"] is None:
        return {"why": "there are too many samples to keep what each scored", "compared": None}
    if new["scores"] == old["scores"]:
        return {"why": "", "compared": _unchanged(new)}
    from trtbuild.deviation import groups, samplescores

    try:
        after, before = (samplescores.read(scores) for scores in (new["scores"], old["scores"]))
        slices = [samplescores.read_slicing(one) for one in new["slicings"]]
        if len({after.samples, before.samples, *(len(one.codes) for one in slices)}) > 1:
            raise ValueError("the counts of the samples do not fit each other")
    except ValueError as error:
        return {"why": f"a report is damaged: {error}", "compared": None}
    better = new["higher_is_better"]
    return {"why": "", "compared": groups.compare(new["metric"], after, before, slices, higher_is_better=better)}


def _unchanged(new: TaskScores) -> GroupComparison:
    """Every sample scores the same: nothing is drawn again."""
    none: Bounds = {"value": 0.0, "low": 0.0, "high": 0.0}
    same: list[Group] = [{**g, "old": g["new"], "change": none, "p": 1.0, "fell": False} for g in new["groups"]]
    return {
        "metric": new["metric"], "higher_is_better": new["higher_is_better"], "samples": new["samples"],
        "resamples": new["resamples"], "told": 0, "groups": same,
    }  # fmt: skip


def rows(change: GroupsChange, most: int | None = None) -> list[Row]:
    """Rows of the groups that changed, the falls first; ``most``: how many besides the falls, None for all."""
    compared = change["compared"]
    if compared is None:
        return [("task by class", "", "", f"not compared: {change['why']}")] if change["why"] else []
    moved = [group for group in by_change(compared) if group["change"]["value"]]
    falls = sum(group["fell"] for group in moved)
    shown = moved if most is None else moved[: falls + most]
    made = [
        (f"{called(g)}: {compared['metric']}", f"{g['old']['value']:.4g}", f"{g['new']['value']:.4g}",
         f"{interval(g['change'], '+')}{' fell' if g['fell'] else ''}")
        for g in shown
    ]  # fmt: skip
    rest = len(moved) - len(shown)
    return made + ([(f"{rest} other classes and slices (--all)", "", "", "changed")] if rest else [])
