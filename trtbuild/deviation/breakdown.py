"""Where errors are: by channel, position, sample, class decision, and size of the reference; all in bounded memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.deviation.accumulate import Largest, Sum, reduced, short
from trtbuild.deviation.errorblocks import Block
from trtbuild.deviation.histograms import LOG10_EDGES, Bins
from trtbuild.deviation.layout import Classes, NoClasses, channel_axis

WORST_CHANNELS, WORST_SAMPLES = 20, 10
CHANNELS_HELD = 1 << 16  # a longer axis is not a channel axis
MAP_CELLS = 32  # along each axis of a heat map: 1024 numbers
STRIP_GROUPS = 256  # along the strip of samples
RTOL = (0.0, 1e-5, 1e-4, 1e-3, 1e-2)
# Bins of log10 |error| against log10 |reference|, two per decade: first 0, then all below, the bins, and all above.
PER_DECADE, ERROR_LOWEST, REFERENCE_LOWEST, HIGHEST = 2, -12, -8, 6
ERROR_BINS = (HIGHEST - ERROR_LOWEST) * PER_DECADE + 3
REFERENCE_BINS = (HIGHEST - REFERENCE_LOWEST) * PER_DECADE + 3


class Channels:
    """Root mean square, largest and signed mean error of each entry along one axis."""

    def __init__(self, shape: tuple[int, ...], axis: int) -> None:
        self._axis, size = axis, shape[axis]
        self._others = tuple(i for i in range(len(shape)) if i != axis)
        self._square, self._signed, self._finite = Sum((size,)), Sum((size,)), np.zeros(size, np.int64)
        self._max = np.zeros(size)

    def add(self, block: Block) -> None:
        others = self._others
        with np.errstate(over="ignore"):
            self._square.add(reduced(np.add, np.square(block.error), others))
        self._signed.add(reduced(np.add, block.signed, others))
        np.maximum(self._max, reduced(np.maximum, block.error, others), out=self._max)
        if block.finite is None:
            self._finite += block.error.size // len(self._max)
        else:
            self._finite += block.finite.sum(axis=others)

    def result(self) -> dict[str, Any]:
        count = np.maximum(self._finite, 1)
        rmse, bias = np.sqrt(self._square.values / count), self._signed.values / count
        order = np.lexsort((np.arange(len(rmse)), -rmse))[:WORST_CHANNELS]
        return {
            "axis": self._axis,
            "count": len(rmse),
            "worst": [
                {"channel": int(c), "rmse": short(rmse[c]), "max": short(self._max[c]), "bias": short(bias[c])}
                for c in order
                if self._finite[c]
            ],
        }


class Positions:
    """Mean and largest error along two axes, over all others; each axis is cut into at most MAP_CELLS cells."""

    def __init__(self, shape: tuple[int, ...], axes: tuple[int, int]) -> None:
        self._axes = axes
        self._shape = [shape[a] for a in axes]
        self._others = tuple(i for i in range(len(shape)) if i not in axes)
        self._starts = [cell_starts(n, MAP_CELLS) for n in self._shape]
        cells = (len(self._starts[0]), len(self._starts[1]))
        self._sum, self._max, self._finite = Sum(cells), np.zeros(cells), np.zeros(cells)

    def add(self, block: Block) -> None:
        with np.errstate(over="ignore"):
            self._sum.add(self._cells(np.add, reduced(np.add, block.error, self._others)))
        largest = self._cells(np.maximum, reduced(np.maximum, block.error, self._others))
        np.maximum(self._max, largest, out=self._max)
        if block.finite is None:
            each = block.error.size // math.prod(self._shape)
            self._finite += self._cells(np.add, np.full(self._shape, float(each)))
        else:
            self._finite += self._cells(np.add, block.finite.sum(axis=self._others, dtype=np.float64))

    def _cells(self, reduce: Any, values: Array) -> Array:
        made: Array = reduce.reduceat(reduce.reduceat(values, self._starts[0], 0), self._starts[1], 1)
        return made

    def result(self) -> dict[str, Any]:
        mean = self._sum.values / np.maximum(self._finite, 1)
        return {
            "axes": list(self._axes), "shape": self._shape, "starts": self._starts,
            "mean": [[short(v) for v in row] for row in mean],
            "max": [[short(v) for v in row] for row in self._max],
        }  # fmt: skip


class PerSample:
    """Largest and root mean square error of each sample: the worst samples, and all of them as a strip of groups."""

    def __init__(self, count: int) -> None:
        self._count = count
        groups = min(count, STRIP_GROUPS)
        self._max, self._square, self._finite = np.zeros(groups), Sum((groups,)), np.zeros(groups, np.int64)
        self._worst = Largest(WORST_SAMPLES)
        self._least = math.inf

    def add(self, block: Block) -> None:
        rows = len(block.error)
        error = block.error.reshape(rows, -1)
        finite = np.full(rows, error.shape[1]) if block.finite is None else block.finite.reshape(rows, -1).sum(1)
        with np.errstate(over="ignore"):
            largest, square = error.max(1), np.square(error).sum(1)
        groups = (np.arange(block.start, block.start + rows) * len(self._max)) // self._count
        np.maximum.at(self._max, groups, largest)
        self._square.add(np.bincount(groups, square, len(self._max)))
        self._finite += np.bincount(groups, finite, len(self._max)).astype(np.int64)
        self._least = min(self._least, float(largest.min()))
        rmse = np.sqrt(square / np.maximum(finite, 1))
        for sample, value in self._worst.add(largest, block.start):
            note = {"sample": sample, "max": short(value), "rmse": short(rmse[sample - block.start])}
            self._worst.keep(sample, note)

    def result(self) -> dict[str, Any]:
        rmse = np.sqrt(self._square.values / np.maximum(self._finite, 1))
        groups = len(self._max)
        return {
            "count": self._count,
            "first": [-(-i * self._count // groups) for i in range(groups)],  # sample of each group
            "max": [short(v) for v in self._max],
            "rmse": [short(v) for v in rmse],
            "least_max": short(self._least) if math.isfinite(self._least) else None,
            "worst": self._worst.kept(),
        }


class Agreement:
    """How often the two sides choose different classes, and on which samples most often."""

    def __init__(self, classes: Classes, *, per_sample: bool) -> None:
        self._classes, self._per_sample = classes, per_sample
        self._compared = self._differ = self._left_out = 0
        self._worst = Largest(WORST_SAMPLES)

    def add(self, block: Block) -> None:
        r, y = block.native
        axis = self._classes.axis
        if axis is None:
            differ, whole = np.asarray(r != y), np.ones(r.shape, bool)
        else:
            differ = np.asarray(r.argmax(axis) != y.argmax(axis))
            whole = np.ones(differ.shape, bool) if block.finite is None else np.asarray(block.finite.all(axis))
        differ &= whole
        self._compared += int(whole.sum())
        self._left_out += int((~whole).sum())
        self._differ += int(differ.sum())
        if self._per_sample and differ.size:
            rows = len(differ)
            share = differ.reshape(rows, -1).sum(1) / np.maximum(whole.reshape(rows, -1).sum(1), 1)
            for sample, value in self._worst.add(share, block.start):
                self._worst.keep(sample, {"sample": sample, "share": short(value)})

    def result(self) -> dict[str, Any]:
        return {
            "axis": self._classes.axis, "by": self._classes.by, "compared": self._compared, "differ": self._differ,
            "rate": self._differ / self._compared if self._compared else None, "left_out": self._left_out,
            "worst": self._worst.kept(),
        }  # fmt: skip


class Tolerance:
    """For each rtol, the smallest atol with |y - r| <= atol + rtol |r| for every element, evaluated in float64."""

    def __init__(self) -> None:
        self._atol = dict.fromkeys(RTOL, 0.0)

    def add(self, error: Array, size: Array) -> None:
        for rtol in RTOL:
            allowed = rtol * size
            needed = error - allowed
            above = needed > self._atol[rtol]
            if above.any():
                needed, allowed, e = needed[above], allowed[above], error[above]
                short_of = needed + allowed < e  # the difference was rounded down
                self._atol[rtol] = float(np.where(short_of, np.nextafter(needed, np.inf), needed).max())

    def result(self) -> list[dict[str, float | None]]:
        return [{"rtol": rtol, "atol": atol if math.isfinite(atol) else None} for rtol, atol in self._atol.items()]


class Breakdown:
    """All of the above in one pass."""

    def __init__(self, shape: tuple[int, ...], *, per_sample: bool, classes: Classes | NoClasses) -> None:
        dimensions, empty = len(shape), not math.prod(shape)
        axes = [] if dimensions < 2 or empty else sorted({1, dimensions - 1})
        self._channels = [Channels(shape, axis) for axis in axes if shape[axis] <= CHANNELS_HELD]
        self._positions: Positions | None = None
        if dimensions > 2 and not empty:
            spatial = [a for a in range(1, dimensions) if dimensions == 3 or a != channel_axis(shape)]
            self._positions = Positions(shape, (spatial[-2], spatial[-1]))
        self._samples = PerSample(shape[0]) if per_sample and not empty else None
        self._classes = classes
        self._agreement = Agreement(classes, per_sample=per_sample) if isinstance(classes, Classes) else None
        self._tolerance = Tolerance()
        self._joint = np.zeros(ERROR_BINS * REFERENCE_BINS, np.int64)

    def add(self, block: Block, bins: Array) -> None:
        """``bins``: the bin in the histogram of log10 |error| of every finite element."""
        if not block.error.size:
            return
        size = np.abs(block.chosen(block.reference))
        self._tolerance.add(block.chosen(block.error), size)
        self._joint += np.bincount(_FIRST_OF.take(bins) + _reference_bins(size), minlength=self._joint.size)
        for part in (*self._channels, self._positions, self._samples, self._agreement):
            if part is not None:
                part.add(block)

    def result(self) -> dict[str, Any]:
        found = np.flatnonzero(self._joint)
        why = self._classes.why if isinstance(self._classes, NoClasses) else None
        return {
            "channels": [part.result() for part in self._channels],
            "positions": self._positions.result() if self._positions else None,
            "samples": self._samples.result() if self._samples else None,
            "argmax": self._agreement.result() if self._agreement else None,
            "no_argmax": why,
            "tolerance": self._tolerance.result(),
            # [bin of the error, bin of the reference, elements], empty ones left out
            "by_magnitude": [[int(i) // REFERENCE_BINS, int(i) % REFERENCE_BINS, int(self._joint[i])] for i in found],
        }


def cell_starts(length: int, cells: int) -> list[int]:
    """First index of each of at most ``cells`` cells of nearly equal length."""
    cells = min(length, cells)
    return [-(-i * length // cells) for i in range(cells)]


_reference_bins = Bins(
    np.array([10.0 ** (i / PER_DECADE) for i in range(REFERENCE_LOWEST * PER_DECADE, HIGHEST * PER_DECADE + 1)])
)
# Bin of |error| in the histogram, which has four times as many -> its first bin in the joint histogram.
_FIRST_OF = np.array([i if i < 2 else (i - 2) // 4 + 2 for i in range(len(LOG10_EDGES) + 2)]) * REFERENCE_BINS
