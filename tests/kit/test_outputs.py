"""Tests of running all samples through a session and keeping what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trtbuild.kit.data import Samples
from trtbuild.kit.outputs import load, run_all, save

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


@pytest.mark.parametrize("inputs", [STATIC, DYNAMIC], ids=["static", "dynamic"])
def test_each_sample_has_one_output(inputs: dict[str, Any]) -> None:
    """In order, and without what fills up a static batch."""
    found = run_all(Session(lambda x: 2 * x), samples(7), inputs)

    np.testing.assert_array_equal(found["y"], 2 * samples(7).arrays["x"])


def test_a_number_for_each_call() -> None:
    """A scalar output has one entry a call."""
    np.testing.assert_array_equal(run_all(Session(np.sum), samples(5), DYNAMIC)["y"], [3, 7])


def test_outputs_of_varying_shape_are_compared_by_element() -> None:
    """Shapes that hang on the data are joined flat."""
    assert run_all(Session(lambda x: np.zeros((2, len(x)))), samples(5), DYNAMIC)["y"].shape == (10,)


def test_equal_arrays_are_equal_bytes(tmp_path: Path) -> None:
    """The order of outputs does not count, and they come back as they were."""
    arrays = {"b": np.arange(3), "a": np.float16([[1.5]])}
    for name, found in (("one", arrays), ("two", dict(reversed(arrays.items())))):
        save(tmp_path / f"{name}.npz", found)

    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert {k: (v.dtype, v.tolist()) for k, v in load(tmp_path / "one.npz").items()} == {
        k: (v.dtype, v.tolist()) for k, v in arrays.items()
    }


def test_an_output_may_be_called_file(tmp_path: Path) -> None:
    """Any name that a graph can have."""
    save(tmp_path / "out.npz", {"file": np.zeros(1)})

    assert list(load(tmp_path / "out.npz")) == ["file"]
