"""Calibration that gives doubtful scales: few samples, tensors that never change, data beyond its declared range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.core.parserwarnings import where
from trtbuild.core.warning import StepWarning

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array

# The next sample exceeds n earlier ones with probability 1/(n+1): for fewer than 10 that is about 10 % or more.
FEW_SAMPLES = 10
SMALLEST_RANGE = 2.0**-60  # below it, products of two scales leave float32's normal numbers
RANGE_SLACK = 1e-3  # of the declared span: rounding in preprocessing is not a fault
NARROW = 1 / 32  # of the declared span: [0, 1] in place of [0, 255], say
LEVELS = 127  # a range below the largest value by more than this saturates all that int8 could tell from zero
_DATA = "model.data.calibration"


@dataclass
class Extent:
    """The least and the largest value of one tensor in all samples."""

    low: float = np.inf
    high: float = -np.inf

    def see(self, values: Array) -> None:
        if values.size:
            self.low = min(self.low, float(values.min()))
            self.high = max(self.high, float(values.max()))

    @property
    def constant(self) -> bool:
        return self.low >= self.high

    @property
    def largest(self) -> float:
        return max(abs(self.low), abs(self.high)) if self.low <= self.high else 0.0


@dataclass
class CalibrationStatistics:
    """What calibration saw: ``samples``, and the extents of ``inputs`` of the network and of quantised ``tensors``."""

    samples: int = 0
    inputs: dict[str, Extent] = field(default_factory=dict)
    tensors: dict[str, Extent] = field(default_factory=dict)


def warnings(
    seen: CalibrationStatistics, ranges: Mapping[str, float], declared: Mapping[str, Sequence[float]]
) -> list[StepWarning]:
    """What makes the scales doubtful, each kind once, with the first few names.

    Args:
        ranges: what the algorithm chose, by tensor; declared: input -> (low, high) of the config.
    """
    found = []
    if seen.samples < FEW_SAMPLES:
        what = f"calibrated with {seen.samples} sample{'s' if seen.samples != 1 else ''} only"
        found.append(StepWarning(what, _DATA, f"give {FEW_SAMPLES} or more; hundreds are usual"))
    found += _inputs(seen.inputs, declared)
    tensors = seen.tensors
    zero = [name for name, extent in tensors.items() if extent.largest == 0.0]
    constant = [name for name, extent in tensors.items() if extent.constant and name not in zero]
    tiny = [name for name in tensors if name not in zero and ranges[name] < SMALLEST_RANGE]
    cut = [name for name, e in tensors.items() if name not in tiny and 0.0 < ranges[name] < e.largest / LEVELS]
    hint = "give samples that make them vary, or keep their scope in float32 (model.overrides.int8.exclude_scopes)"
    found += _tensors(zero, tensors, "zero in every calibration sample, so the scale means nothing", hint)
    found += _tensors(constant, tensors, "constant over all calibration samples", hint)
    found += _tensors(tiny, tensors, f"below {SMALLEST_RANGE:.0e} in every sample: the scale underflows", hint)
    widen = "nearly all values are zero: use calibration=minmax, or a higher percentile"
    found += _tensors(cut, tensors, f"cut off below 1/{LEVELS} of the largest value seen", widen)
    return found


def _tensors(names: Sequence[str], of: Mapping[str, Extent], what: str, hint: str) -> Iterable[StepWarning]:
    if names:
        yield StepWarning(f"{len(names)} of {len(of)} quantised tensor(s) are {what}", where(names), hint)


def _inputs(inputs: Mapping[str, Extent], declared: Mapping[str, Sequence[float]]) -> Iterable[StepWarning]:
    for name, extent in sorted(inputs.items()):
        if extent.low == extent.high == 0.0:
            yield StepWarning(f"calibration data of input '{name}' is zero throughout", _DATA, "give real samples")
        if name not in declared or extent.low > extent.high:
            continue
        low, high = declared[name]
        slack = RANGE_SLACK * (high - low)
        data = f"calibration data of input '{name}' lies in [{extent.low:g}, {extent.high:g}]"
        place, hint = (
            f"model.inputs.{name}.range",
            "preprocess it as the network expects it, or declare the right range",
        )
        if extent.low < low - slack or extent.high > high + slack:
            yield StepWarning(f"{data}, beyond its declared range [{low:g}, {high:g}]", place, hint)
        elif not extent.constant and extent.high - extent.low < NARROW * (high - low):
            yield StepWarning(f"{data}, a small part of its declared range [{low:g}, {high:g}]", place, hint)
