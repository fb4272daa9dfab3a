"""The task metric of every class and slice on two sides of the same samples, with intervals; which groups fell.

Samples are resampled, not pixels, and the same ones on both sides (a paired bootstrap).  Each side's score has a
percentile interval; the change has one that holds for all classes, or all slices, at once: the bootstrap of the largest
studentised change (the max-T method: Westfall and Young, "Resampling-based multiple testing", 1993; Romano and Wolf,
Econometrica 73, 2005).  A fall is named when its interval is below 0 and chance alone hardly makes one (``falls.py``):
where few samples changed, a bootstrap alone is too sure, since it never sees one that rose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.arrays.slices import Slices
from trtbuild.deviation.falls import LEVEL, corrected_for, tail
from trtbuild.deviation.samplescores import Scores
from trtbuild.documents.latency import Bounds
from trtbuild.documents.task import ALL, CLASS, Group, GroupComparison

RESAMPLES, FEWEST_RESAMPLES = 1000, 200
WORK = 1 << 30  # resampled entries of both sides: with more, there are fewer resamples
BLOCK = 1 << 18  # entries times resamples held at once
SEED = 1
CONFIDENCE = 0.95
DIGITS = 6
_FAMILIES = {ALL: ALL, CLASS: CLASS}  # slices of all arrays are one family: each has its own correction
NEGLIGIBLE = 1e-12  # of a contribution: what remains of a difference of sums


@dataclass(frozen=True)
class Partition:
    """Entries by cell, and cells by group: a group's score is the mean over its cells."""

    by: str
    names: tuple[str, ...]
    cells: int
    group_of: Array


