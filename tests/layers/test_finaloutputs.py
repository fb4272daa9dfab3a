"""Tests of the check that taps change nothing: final outputs of tapped runs against those without taps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trtbuild.layers.finaloutputs import FinalOutputs

VALUES = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)


@pytest.mark.parametrize(("by", "equal"), [(0.0, True), (1e-2, False)])
def test_the_largest_difference_is_told(tmp_path: Path, by: float, equal: bool) -> None:
    """Of the rows that were run, in the output's units and relative to its RMS."""
    np.savez(tmp_path / "outputs.npz", y=np.concatenate([VALUES, VALUES + 9]))
    final = FinalOutputs()
    final.keep("lowered", {"y": VALUES + np.float32([[by, 0], [0, 0]])})
    found = final.compare("lowered", tmp_path / "outputs.npz", None)

    assert (found["compared"], found["equal"]) == (["y"], equal)
    assert found["max_abs"] == pytest.approx(by, rel=1e-4)
    assert found["nrmse"] == pytest.approx(by / 5.0, rel=1e-4)


def test_filled_rows_do_not_count(tmp_path: Path) -> None:
    """A batch may be longer than its samples."""
    np.savez(tmp_path / "outputs.npz", y=VALUES)
    final = FinalOutputs()
    final.keep("lowered", {"y": VALUES + np.float32([[0], [1]])})

    assert final.compare("lowered", tmp_path / "outputs.npz", 1)["equal"]


def test_nothing_compared_is_not_equal(tmp_path: Path) -> None:
    """No output has the same shape, or there was none."""
    np.savez(tmp_path / "outputs.npz", y=VALUES)
    final = FinalOutputs({"lowered": {"y": VALUES[:, :1], "z": VALUES}})

    assert final.compare("lowered", tmp_path / "outputs.npz", None)["compared"] == []
    assert not final.compare("exported", tmp_path / "outputs.npz", None)["equal"]
