"""Statistics of latency samples that are neither independent nor normal: percentiles, intervals, effective n, outliers.

Samples come in rounds: runs of consecutive calls with pauses between them.  All intervals are two-sided 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.documents.latency import Bounds, Outliers, SideNumbers

SEED = 20_090_717  # fixed: equal samples give equal intervals
CONFIDENCE = 0.95
REPLICATES, FEWEST_REPLICATES = 1000, 200
_MOST_DRAWS = 20_000_000  # replicates x samples: about two seconds
_DRAWS_HELD = 1 << 18  # of them at once
# Upper 2.5 % points of Student's t for 1, 2, ... degrees of freedom; beyond the table its last entry, a little wide.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
      2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)  # fmt: skip
_Z = 1.959964  # its limit: the normal distribution's
_FEWEST_ROUNDS = 3  # below, Student's t of round medians is wider than any use


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


def percentile(ordered: Array, p: float) -> Array:
    """The p-th percentile along the last, sorted axis, by trtexec's rule; ``p`` 50 is the median.

    Index n - 1 - int((1 - p/100) n), no interpolation, and the mean of the two middle samples for the median
    (sampleReporting.cpp of TensorRT 8.4 to 11.1).
    """
    n = ordered.shape[-1]
    if p == 50:
        return np.asarray((ordered[..., (n - 1) // 2] + ordered[..., n // 2]) / 2)
    return np.asarray(ordered[..., _index(n, p)])


def _index(n: int, p: float) -> int:
    return max(0, n - 1 - int((100 - p) * n / 100))  # exact where 1 - p/100 is not


def needed_for(p: float) -> int:
    """The fewest independent samples whose largest is above the p-th percentile with 95 % confidence.

    >>> [needed_for(p) for p in (50, 90, 99)]
    [5, 29, 299]
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(p / 100))


def autocorrelation(rounds: Sequence[Array]) -> Array:
    """Autocorrelation of the samples' ranks at lags 0, 1, ... up to half the longest round.

    Ranks, because one slow call would hide the correlation of all others.  Products stay inside a round; the mean is
    that of all rounds, so that a difference between rounds counts as correlation (which it is).
    """
    ranks = _ranks(np.concatenate(rounds))
    ranks -= ranks.mean()
    variance = float(np.mean(np.square(ranks)))
    lags = max(len(r) for r in rounds) // 2
    if variance == 0.0:
        return np.array([1.0, *np.zeros(lags)])
    sums, pairs = np.zeros(lags + 1), np.zeros(lags + 1)
    start = 0
    for length in (len(r) for r in rounds):
        part = ranks[start : start + length]
        spectrum = np.fft.rfft(part, 2 * length)
        products = np.fft.irfft(spectrum * np.conj(spectrum))[: min(length, lags + 1)]
        sums[: len(products)] += products
        pairs[: len(products)] += length - np.arange(len(products))
        start += length
    return np.asarray(sums / np.maximum(pairs, 1) / variance)


