"""Tests of calibration: what a quantizer is shown of every tensor, call by call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.graphs.test_qdq import draw, two_layers
from tests.support.graphs import Array, graph
from trtbuild.arrays.samples import Samples
from trtbuild.base.errors import DataError
from trtbuild.runtimes import calibration

INPUTS = {"x": {"dtype": "float32", "shape": [None, 2]}}


class Recorder:
    """A quantizer that keeps what it sees."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Array]] = {}

    def observe(self, tensor: str, values: Any) -> None:
        self.seen.setdefault(tensor, []).append(np.array(values))

    def ranges(self) -> dict[str, float]:
        return {name: max(float(np.abs(v).max()) for v in values) for name, values in self.seen.items()}


def samples(*rows: list[float]) -> Samples:
    return Samples({"x": np.array(rows, np.float32)}, len(rows), "data")


def test_calibration_sees_every_tensor_on_every_sample() -> None:
    """Graph inputs and computed tensors, batch by batch."""
    recorder = Recorder()
    parts = [samples([1, 2], [3, 4], [5, 6])]
    seen = calibration.calibrate(two_layers(), ["x", "r"], parts, INPUTS, 2, recorder)

    assert seen.samples == 3
    assert (seen.tensors["x"].low, seen.tensors["x"].high, seen.inputs["x"].high) == (1, 6, 6)
    assert [len(v) for v in recorder.seen["x"]] == [len(v) for v in recorder.seen["r"]] == [2, 1]
    np.testing.assert_array_equal(np.concatenate(recorder.seen["x"]), [[1, 2], [3, 4], [5, 6]])
    assert (np.concatenate(recorder.seen["r"]) >= 0).all()


def test_calls_are_smaller_where_what_is_watched_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is a request: memory is bounded by the budget, or by one sample."""
    for budget, sizes in ((24, [2, 1]), (23, [1, 1, 1]), (1, [1, 1, 1])):  # r has 12 bytes
        monkeypatch.setattr(calibration, "WATCHED_BYTES", budget)
        recorder = Recorder()
        calibration.calibrate(two_layers(), ["r"], [samples([1, 2], [3, 4], [5, 6])], INPUTS, 3, recorder)

        assert [len(values) for values in recorder.seen["r"]] == sizes


def test_samples_of_several_sizes_are_run_size_by_size() -> None:
    """Each part has its own shape; together they are one calibration."""
    recorder = Recorder()
    dynamic = {"x": {"dtype": "float32", "shape": [None, None]}}
    model = graph("float[N,M] x => float[N,M] y { r = Relu(x) y = Mul(r, r) }")
    seen = calibration.calibrate(model, ["r"], [samples([1, 2]), samples([3, 4, 5], [6, 7, 8])], dynamic, 2, recorder)

    assert seen.samples == 3 and seen.tensors["r"].high == 8
    assert [values.shape for values in recorder.seen["r"]] == [(1, 2), (2, 3)]


def test_padding_counts_nowhere_in_tensors_with_more_rows_than_samples() -> None:
    """A network that puts channels or windows into the first dimension has several rows for each sample."""
    recorder = Recorder()
    static = {"x": {"dtype": "float32", "shape": [2, 2]}}
    model = graph("float[2,2] x => float[4,1] y { r = Reshape(x, s) y = Relu(r) }", s=np.array([4, 1]))
    calibration.calibrate(model, ["r"], [samples([1, 2], [3, 4], [5, 6])], static, 2, recorder)

    assert np.concatenate(recorder.seen["r"]).ravel().tolist() == [1, 2, 3, 4, 5, 6]


def test_calibration_of_inputs_alone_runs_nothing() -> None:
    """A graph whose only operand is its input needs no session."""
    recorder = Recorder()
    calibration.calibrate(two_layers(), ["x"], [samples([1, 2])], INPUTS, 2, recorder)

    assert list(recorder.seen) == ["x"]


def test_an_activation_that_overflows_is_named() -> None:
    """A range of infinity would make every scale infinite."""
    model = graph("float[N,2] x => float[N,2] y { h = Exp(x) y = MatMul(h, w) }", w=draw(2, 2))
    with pytest.raises(DataError, match="data: 'h' becomes NaN or infinite during calibration"):
        calibration.calibrate(model, ["h"], [samples([1, 2], [1000, 0])], INPUTS, 2, Recorder())


def test_padding_is_no_sample() -> None:
    """The last sample is not counted several times where the batch is static."""
    recorder = Recorder()
    static = {"x": {"dtype": "float32", "shape": [2, 2]}}
    model = graph("float[2,2] x => float[2,2] y { r = Relu(x) y = MatMul(r, w) }", w=draw(2, 2))
    calibration.calibrate(model, ["r"], [samples([1, 2], [3, 4], [5, 6])], static, 2, recorder)

    assert sum(len(values) for values in recorder.seen["r"]) == 3
