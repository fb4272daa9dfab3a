"""Tests of running all samples through a session and keeping what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trtbuild.arrays.outputs import Recording, load, record, run_all
from trtbuild.arrays.samples import Samples
from trtbuild.base.errors import ModelError

STATIC = {"x": {"dtype": "float32", "shape": [4, 1]}}
DYNAMIC = {"x": {"dtype": "float32", "shape": [None, 1], "profile": {"min": 1, "opt": 2, "max": 3}}}


class Session:
    """A session that computes one function."""

    about: Mapping[str, Any] = {}

    def __init__(self, compute: Callable[[Any], Any]) -> None:
        self.compute = compute

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        return {"y": self.compute(feeds["x"])}


def samples(count: int) -> Samples:
    return Samples({"x": np.arange(count, dtype=np.float32)[:, None]}, count, "data")


def recorded(
    folder: Path, compute: Callable[[Any], Any], count: int = 5, inputs: Any = DYNAMIC
) -> tuple[Any, Recording]:
    about = record(folder / "out.npz", run_all(Session(compute), samples(count), inputs))
    return np.load(folder / "out.npz")["y"], about


@pytest.mark.parametrize("inputs", [STATIC, DYNAMIC], ids=["static", "dynamic"])
def test_each_sample_has_one_output(tmp_path: Path, inputs: dict[str, Any]) -> None:
    """In order, without the padding of a static batch."""
    found, about = recorded(tmp_path, lambda x: 2 * x, 7, inputs)

    np.testing.assert_array_equal(found, 2 * samples(7).arrays["x"])
    assert about == Recording(7, {"y": "sample"})


def test_a_number_for_each_call(tmp_path: Path) -> None:
    """A scalar output has one entry for each call, and that is recorded; the samples are still counted."""
    found, about = recorded(tmp_path, np.sum)

    np.testing.assert_array_equal(found, [3, 7])
    assert about == Recording(5, {"y": "call"})


def test_outputs_of_varying_shape_are_compared_by_element(tmp_path: Path) -> None:
    """Shapes that depend on the data are joined flat, in their order."""
    found, about = recorded(tmp_path, lambda x: np.full((2, len(x)), x[0, 0]))

    assert found.tolist() == [0.0] * 6 + [3.0] * 4
    assert about.rows == {"y": "other"}


def test_detections_of_varying_number_are_no_samples(tmp_path: Path) -> None:
    """Rows that the data decides are joined as rows, but no row is a sample."""
    found, about = recorded(tmp_path, lambda x: np.zeros((1 + len(x), 4)))

    assert found.shape == (7, 4)
    assert about.rows == {"y": "other"}


@pytest.mark.parametrize("dtype", ["float16", "float64", "int64", "uint8", "bool"])
def test_recorded_bytes_are_those_of_the_joined_array(tmp_path: Path, dtype: str) -> None:
    """Written row by row or at once: the same file, and it comes back as it was."""
    found, _ = recorded(tmp_path, lambda x: x.astype(dtype), 7)
    whole = samples(7).arrays["x"]
    record(tmp_path / "whole.npz", run_all(Session(lambda x: whole.astype(dtype)), samples(1), DYNAMIC))

    assert (tmp_path / "out.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert (found.dtype, found.tolist()) == (np.dtype(dtype), whole.astype(dtype).tolist())


def test_an_output_may_be_called_file_or_be_empty(tmp_path: Path) -> None:
    """Any name that a graph can have, any number of rows."""
    session = Session(lambda x: x)
    session.run = lambda feeds: {"file": feeds["x"][:0]}  # type: ignore[method-assign]
    record(tmp_path / "out.npz", run_all(session, samples(2), DYNAMIC))

    assert {name: array.shape for name, array in load(tmp_path / "out.npz").items()} == {"file": (0, 1)}


@pytest.mark.parametrize("dtype", ["U3", "complex64", object])
def test_an_output_without_real_numbers_is_refused(tmp_path: Path, dtype: Any) -> None:
    """Half of a complex number would be compared silently."""
    with pytest.raises(ModelError, match=r"output 'y' holds .*, not real numbers"):
        recorded(tmp_path, lambda x: x.astype(dtype))


def test_bfloat16_is_kept_as_the_float32_it_is(tmp_path: Path) -> None:
    """The .npy format has no bfloat16."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    found, _ = recorded(tmp_path, lambda x: x.astype(ml_dtypes.bfloat16))

    assert (found.dtype, found[:, 0].tolist()) == (np.float32, [0, 1, 2, 3, 4])