def _ranks(samples: Array) -> Array:
    """Ranks, equal samples sharing their mean (whole microseconds tie often)."""
    _, inverse, counts = np.unique(samples, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(middle[inverse], dtype=np.float64)


def first_zero(correlation: Array) -> int:
    """The first lag without positive correlation: samples further apart are as good as independent."""
    below = np.flatnonzero(correlation <= 0)
    return int(below[0]) if below.size else int(correlation.size)


def effective_n(rounds: Sequence[Array]) -> float:
    """n / (1 + 2 sum of the autocorrelation up to its first zero): so many independent samples would say as much."""
    correlation = autocorrelation(rounds)
    n = sum(len(r) for r in rounds)
    return float(n / (1 + 2 * correlation[1 : first_zero(correlation)].sum()))


def block_length(rounds: Sequence[Array]) -> int:
    """Length of the blocks that are resampled whole: three times the first zero, at least n^(1/3), at most a round.

    A block has to be much longer than the correlation it keeps, since every seam between blocks cuts it.
    """
    n = sum(len(r) for r in rounds)
    wanted: int = max(math.ceil(n ** (1 / 3)), 3 * first_zero(autocorrelation(rounds)))
    return max(1, min(wanted, *(len(r) for r in rounds)))


def resample(rounds: Sequence[Array], percentiles: Sequence[float], seed: int) -> tuple[Array, Array]:
    """Moving-block bootstrap (Künsch 1989): percentiles [replicates, percentiles] and means [replicates].

    Blocks start anywhere in a round and never cross its end.
    """
    samples, block = np.concatenate(rounds), block_length(rounds)
    n = len(samples)
    offsets = np.cumsum([0, *(len(r) for r in rounds[:-1])])
    starts = np.concatenate([np.arange(o, o + len(r) - block + 1) for o, r in zip(offsets, rounds, strict=True)])
    replicates = int(np.clip(_MOST_DRAWS // n, FEWEST_REPLICATES, REPLICATES))
    chosen = sorted({i for p in percentiles for i in (((n - 1) // 2, n // 2) if p == 50 else (_index(n, p),))})
    generator = np.random.default_rng(seed)
    found, means = np.empty((replicates, len(percentiles))), np.empty(replicates)
    for part in _slices(replicates, max(1, _DRAWS_HELD // n)):
        rows = part.stop - part.start
        first = starts[generator.integers(0, len(starts), (rows, -(-n // block)))]
        drawn = samples[(first[..., None] + np.arange(block)).reshape(rows, -1)[:, :n]]
        means[part] = drawn.mean(axis=1)
        drawn.partition(chosen, axis=1)
        found[part] = np.stack([percentile(drawn, p) for p in percentiles], axis=1)
    return found, means


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _bounds(values: Array) -> tuple[float, float]:
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def summarise(rounds: Sequence[Array], batch: int) -> SideNumbers:
    """The numbers of one side, in milliseconds; ``rounds`` are arrays of milliseconds, at least one call in all.

    A percentile whose upper bound the effective n does not allow is None (the median stays, without bounds).  ``cv``
    is population based, as trtexec's; ``throughput_per_s`` is samples (not calls) a second.  Outliers are counted by
    Tukey's fences and stay in.
    """
    rounds = [np.asarray(r, np.float64) for r in rounds if len(r)]
    samples = np.concatenate(rounds)
    ordered = np.sort(samples)
    n_eff = effective_n(rounds)
    resampled, means = resample(rounds, (50, 90, 99), SEED)
    mean = float(samples.mean())
    low, high = _bounds(means)
    p50, p90, p99 = (
        _percentile(ordered, p, _bounds(resampled[:, i]), n_eff) if n_eff >= needed_for(p) else None
        for i, p in enumerate((50, 90, 99))
    )
    return {
        "n": len(samples), "n_eff": round(n_eff, 1), "block": block_length(rounds),
        "mean_ms": rounded(Interval(mean, low, high)),
        "min_ms": _round(ordered[0]), "max_ms": _round(ordered[-1]),
        "cv": round(float(samples.std()) / mean, 6) if mean else None,
        "throughput_per_s": round(1000 * batch / mean, 3) if mean else None,
        "outliers": outliers(ordered),
        "rounds": [{"n": len(r), "p50_ms": _round(np.median(r)), "min_ms": _round(r.min())} for r in rounds],
        "p50_ms": {"value": _round(percentile(ordered, 50)), "low": None, "high": None} if p50 is None else {**p50},
        "p90_ms": p90, "p99_ms": p99,
    }  # fmt: skip


def _percentile(ordered: Array, p: float, resampled: tuple[float, float], n_eff: float) -> Bounds:
    """With the wider ends of the bootstrap's interval and of the order statistics'."""
    low, high = order_statistics(ordered, p, n_eff)
    return rounded(Interval(float(percentile(ordered, p)), min(resampled[0], low), max(resampled[1], high)))


def order_statistics(ordered: Array, p: float, n_eff: float) -> tuple[float, float]:
    """Samples at the ranks between which the p-th percentile lies, were ``n_eff`` of them independent (Woodruff 1952).

    The bootstrap alone is too narrow where few blocks are left to draw from: at 20 to 60 effective samples it covered
    75 to 85 % of AR(1) series, the wider ends of both 93 to 97 %.
    """
    q = p / 100
    half = _Z * math.sqrt(q * (1 - q) / n_eff)
    ranks = np.clip([q - half, q + half], 0, 1) * len(ordered)
    low, high = (int(i) for i in np.clip([math.floor(ranks[0]), math.ceil(ranks[1])], 0, len(ordered) - 1))
    return float(ordered[low]), float(ordered[high])


def outliers(ordered: Array) -> Outliers:
    """Samples beyond 1.5 (mild) and 3 (severe) interquartile ranges from the quartiles (Tukey 1977)."""
    q1, q3 = np.percentile(ordered, [25, 75])
    iqr = q3 - q1
    high = [int((ordered > q3 + fence * iqr).sum()) for fence in (1.5, 3.0)]
    low = [int((ordered < q1 - fence * iqr).sum()) for fence in (1.5, 3.0)]
    return {
        "mild_high": high[0] - high[1], "mild_low": low[0] - low[1], "severe_high": high[1], "severe_low": low[1],
    }  # fmt: skip


def ratio_of_medians(rounds: Sequence[Array], other: Sequence[Array]) -> Interval:
    """Median of ``rounds`` over median of ``other``, with the wider ends of two intervals.

    The block bootstrap sees noise inside the rounds.  Student's t on the logarithms of the ratios round by round
    (the rounds are interleaved pairs) sees what changes from round to round: clocks, neighbours, memory layout.
    """
    a, b = ([np.asarray(r, np.float64) for r in side] for side in (rounds, other))
    value = float(np.median(np.concatenate(a)) / np.median(np.concatenate(b)))
    first, _ = resample([r for r in a if len(r)], (50,), SEED)
    second, _ = resample([r for r in b if len(r)], (50,), SEED + 1)
    count = min(len(first), len(second))
    low, high = _bounds(first[:count, 0] / second[:count, 0])
    pairs = [math.log(np.median(x) / np.median(y)) for x, y in zip(a, b, strict=False) if len(x) and len(y)]
    if len(pairs) >= _FEWEST_ROUNDS:
        half = _T[min(len(pairs) - 1, len(_T)) - 1] * float(np.std(pairs, ddof=1)) / math.sqrt(len(pairs))
        middle = float(np.mean(pairs))
        low, high = min(low, math.exp(middle - half)), max(high, math.exp(middle + half))
    return Interval(value, min(low, value), max(high, value))


def rounded(interval: Interval) -> Bounds:
    return {"value": _round(interval.value), "low": _round(interval.low), "high": _round(interval.high)}


def _round(value: SupportsFloat) -> float:
    return round(float(value), 6)  # a nanosecond, in milliseconds
