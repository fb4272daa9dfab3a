"""Tests of layer files and logs that were damaged on their way: what can be read is inspected, or one line says why."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.latency.flame.test_damaged_files import damaged
from trtbuild.base.errors import ConfigError
from trtbuild.engine import engine
from trtbuild.engine.inspection import document, inspect
from trtbuild.engine.log import document as of_log
from trtbuild.engine.promise import prove
from trtbuild.engine.text import lines

DATA = Path(__file__).parents[1] / "data"
LOG = (DATA / "engine_logs" / "lenet-fp16-rtx-1.7-dynamic.log").read_text("utf-8")
RTX = {**of_log(LOG, "log"), "Profiles": {"image": [[1, 28, 28, 1], [4, 28, 28, 1], [8, 28, 28, 1]]}}
NATIVE = json.loads((DATA / "trt_profiles" / "trt10_resnet18_fp16.graph.json").read_text("utf-8"), strict=False)
DOCUMENTS: list[Any] = [
    {**RTX, "Layers": RTX["Layers"][1:4]},
    {**NATIVE, "Layers": [NATIVE["Layers"][0], NATIVE["Layers"][1], NATIVE["Layers"][-1]]},
]


def everything(content: Any) -> None:
    found = engine(content, "made here")
    made = inspect(found)
    document(made)
    assert lines(made)
    prove(found, {"lenet5_1/c1_1/BiasAdd": "float16"})


@pytest.mark.parametrize("profiles", [1, {"image": 1}, {"image": [[1], [4]]}, {"image": [[1], [4, 4], ["x"]]}])
def test_damaged_profiles_leave_the_optimum_open(profiles: Any) -> None:
    """An unknown size is None."""
    assert engine({"Layers": ["a"], "Profiles": profiles}, "made here").optimum is None


@given(data=st.data(), which=st.integers(0, 1))
def test_a_damaged_layer_file_is_inspected_or_named(data: st.DataObject, which: int) -> None:
    """From RTX and TensorRT; the only error is the one that a user sees as one line."""
    with contextlib.suppress(ConfigError):
        everything(damaged(data, DOCUMENTS[which]))


@given(
    cuts=st.lists(st.tuples(st.integers(0, len(LOG)), st.integers(0, 40), st.sampled_from(["", ", ", " }", "[", "x"])))
)
def test_a_damaged_log_is_inspected_or_named(cuts: list[tuple[int, int, str]]) -> None:
    """Cut, and with other characters in it."""
    text = LOG
    for at, length, other in cuts:
        text = text[:at] + other + text[at + length :]
    with contextlib.suppress(ConfigError):
        everything(of_log(text, "log"))
