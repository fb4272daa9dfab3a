"""Calibration that gives doubtful scales: few samples, tensors that never change, data beyond its declared range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.core.parserwarnings import where
from trtbuild.core.warning import StepWarning

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array

# Scales below these lose digits: products of two float32 scales leave the normal numbers; a float16 scale is subnormal.
SMALLEST_SCALE: Mapping[str, float] = {"float32": 2.0**-67, "float16": 2.0**-14}
RANGE_SLACK = 1e-3  # of the declared span: rounding in preprocessing is not a fault
NARROW = 1 / 32  # of the declared span: [0, 1] in place of [0, 255], say
LEVELS = 127  # a range below the largest value by more than this saturates all that int8 could tell from zero
SMALLEST_RANGE = LEVELS * SMALLEST_SCALE["float32"]
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
class InputExtent(Extent):
    """An input's extent, and those of each of its samples."""

    samples: list[tuple[float, float]] = field(default_factory=list)
    elements: int = 0  # of the largest sample

    def see_samples(self, values: Array, rows: int) -> None:
        """The feed of one call whose first ``rows`` rows are samples; 0, or a scalar: all of it is one."""
        own = values[:rows] if rows and values.ndim else values[np.newaxis]
        self.see(own)
        if own.size:
            flat = own.reshape(len(own), -1)
            self.elements = max(self.elements, flat.shape[1])
            self.samples += zip(map(float, flat.min(axis=1)), map(float, flat.max(axis=1)), strict=True)

    def outside(self, low: float, high: float) -> int:
        """How many samples have a value below ``low`` or above ``high``."""
        return sum(least < low or most > high for least, most in self.samples)


@dataclass
class CalibrationStatistics:
    """What calibration saw: ``samples``, and the extents of ``inputs`` of the network and of quantised ``tensors``.

    ``different``: the number of samples that differ from each other, where it is known and fewer than there should be.
    """

    samples: int = 0
    inputs: dict[str, InputExtent] = field(default_factory=dict)
    tensors: dict[str, Extent] = field(default_factory=dict)
    different: int | None = None


def warnings(
    seen: CalibrationStatistics, ranges: Mapping[str, float], declared: Mapping[str, Sequence[float]], least: int,
    called: Mapping[str, str], scale_type: str = "float32",
) -> list[StepWarning]:  # fmt: skip
    """What makes the scales doubtful, each kind once, with the first few names.

    Args:
        ranges: what the algorithm chose, by tensor; declared: input -> (low, high) of the config.
        least: the number of samples below which there are too few.
        called: the name of a tensor in the source model, where it is known.
        scale_type: the type in which scales are stored.
    """
    found = []
    if seen.samples < least:
        what = f"calibrated with {seen.samples} sample{'s' if seen.samples != 1 else ''} only, fewer than {least}"
        hint = "give more (hundreds are usual), or lower calibration.min_samples"
        found.append(StepWarning(what, _DATA, hint))
    elif seen.different is not None and seen.different < least:
        only = f"only {seen.different} of {seen.samples} calibration samples are different, fewer than {least}"
        what = only if seen.different > 1 else f"all {seen.samples} calibration samples are the same"
        found.append(StepWarning(what, _DATA, "give more that differ"))
    found += _inputs(seen.inputs, declared)
    tensors, smallest = seen.tensors, SMALLEST_SCALE[scale_type]
    zero = [name for name, extent in tensors.items() if extent.largest == 0.0]
    constant = [name for name, extent in tensors.items() if extent.constant and name not in zero]
    tiny = [name for name in tensors if name not in zero and ranges[name] / LEVELS < smallest]
    cut = [name for name, e in tensors.items() if name not in tiny and 0.0 < ranges[name] < e.largest / LEVELS]
    hint = "give samples that make them vary, or keep their scope in float32 (model.overrides.int8.exclude_scopes)"
    said = partial(_tensors, called=called)
    found += said(zero, tensors, "zero in every calibration sample, so the scale means nothing", hint)
    found += said(constant, tensors, "constant over all calibration samples", hint)
    small = f"so small that the scale is below {smallest:.0e}, the least that {scale_type} holds with all its digits"
    found += said(tiny, tensors, small, hint)
    widen = "nearly all values are zero: use calibration=minmax, or a higher percentile"
    found += said(cut, tensors, f"cut off below 1/{LEVELS} of the largest value seen", widen)
    return found


def _tensors(
    names: Sequence[str], of: Mapping[str, Extent], what: str, hint: str, called: Mapping[str, str]
) -> Iterable[StepWarning]:
    if names:
        places = where(called.get(name, name) for name in names)
        verb = "is" if len(names) == 1 else "are"
        yield StepWarning(f"{len(names)} of {len(of)} quantised tensors {verb} {what}", places, hint)


def _inputs(inputs: Mapping[str, InputExtent], declared: Mapping[str, Sequence[float]]) -> Iterable[StepWarning]:
    for name, extent in sorted(inputs.items()):
        if extent.low == extent.high == 0.0:
            yield StepWarning(f"calibration data of input '{name}' is zero throughout", _DATA, "give real samples")
        elif extent.constant and extent.elements > 1:  # a flag or a factor may well be the same for all samples
            what = f"calibration data of input '{name}' is {extent.low:g} throughout"
            yield StepWarning(what, _DATA, "give real samples")
        if name not in declared or extent.low > extent.high:
            continue
        low, high = declared[name]
        slack = RANGE_SLACK * (high - low)
        data = f"calibration data of input '{name}' lies in [{extent.low:g}, {extent.high:g}]"
        span, beyond = f"declared range [{low:g}, {high:g}]", extent.outside(low - slack, high + slack)
        place, hint = (
            f"model.inputs.{name}.range",
            "preprocess it as the network expects it, or declare the right range",
        )
        if beyond:
            yield StepWarning(f"{data}: {beyond} of {len(extent.samples)} samples leave its {span}", place, hint)
        elif not extent.constant and extent.high - extent.low < NARROW * (high - low):
            yield StepWarning(f"{data}, a small part of its {span}", place, hint)