def compare(
    metric: str, new: Scores, old: Scores, slices: Sequence[Slices] = (), *, higher_is_better: bool = True
) -> GroupComparison:
    """Every class, slice and all samples; equal arguments give the same numbers.

    Args:
        new, old: of the same samples.
    """
    averaged = metric == "mean_iou"
    classes = max(new.classes, old.classes)
    partitions = _partitions(classes, slices, averaged=averaged, by_class=metric != "mse")
    both = {"new": new, "old": old}
    at = {side: [_layout(scores, p, slices) for p in partitions] for side, scores in both.items()}
    resamples = max(FEWEST_RESAMPLES, min(RESAMPLES, WORK // max(1, len(new.sample) + len(old.sample))))
    once = np.ones((new.samples, 1))
    point = {side: _scores(scores, once, partitions, at[side])[:, 0] for side, scores in both.items()}
    drawn = _resampled(both, partitions, at, point, resamples)
    sign = 1 if higher_is_better else -1
    tails = [found for p, a, b in zip(partitions, at["new"], at["old"], strict=True)
             for found in _tails(new, old, p, a.cell, b.cell, sign)]  # fmt: skip
    families = [_FAMILIES.get(p.by, "slice") for p in partitions for _ in p.names]
    limits, testable = _limits(families, [least for _, least in tails])
    bounds = {side: _percentiles(point[side], drawn[side]) for side in drawn}
    change = _simultaneous(point["new"] - point["old"], drawn["new"] - drawn["old"], families, testable)
    names = [(p.by, name) for p in partitions for name in p.names]
    counts = [int(n) for p in partitions for n in _sample_counts(new, p, slices)]
    groups: list[Group] = []
    for i, (by, name) in enumerate(names):
        if np.isnan(point["new"][i]) or np.isnan(point["old"][i]):
            continue  # a class that the labels do not have
        worst, p = change[i]["high"] if sign > 0 else -change[i]["low"], tails[i][0]
        fell = bool(by != ALL and testable[i] and p <= limits[i] and worst < 0)
        groups.append(
            {
                "by": by, "name": name, "samples": counts[i], "old": bounds["old"][i], "new": bounds["new"][i],
                "change": change[i], "p": _round(p), "fell": fell,
            }
        )  # fmt: skip
    return {
        "metric": metric, "higher_is_better": higher_is_better, "samples": new.samples, "resamples": resamples,
        "told": int(testable.sum()), "groups": groups,
    }  # fmt: skip


def _limits(families: Sequence[str], least: Sequence[float]) -> tuple[Array, Array]:
    """The probability at which each group is named, and whether it could reach that; corrected within its family."""
    limits = np.zeros(len(families))
    for family in dict.fromkeys(families):
        chosen = [i for i, own in enumerate(families) if own == family]
        limits[chosen] = LEVEL / corrected_for([least[i] for i in chosen])
    return limits, np.asarray(least) <= limits


def _partitions(classes: int, slices: Sequence[Slices], *, averaged: bool, by_class: bool) -> list[Partition]:
    width = classes if averaged else 1
    found = [Partition(ALL, ("all samples",), width, np.zeros(width, np.int64))]
    if by_class:
        found.append(Partition(CLASS, tuple(map(str, range(classes))), classes, np.arange(classes)))
    for one in slices:
        groups = np.repeat(np.arange(len(one.names)), width)
        found.append(Partition(one.name, one.names, len(groups), groups))
    return found


@dataclass(frozen=True)
class Layout:
    """One side's entries, sorted by cell: ``starts`` of the cells ``filled``; ``cell`` of each, unsorted."""

    cell: Array
    order: Array
    starts: Array
    filled: Array


def _layout(scores: Scores, p: Partition, slices: Sequence[Slices]) -> Layout:
    width = p.cells // len(p.names)
    column = scores.klass if p.by == CLASS or width > 1 else np.zeros_like(scores.klass)
    code = next((one.codes for one in slices if one.name == p.by), None)
    cell = column if code is None else code[scores.sample] * width + column
    order = np.argsort(cell, kind="stable")
    filled, starts = np.unique(cell[order], return_index=True)
    return Layout(cell, order, starts, filled)


def _sums(values: Array, weights: Array, at: Layout, cells: int) -> Array:
    """Weighted sums by cell, a column for each resample; ``weights`` of the sorted entries."""
    made = np.zeros((cells, weights.shape[1]))
    if len(at.starts):
        made[at.filled] = np.add.reduceat(weights * values[at.order, np.newaxis], at.starts, axis=0)
    return made


def _scores(scores: Scores, weights: Array, partitions: Sequence[Partition], layouts: Sequence[Layout]) -> Array:
    """The score of every group with these weights of the samples, a column for each resample; NaN without an element.

    Sums are of whole numbers, and so exact in any order.
    """
    found = []
    for p, at in zip(partitions, layouts, strict=True):
        of_entries = weights[scores.sample[at.order]]
        parts, wholes = (_sums(values, of_entries, at, p.cells) for values in (scores.part, scores.whole))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = parts / wholes * scores.unit
            if p.cells > len(p.names):
                there, first = wholes > 0, np.searchsorted(p.group_of, np.arange(len(p.names)))
                sums, counts = (np.add.reduceat(v, first, axis=0) for v in (np.where(there, ratio, 0.0), there * 1))
                ratio = sums / counts
        found.append(ratio)
    return np.concatenate(found)


def _resampled(
    scores: Mapping[str, Scores], partitions: Sequence[Partition], layouts: Mapping[str, Sequence[Layout]],
    point: Mapping[str, Array], resamples: int,
) -> dict[str, Array]:  # fmt: skip
    """Scores of resamples of the samples, the same ones for every side; where a group is missing in one, its own."""
    samples = next(iter(scores.values())).samples
    generator = np.random.default_rng(SEED)
    entries = max(samples, *(len(side.sample) for side in scores.values()))
    rows = max(1, BLOCK // max(1, entries))
    made: dict[str, list[Array]] = {side: [] for side in scores}
    for start in range(0, resamples, rows):
        drawn = generator.integers(0, samples, (min(rows, resamples - start), samples))
        weights = np.stack([np.bincount(one, minlength=samples) for one in drawn], axis=1).astype(np.float64)
        for side, found in scores.items():
            made[side].append(_scores(found, weights, partitions, layouts[side]))
    joined = {side: np.concatenate(blocks, axis=1).T for side, blocks in made.items()}
    return {side: np.where(np.isnan(values), point[side], values) for side, values in joined.items()}


def _tails(
    new: Scores, old: Scores, p: Partition, new_cells: Array, old_cells: Array, sign: int
) -> list[tuple[float, float]]:
    """For every group, the tail of its fall and the least that it could be (``falls.tail``).

    A sample's contribution is what it adds to the difference where both sides share one score: its change of parts
    less that score times its change of wholes, over the mean of both sides' wholes.
    """
    sums = []
    for scores, cells in ((new, new_cells), (old, old_cells)):
        sums.append([np.bincount(cells, v, p.cells) for v in (scores.part * scores.unit, scores.whole)])
    (new_part, new_whole), (old_part, old_whole) = sums
    whole = (new_whole + old_whole) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = np.where(whole > 0, (new_part + old_part) / (new_whole + old_whole), 0.0)
        in_group = np.bincount(p.group_of, whole > 0, len(p.names))
        scale = np.where(whole > 0, 1 / (whole * in_group[p.group_of]), 0.0)
    keys, values = [], []
    for scores, cells, side in ((new, new_cells, sign), (old, old_cells, -sign)):
        keys.append(p.group_of[cells] * new.samples + scores.sample)
        values.append(side * (scores.part * scores.unit - shared[cells] * scores.whole) * scale[cells])
    places, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    sizes = np.bincount(inverse, np.abs(np.concatenate(values)), len(places))
    found = np.bincount(inverse, np.concatenate(values), len(places))
    changed = np.abs(found) > NEGLIGIBLE * sizes
    found, group = found[changed], places[changed] // new.samples
    edges = np.searchsorted(group, np.arange(len(p.names) + 1))
    return [tail(found[a:b]) for a, b in pairwise(edges)]


def _sample_counts(scores: Scores, p: Partition, slices: Sequence[Slices]) -> Array:
    """The samples of every group; of a class, those that have an element of it."""
    if p.by == ALL:
        return np.array([scores.samples])
    if p.by == CLASS:
        return np.bincount(scores.klass, scores.whole > 0, len(p.names))
    return np.bincount(next(one.codes for one in slices if one.name == p.by), minlength=len(p.names))


def _percentiles(point: Array, drawn: Array) -> list[Bounds]:
    low, high = np.quantile(drawn, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2), axis=0)
    return [_bounds(*three) for three in zip(point, low, high, strict=True)]


def _simultaneous(point: Array, drawn: Array, families: Sequence[str], testable: Array) -> list[Bounds]:
    """Intervals that hold for all testable groups of a family at once; for its others, for the whole family."""
    spread = drawn.std(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        studentised = np.nan_to_num(np.where(spread > 0, np.abs(drawn - point) / spread, 0.0))
    widths = np.zeros(len(point))
    for family in dict.fromkeys(families):
        whole = np.array([own == family for own in families])
        for chosen in (whole, whole & testable):
            if chosen.any():
                widths[chosen] = np.quantile(studentised[:, chosen].max(axis=1), CONFIDENCE)
    margin = widths * np.nan_to_num(spread)
    return [_bounds(*three) for three in zip(point, point - margin, point + margin, strict=True)]


def _bounds(value: float, low: float, high: float) -> Bounds:
    return {"value": _round(value), "low": _round(low), "high": _round(high)}


def _round(value: float) -> float:
    return float(f"{0.0 if np.isnan(value) else value:.{DIGITS}g}")
