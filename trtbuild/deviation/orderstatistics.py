"""Exact percentiles of numbers that do not fit in memory, by radix selection on their bits over several passes.

The bit pattern of a non-negative float64 grows with its value (IEEE 754), so a histogram of the leading bits shows
which of them the k-th smallest has; each pass adds 16 bits, until the numbers that share them can be sorted in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from trtbuild.arrays.arrayfile import Array

HELD_ELEMENTS = 1 << 20  # sorted in memory at once: 8 MB
_STEP = 16  # bits per pass


def percentiles(values: Callable[[], Iterator[Array]], count: int, wanted: Sequence[float]) -> list[float]:
    """Percentiles with linear interpolation, equal to ``numpy.percentile`` of all values to the last bit.

    Args:
        values: starts one pass over ``count`` float64 numbers >= 0 (no NaN), in blocks.
        wanted: percentages in [0, 100].
    """
    # numpy/lib/_function_base_impl.py, method "linear": the same operations in the same order.
    places = [(count - 1) * (q / 100) for q in wanted]
    ranks = sorted({rank for place in places for rank in (int(place), min(int(place) + 1, count - 1))})
    statistics = order_statistics(values, count, ranks)
    return [_between(statistics[int(p)], statistics[min(int(p) + 1, count - 1)], p - int(p)) for p in places]


def _between(low: float, high: float, share: float) -> float:
    step = high - low
    return high - step * (1 - share) if share >= 0.5 else low + step * share


def order_statistics(values: Callable[[], Iterator[Array]], count: int, ranks: Sequence[int]) -> dict[int, float]:
    """The numbers at ``ranks`` (0 is the smallest) among ``count`` values, given as to :func:`percentiles`."""
    # Prefix (leading bits) -> the ranks that fall in it, relative to its smallest element; and its number of elements.
    open_ranks: dict[int, dict[int, int]] = {0: {rank: rank for rank in ranks}}
    sizes, bits = {0: count}, 0
    while bits < 64 and sum(sizes.values()) > HELD_ELEMENTS:
        counts = {prefix: np.zeros(1 << _STEP, np.int64) for prefix in open_ranks}
        shift = np.uint64(64 - bits - _STEP)
        for block in values():
            leading = block.view(np.uint64) >> shift
            for prefix, counted in counts.items():
                counted += np.bincount(_inside(leading, prefix, _STEP) & np.uint64(0xFFFF), minlength=1 << _STEP)
        open_ranks, sizes = _narrow(open_ranks, counts)
        bits += _STEP
    if bits == 64:  # all bits are known: the numbers are equal, however many
        whole = np.array(list(open_ranks), np.uint64).view(np.float64)
        return {rank: float(v) for v, inside in zip(whole, open_ranks.values(), strict=True) for rank in inside}
    held: dict[int, list[Array]] = {prefix: [] for prefix in open_ranks}
    for block in values():
        for prefix, parts in held.items():
            parts.append(block if not bits else block[_matches(block, prefix, bits)])
    statistics: dict[int, float] = {}
    for prefix, inside in open_ranks.items():
        joined = np.concatenate(held.pop(prefix))
        joined.sort()
        statistics |= {rank: float(joined[place]) for rank, place in inside.items()}
    return statistics


def _matches(block: Array, prefix: int, bits: int) -> Array:
    found: Array = (block.view(np.uint64) >> np.uint64(64 - bits)) == np.uint64(prefix)
    return found


def _inside(leading: Array, prefix: int, step: int) -> Array:
    chosen: Array = leading[(leading >> np.uint64(step)) == np.uint64(prefix)]
    return chosen


def _narrow(
    open_ranks: dict[int, dict[int, int]], counts: dict[int, Array]
) -> tuple[dict[int, dict[int, int]], dict[int, int]]:
    narrowed: dict[int, dict[int, int]] = {}
    sizes: dict[int, int] = {}
    for prefix, inside in open_ranks.items():
        ends = np.cumsum(counts[prefix])
        for rank, place in inside.items():
            bucket = int(np.searchsorted(ends, place, side="right"))
            longer = prefix << _STEP | bucket
            before = int(ends[bucket - 1]) if bucket else 0
            narrowed.setdefault(longer, {})[rank] = place - before
            sizes[longer] = int(counts[prefix][bucket])
    return narrowed, sizes
