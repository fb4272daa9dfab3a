"""Tests of contenders as processes: how one ends, and that none is left."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import graph
from trtbuild.arrays import arrayfile
from trtbuild.base.errors import ModelError, WorkerDied
from trtbuild.latency import contender

PARAMS: dict[str, Any] = {"side": "lowered", "threads": 1, "source": {"kind": "onnx"}, "inputs": {},
                          "runtime": {"module": "onnxruntime", "providers": ["CPUExecutionProvider"]}}  # fmt: skip


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Start one on a graph; whatever is started is stopped."""
    arrayfile.write_npz(tmp_path / "feeds.npz", {"x": np.zeros(2, np.float32)})
    started = []

    def one(name: str, text: str = "float[2] x => float[2] y { y = Relu(x) }") -> contender.Contender:
        onnx.save(graph(text), tmp_path / f"{name}.onnx")
        inputs = {"feeds": tmp_path / "feeds.npz", "graph": tmp_path / f"{name}.onnx"}
        started.append(contender.Contender(name, tmp_path / name, PARAMS, inputs, str(tmp_path)))
        return started[-1]

    yield one
    for each in started:
        each.stop()


def kill(one: contender.Contender) -> None:
    os.kill(one._child._process._popen.pid, signal.SIGKILL)


def test_one_that_dies_is_left_out_and_the_others_go_on(start: Any) -> None:
    """Whatever killed it is the reason on the page."""
    made = {"good": start("good"), "dead": start("dead")}
    kill(made["dead"])
    measured, failed = contender.measure(made, warmup_s=0.0, seconds=0.01, rounds=2)

    assert [len(us) > 0 for us in measured["good"].rounds] == [True, True]
    assert isinstance(failed["dead"], WorkerDied)
    assert "died of SIGKILL" in str(failed["dead"])


def test_one_that_dies_while_it_is_timed_has_no_numbers(start: Any) -> None:
    """Half its rounds would be compared with all of the others'."""
    dying = start("dying")
    about = dying.loaded()
    kill(dying)

    with pytest.raises(WorkerDied):
        dying.measure(0.0, 0.01)
    assert about["executes"] == "graph"


def test_a_graph_that_loads_but_does_not_run_is_the_models_error(start: Any) -> None:
    """Said by the process, in the runtime's words."""
    bad = start("bad", "float[2] x => float[3] y { s = Constant<value_ints=[3]>() y = Reshape(x, s) }")

    with pytest.raises(ModelError, match="ONNX Runtime cannot"):
        bad.loaded()


class Slow:
    """A contender whose calls take longer than a round should."""

    def __init__(self) -> None:
        self.asked = list[tuple[float, float]]()

    def loaded(self) -> dict[str, str]:
        return {}

    def measure(self, warmup_s: float, seconds: float) -> contender.Round:
        self.asked.append((warmup_s, round(seconds, 6)))
        calls = max(1, -(-seconds // 0.07))
        return {"start_s": 0.0, "us": [70_000.0] * int(calls)}


def test_the_time_is_that_of_all_rounds_together() -> None:
    """What a call takes beyond its round, the next one is shorter by; each has a call."""
    slow: Any = Slow()
    measured, _ = contender.measure({"slow": slow}, warmup_s=0.2, seconds=0.5, rounds=5)

    assert [seconds for _, seconds in slow.asked] == [0.1, 0.06, 0.09, 0.05, 0.08]
    assert sum(map(len, measured["slow"].rounds)) == 8
    assert [warmup for warmup, _ in slow.asked] == [0.2, *[contender.AGAIN * 0.2] * 4]
