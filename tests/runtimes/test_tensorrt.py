"""Tests of the code that executes engines: its buffers, shapes, dtypes, clock and profiler.

Over a TensorRT that copies (tests/faketensorrt.py), and the real driver where there is one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import fakegpu

INPUT = {"dtype": "FLOAT", "profile": [[1, 3], [2, 3], [4, 3]]}
PLAN = {"inputs": {"x": INPUT}, "outputs": {"y": {"of": "x"}}}
START = """
import json, sys
from pathlib import Path
import ml_dtypes
import numpy as np
from trtbuild.runtimes import tensorrt

RUNTIME = {"flavour": "tensorrt", "tensorrt": "10.0.0", "device": {"gpu": "a GPU", "compute_capability": "8.9"}}
PLAN = Path(sys.argv[1])
rng = np.random.default_rng(0)

def said(work):
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""


def run(folder: Path, plan: Any, script: str) -> Any:
    """What a script prints as JSON, in a process that finds the driver and the TensorRT that copies."""
    file = folder / "engine.plan"
    file.write_text(plan if isinstance(plan, str) else json.dumps(plan), "utf-8")
    argv = [sys.executable, "-c", START + script, str(file)]
    done = subprocess.run(argv, cwd=folder, env=fakegpu.environment(folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_what_goes_through_the_device_comes_back_to_the_byte(tmp_path: Path) -> None:
    """Batches of every size in the profile, in turns, so that buffers are used again and grow."""
    script = """
session = tensorrt.open_session(PLAN, RUNTIME)
feeds = [rng.normal(size=(n, 3)).astype(np.float32) for n in (1, 4, 2, 3, 4)]
same = [session.run({"x": x})["y"].tobytes() == x.tobytes() for x in feeds]
print(json.dumps([same, dict(session.about)]))
"""
    same, about = run(tmp_path, PLAN, script)

    assert same == [True] * 5
    assert about == {
        "runtime": "tensorrt", "version": "10.0.0", "providers": ["a GPU, compute capability 8.9"],
        "executes": "engine", "emulated": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dtype", "numpy"),
    [("HALF", "np.float16"), ("BF16", "ml_dtypes.bfloat16"), ("INT8", "np.int8"), ("INT64", "np.int64"),
     ("BOOL", "np.bool_"), ("UINT8", "np.uint8")],
)  # fmt: skip
def test_every_dtype_has_an_array(tmp_path: Path, dtype: str, numpy: str) -> None:
    """bfloat16 too, by the extension type, which the recorded outputs widen without loss."""
    plan = {"inputs": {"x": {**INPUT, "dtype": dtype}}, "outputs": {"y": {"of": "x"}}}
    script = f"""
x = rng.integers(0, 2, (4, 3)).astype({numpy})
y = tensorrt.open_session(PLAN, RUNTIME).run({{"x": x}})["y"]
from trtbuild.arrays import outputs
print(json.dumps([y.dtype == x.dtype, y.tobytes() == x.tobytes(), outputs._numbers("y", y).tolist() == x.tolist()]))
"""
    assert run(tmp_path, plan, script) == [True, True, True]


def test_an_output_whose_shape_hangs_on_the_data_has_that_shape(tmp_path: Path) -> None:
    """It gets its room while the engine runs."""
    plan = {**PLAN, "outputs": {"y": {"of": "x"}, "some": {"of": "x", "rows": 2}}}
    script = """
session = tensorrt.open_session(PLAN, RUNTIME)
x = rng.normal(size=(4, 3)).astype(np.float32)
first, second = session.run({"x": x}), session.run({"x": x[:1]})
print(json.dumps([first["some"].tolist() == x[:2].tolist(), first["y"].tolist() == x.tolist(), second["some"].shape]))
"""
    assert run(tmp_path, plan, script) == [True, True, [1, 3]]


def test_what_an_engine_does_not_take_is_said_in_one_line(tmp_path: Path) -> None:
    """A shape outside the profile, another dtype, a type without arrays, a damaged plan."""
    script = """
session = tensorrt.open_session(PLAN, RUNTIME)
print(json.dumps([said(lambda: session.run({"x": np.zeros((5, 3), np.float32)})),
                  said(lambda: session.run({"x": np.zeros((1, 3))}))]))
"""
    shape, dtype = run(tmp_path, PLAN, script)
    opening = "print(json.dumps(said(lambda: tensorrt.open_session(PLAN, RUNTIME))))"
    strange = {"inputs": {"x": {**INPUT, "dtype": "INT4"}}, "outputs": {}}

    assert shape.endswith("'x' has shape [5, 3], outside the profile; it goes from [1, 3] to [4, 3]")
    assert "input 'x' is float64, the engine takes float32" in dtype
    assert "'x' is int4, which no array holds" in run(tmp_path, strange, opening)
    assert run(tmp_path, "damaged", opening).startswith(
        "EngineError: engine.plan: the engine cannot be loaded: the plan"
    )


def test_another_version_than_the_engines_is_refused(tmp_path: Path) -> None:
    """A plan is of its exact version."""
    said = run(
        tmp_path, PLAN, 'print(json.dumps(said(lambda: tensorrt.open_session(PLAN, {**RUNTIME, "tensorrt": "11"}))))'
    )
    assert said.startswith("ToolchainError: tensorrt.version: the toolchain has tensorrt 10.0.0, but 11 is declared")


def test_time_is_taken_on_the_device(tmp_path: Path) -> None:
    """By events, and ``about`` says so and what is left out."""
    large = {"inputs": {"x": {**INPUT, "profile": [[1, 1 << 22]] * 3}}, "outputs": {"y": {"of": "x"}}}
    script = """
session = tensorrt.open_timed(PLAN, RUNTIME, 1)
feeds = {"x": rng.normal(size=(1, 1 << 22)).astype(np.float32)}
us = [session.time_us(feeds) for _ in range(20)]
same = session.run(feeds)["y"].tobytes() == feeds["x"].tobytes()
print(json.dumps([us, session.about["clock"], session.about["copies"], same]))
"""
    us, clock, copies, same = run(tmp_path, large, script)

    assert min(us) > 0 and same
    assert (clock, copies) == ("CUDA events", "copies between host and GPU are not included")


def test_layers_of_equal_names_stay_apart(tmp_path: Path) -> None:
    """Rows as trtexec writes them; the first runs, which compile and allocate, are dropped."""
    script = """
found = tensorrt.profile_nodes(PLAN, RUNTIME, 1, {"x": np.zeros((2, 3), np.float32)}, 0.0, 9)
print(json.dumps([found.times, found.op_types, found.rows, found.layers["Bindings"]]))
"""
    times, op_types, rows, bindings = run(tmp_path, PLAN, script)

    assert times == {"copy": [0.25] * 3, "copy #2": [0.5] * 3}
    assert op_types["copy #2"] == op_types["copy"]
    assert rows[0] == {"count": 3}
    assert [(row["name"], row["averageMs"], row["percentage"]) for row in rows[1:]] == [
        ("copy", 0.25, 33.3333), ("copy", 0.5, 66.6667),
    ]  # fmt: skip
    assert bindings == ["x", "y"]


def test_a_full_memory_is_an_error_of_the_place(tmp_path: Path) -> None:
    """Not of the model."""
    script = """
from trtbuild.trt.cuda import Cuda
print(json.dumps(said(lambda: Cuda().allocate(1 << 50))))
"""
    assert run(tmp_path, PLAN, script).startswith("PlaceError: runtime: the GPU's memory is full (cuMemAlloc_v2")
