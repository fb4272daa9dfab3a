"""Tests of what is said of calibration that gives doubtful scales."""

from __future__ import annotations

import numpy as np
import pytest

from trtbuild.graphs.degenerate import FEW_SAMPLES, CalibrationStatistics, Extent, warnings


def extent(*values: float) -> Extent:
    made = Extent()
    for value in values:
        made.see(np.array([value], np.float32))
    return made


def said(
    tensors: dict[str, Extent] | None = None, image: Extent | None = None, *, count: int = 100, clip: float = 1.0
) -> list[str]:
    """All that is said; each range is the largest value times ``clip``."""
    tensors = tensors or {}
    seen = CalibrationStatistics(count, {"image": image or extent(0, 1)}, tensors)
    found = warnings(seen, {name: e.largest * clip for name, e in tensors.items()}, {"image": (0.0, 1.0)})
    return [f"{warning.where}: {warning.what}" for warning in found]


def test_good_calibration_is_no_warning() -> None:
    """Values that move, within the declared range; rounding beyond it is not a fault."""
    assert said({"a": extent(-1, 2)}, extent(0, 1.0001)) == []


@pytest.mark.parametrize(("count", "words"), [(1, "1 sample only"), (FEW_SAMPLES - 1, "9 samples only")])
def test_few_samples(count: int, words: str) -> None:
    """The next input would exceed every range with a chance above one in ten."""
    assert said(count=count) == [f"model.data.calibration: calibrated with {words}"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, 0), "zero in every calibration sample, so the scale means nothing"),
        ((), "zero in every calibration sample, so the scale means nothing"),
        ((-2.5, -2.5), "constant over all calibration samples"),
        ((0, 1e-30), "below 9e-19 in every sample: the scale underflows"),
    ],
)
def test_a_tensor_that_says_nothing(values: tuple[float, ...], words: str) -> None:
    """Named, with how many there are; the others are not."""
    good, bad = {"good": extent(-1, 1)}, {f"bad{i}": extent(*values) for i in range(5)}

    assert said(good | bad) == [f"bad0, bad1, bad2 and 2 more: 5 of 6 quantised tensor(s) are {words}"]


def test_a_range_that_cuts_nearly_everything_off() -> None:
    """The percentile of a tensor that is nearly always zero is next to zero."""
    (line,) = said({"a": extent(0, 100)}, clip=1 / 500)

    assert line == "a: 1 of 1 quantised tensor(s) are cut off below 1/127 of the largest value seen"


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (extent(0, 255), "lies in [0, 255], beyond its declared range [0, 1]"),
        (extent(-1, 1), "lies in [-1, 1], beyond its declared range [0, 1]"),
        (extent(0, 1 / 255), "lies in [0, 0.00392157], a small part of its declared range [0, 1]"),
    ],
)
def test_data_that_is_not_what_was_declared(image: Extent, words: str) -> None:
    """Pixels of the wrong scale calibrate a network that will never see them."""
    assert said(image=image) == [f"model.inputs.image.range: calibration data of input 'image' {words}"]


def test_an_input_of_zeros() -> None:
    """Within any range, and no sample at all."""
    assert said(image=extent(0, 0)) == ["model.data.calibration: calibration data of input 'image' is zero throughout"]


def test_an_undeclared_range_is_not_judged() -> None:
    """Nothing says what the values should be."""
    assert warnings(CalibrationStatistics(100, {"x": extent(0, 255)}), {}, {}) == []
