"""Tests of what is said of calibration that gives doubtful scales."""

from __future__ import annotations

import numpy as np
import pytest

from trtbuild.graphs.degenerate import CalibrationStatistics, Extent, InputExtent, warnings

LEAST = 10


def extent(*values: float) -> Extent:
    made = Extent()
    for value in values:
        made.see(np.array([value], np.float32))
    return made


def samples(*values: float) -> InputExtent:
    """An input of one sample for each value."""
    made = InputExtent()
    made.see_samples(np.array(values, np.float32), len(values))
    return made


def said(
    tensors: dict[str, Extent] | None = None, image: InputExtent | None = None, *, count: int = 100, clip: float = 1.0,
    scale_type: str = "float32", different: int | None = None,
) -> list[str]:  # fmt: skip
    """All that is said; each range is the largest value times ``clip``."""
    tensors = tensors or {}
    seen = CalibrationStatistics(count, {"image": image or samples(0, 1)}, tensors, different)
    ranges = {name: e.largest * clip for name, e in tensors.items()}
    found = warnings(seen, ranges, {"image": (0.0, 1.0)}, LEAST, {"a": "conv/Relu"}, scale_type)
    return [f"{warning.where}: {warning.what}" for warning in found]


def test_good_calibration_is_no_warning() -> None:
    """Values that move, within the declared range; rounding beyond it is not a fault."""
    assert said({"a": extent(-1, 2)}, samples(0, 1.0001)) == []


@pytest.mark.parametrize(("count", "words"), [(1, "1 sample only"), (LEAST - 1, "9 samples only")])
def test_few_samples(count: int, words: str) -> None:
    """The next input would exceed every range with a chance above one in ten."""
    assert said(count=count) == [f"model.data.calibration: calibrated with {words}, fewer than {LEAST}"]


@pytest.mark.parametrize(
    ("different", "words"),
    [
        (1, "all 100 calibration samples are the same"),
        (9, "only 9 of 100 calibration samples are different, fewer than 10"),
    ],
)
def test_copies_are_not_more_samples(different: int, words: str) -> None:
    """A folder of one image a hundred times."""
    assert said(different=different) == [f"model.data.calibration: {words}"]
    assert said(different=LEAST) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, 0), "zero in every calibration sample, so the scale means nothing"),
        ((), "zero in every calibration sample, so the scale means nothing"),
        ((-2.5, -2.5), "constant over all calibration samples"),
        ((0, 1e-30), "so small that the scale is below 7e-21, the least that float32 holds with all its digits"),
    ],
)
def test_a_tensor_that_says_nothing(values: tuple[float, ...], words: str) -> None:
    """Named, with how many there are; the others are not."""
    good, bad = {"good": extent(-1, 1)}, {f"bad{i}": extent(*values) for i in range(5)}

    assert said(good | bad) == [f"bad0, bad1, bad2 and 2 more: 5 of 6 quantised tensors are {words}"]


def test_a_range_that_cuts_nearly_everything_off() -> None:
    """The percentile of a tensor that is nearly always zero is next to zero."""
    (line,) = said({"a": extent(0, 100)}, clip=1 / 500)

    assert line == "conv/Relu: 1 of 1 quantised tensors is cut off below 1/127 of the largest value seen"


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (samples(0, 255), "lies in [0, 255]: 1 of 2 samples leave its declared range [0, 1]"),
        (samples(-1, 1, 9), "lies in [-1, 9]: 2 of 3 samples leave its declared range [0, 1]"),
        (samples(0, 1 / 255), "lies in [0, 0.00392157], a small part of its declared range [0, 1]"),
    ],
)
def test_data_that_is_not_what_was_declared(image: InputExtent, words: str) -> None:
    """Pixels of the wrong scale calibrate a network that will never see them."""
    assert said(image=image) == [f"model.inputs.image.range: calibration data of input 'image' {words}"]


def test_an_input_of_zeros() -> None:
    """Within any range, and no sample at all."""
    assert said(image=samples(0, 0)) == ["model.data.calibration: calibration data of input 'image' is zero throughout"]


def test_an_input_that_never_changes() -> None:
    """Pixels, that is; a flag or a factor, one number for each sample, may be the same for all of them."""
    picture = InputExtent()
    picture.see_samples(np.full((3, 4), 0.5, np.float32), 3)

    assert said(image=picture) == ["model.data.calibration: calibration data of input 'image' is 0.5 throughout"]
    assert said(image=samples(0.5, 0.5, 0.5)) == []


def test_an_undeclared_range_is_not_judged() -> None:
    """Nothing says what the values should be."""
    assert warnings(CalibrationStatistics(100, {"x": samples(0, 255)}), {}, {}, LEAST, {}) == []


def test_a_half_scale_underflows_long_before_a_float_one() -> None:
    """float16 has no normal number below 2^-14: activations up to 0.007 are scaled by a subnormal one."""
    tensors = {"small": extent(0, 0.007), "large": extent(0, 0.01)}

    assert said(tensors) == []
    (line,) = said(tensors, scale_type="float16")
    assert line.startswith("small: 1 of 2 quantised tensors is so small that the scale is below 6e-05")


def test_samples_are_judged_one_by_one() -> None:
    """Rows that pad a static batch are not samples, and a scalar is one sample."""
    made = InputExtent()
    made.see_samples(np.array([[0, 9], [1, 1], [1, 1]], np.float32), 2)
    made.see_samples(np.array(7, np.float32), 1)

    assert made.samples == [(0, 9), (1, 1), (7, 7)]
    assert made.outside(0, 8) == 1
