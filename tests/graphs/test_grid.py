"""Tests of TensorFlow's quantisation grids; the numbers were read from TensorFlow 2.21."""

from __future__ import annotations

import numpy as np
import pytest

from trtbuild.graphs.grid import fake_quant, quantise_and_dequantise

F = np.float32


def of(low: float, high: float, *, narrow: bool = False) -> tuple[int, int, np.float32]:
    grid = fake_quant(F([low]), F([high]), narrow=narrow, axis=None)
    return grid.low.item(), grid.high.item(), grid.scale.item()


@pytest.mark.parametrize(
    ("low", "high", "narrow", "steps"),
    [
        (-3.0, 3.0, False, (-128, 127)),
        (-3.0, 3.0, True, (-127, 127)),
        (0.0, 6.0, False, (0, 255)),
        (0.0, 6.0, True, (0, 254)),
        (-1.0, 3.0, False, (-64, 191)),
        (2.0, 6.0, False, (0, 255)),  # zero is always on the grid
        (0.0, 0.0, False, (0, 0)),
    ],
)
def test_zero_is_on_the_grid_of_fake_quantisation(
    low: float, high: float, narrow: bool, steps: tuple[int, int]
) -> None:
    """Its range moves for that, by TensorFlow's own formula."""
    assert of(low, high, narrow=narrow)[:2] == steps


def test_scales_are_tensorflows_to_the_last_bit() -> None:
    """In float32, as TensorFlow computes them."""
    assert of(-3.0, 3.0)[2] == F(6) / F(255) and of(0.0, 6.0, narrow=True)[2] == F(6) / F(254)


def test_a_symmetric_range_may_fall_to_the_other_side() -> None:
    """Where float32 puts 127.5 below the half, as for -1 to 1, the zero is 127; int8 has the steps negated."""
    ends = np.linspace(0.1, 10, 400, dtype=F)
    grids = [fake_quant(F([-end]), F([end]), narrow=False, axis=None) for end in ends]

    assert {(-128, 127), (-127, 128)} == {(grid.low.item(), grid.high.item()) for grid in grids}
    assert all(grid.is_int8 != grid.is_mirrored for grid in grids) and of(-1, 1)[:2] == (-127, 128)
    assert all(grid.is_int8 or grid.mirrored().is_int8 for grid in grids)


def test_only_symmetric_ranges_are_int8() -> None:
    """A ReLU's is not, nor one that is wider on one side."""
    grids = [fake_quant(F([low]), F([high]), narrow=False, axis=None) for low, high in ((0, 6), (-1, 3), (-3, 3))]

    assert [grid.is_int8 for grid in grids] == [False, False, True]
    assert grids[0].zero_point.item() == 0 and grids[1].zero_point.item() == 64


@pytest.mark.parametrize(("signed", "narrow", "steps"), [(True, False, (-128, 127)), (True, True, (-127, 127)),
                                                         (False, False, (0, 255))])  # fmt: skip
def test_quantise_and_dequantise_takes_the_larger_scale(signed: bool, narrow: bool, steps: tuple[int, int]) -> None:
    """Of the two sides."""
    grid = quantise_and_dequantise(F([-1]), F([2]), signed=signed, narrow=narrow, axis=None, even=True)

    assert (grid.low.item(), grid.high.item()) == steps
    assert grid.scale.item() == F(2) / F(255 if not signed else 127)


def test_halves_are_rounded_up_or_to_even() -> None:
    """fake_quant rounds up; quantize_and_dequantize to even, unless told otherwise."""
    halves = F([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    up = fake_quant(F([-127]), F([127]), narrow=True, axis=None)
    even = quantise_and_dequantise(F([-127]), F([127]), signed=True, narrow=True, axis=None, even=True)

    assert up.quantise(halves).tolist() == [-2, -1, 0, 1, 2, 3]
    assert even.quantise(halves).tolist() == [-2, -2, 0, 0, 2, 2]


def test_channels_have_their_own_scales_and_clamps() -> None:
    """Along their axis."""
    grid = fake_quant(F([-1, -2]), F([1, 2]), narrow=True, axis=1)

    assert grid.quantise(F([[0.5, 0.5], [9, -9]])).tolist() == [[64, 32], [127, -127]]


def test_ranges_that_were_never_trained_are_doubted() -> None:
    """Those where TensorFlow starts, and those of zero; a trained one of 6 on one side is not."""
    doubts = [fake_quant(F([a]), F([b]), narrow=n, axis=None).doubt for a, b, n in
              ((-6, 6, False), (-6, 6, True), (0, 0, False), (0, 6, False), (-5.9, 5.9, False))]  # fmt: skip

    assert [bool(doubt) for doubt in doubts] == [True, True, True, False, False]
