"""Falls of single classes: how surely they are found, and how often one is named that did not happen.

Plants: in one class of 200 samples, 10 right answers become wrong (5 points); as many wrong ones elsewhere turn right,
so that the mean stays.  Nulls: both sides differ by chance alone: each sample's answer is drawn anew on either side
(independent resamples), or a few samples change in either direction, as between two precisions.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.arrays.slices import Slices
from trtbuild.deviation import groups
from trtbuild.deviation.samplescores import Scores

CLASSES, OF_EACH, PLANTS, PAIRS = 10, 200, 20, 200
FALL = 10  # of 200 samples: 5 points
Pair = tuple[str, Scores, Scores]


def top1(classes: int, right: Array) -> Scores:
    """Scores of samples whose classes take turns; ``right``: whether each was hit."""
    n = len(right)
    return Scores(n, np.arange(n), np.arange(n) % classes, right.astype(np.int64), np.ones(n, np.int64))


def planted(seed: int, classes: int = CLASSES) -> tuple[Scores, Scores, int]:
    """Old, new, and the class that fell."""
    draw = np.random.default_rng([seed, 0])
    old = draw.random(classes * OF_EACH) < 0.9
    new, klass = old.copy(), int(draw.integers(classes))
    own = np.arange(len(old)) % classes == klass
    new[draw.choice(np.flatnonzero(own & old), FALL, replace=False)] = False
    new[draw.choice(np.flatnonzero(~own & ~old), FALL, replace=False)] = True
    return top1(classes, old), top1(classes, new), klass


def drawn_anew(seed: int) -> Pair:
    """Both sides answer every sample independently, with the same chances by class."""
    draw = np.random.default_rng([seed, 1])
    chance = draw.uniform(0.6, 0.95, CLASSES)[np.arange(CLASSES * OF_EACH) % CLASSES]
    old, new = (top1(CLASSES, draw.random(len(chance)) < chance) for _ in range(2))
    return "top1", old, new


def few_changes(seed: int) -> Pair:
    """4 % of the samples change, right to wrong as often as wrong to right."""
    draw = np.random.default_rng([seed, 2])
    n = CLASSES * OF_EACH
    both, changed, side = draw.random(n) < 0.9, draw.random(n) < 0.04, draw.random(n) < 0.5
    return "top1", top1(CLASSES, np.where(changed, side, both)), top1(CLASSES, np.where(changed, ~side, both))


def masks(seed: int, fall: int | None = None) -> Pair:
    """Segmentation: intersections and unions of 8 classes on 100 samples, noise of 2 % of the pixels on either side."""
    draw = np.random.default_rng([seed, 3])
    n, classes = 100, 8
    sample, klass = np.repeat(np.arange(n), classes), np.tile(np.arange(classes), n)
    union = draw.integers(200, 2000, n * classes)
    share = draw.beta(18, 2, n * classes)
    sides = []
    for side in range(2):
        off = draw.normal(0, 0.02, n * classes) - (0.05 if side and fall is not None else 0.0) * (klass == fall)
        sides.append(Scores(n, sample, klass, np.clip((share + off) * union, 0, union).astype(np.int64), union))
    return "mean_iou", sides[0], sides[1]


def false_alarms(pair: Callable[[int], Pair], pairs: int) -> int:
    """How many of the pairs have a group that is said to have fallen."""
    count = 0
    for seed in range(pairs):
        metric, old, new = pair(seed)
        count += any(group["fell"] for group in groups.compare(metric, new, old)["groups"])
    return count


def found(seeds: int, classes: int = CLASSES) -> int:
    """How many plants are found: the class that fell, and no other group."""
    count = 0
    for seed in range(seeds):
        old, new, klass = planted(seed, classes)
        fell = [(g["by"], g["name"]) for g in groups.compare("top1", new, old)["groups"] if g["fell"]]
        count += fell == [("class", str(klass))]
    return count


def measure(say: Callable[[str, str, str], None]) -> None:
    for classes in (CLASSES, 100):
        what = f"falls of 5 points of one of {classes} classes, mean unchanged"
        say(what, f"{found(PLANTS, classes)} of {PLANTS} found", f"bar {PLANTS}")
    fallen = 0
    for seed in range(PLANTS):
        metric, old, new = masks(seed, fall=seed % 8)
        names = [g["name"] for g in groups.compare(metric, new, old)["groups"] if g["fell"] and g["by"] == "class"]
        fallen += names == [str(seed % 8)]
    say("falls of 5 points of IoU of one of 8 classes", f"{fallen} of {PLANTS} found", "")
    for name, pair in (("answers drawn anew", drawn_anew), ("4 % changed either way", few_changes), ("masks", masks)):
        say(f"false alarms, {name}", f"{false_alarms(pair, PAIRS)} of {PAIRS} pairs", "bar 1")
    draw = np.random.default_rng(7)
    old, new = (top1(1000, draw.random(10_000) < 0.8) for _ in range(2))
    slices = [Slices("weather", ("dry", "rain", "snow"), draw.integers(0, 3, 10_000))]
    start = time.perf_counter()
    groups.compare("top1", new, old, slices)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    say("10,000 samples, 1000 classes, 3 slices", f"{time.perf_counter() - start:.1f} s", f"peak {peak / 1e9:.2f} GB")
