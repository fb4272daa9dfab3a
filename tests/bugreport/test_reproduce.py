"""Tests of repro.py, run as a maintainer runs it: by itself, beside the model."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from polygraphy.comparator import RunResults
from polygraphy.json import load_json

from tests.support.graphs import graph
from trtbuild.bugreport import reproduce
from trtbuild.reducing.failure import Failure
from trtbuild.suite.case import TOLERANCES

HERE = version("tensorrt-rtx")
REFUSED = Failure("parse", "parse", "Det", "", "UNSUPPORTED_NODE: refused by checkDet")
BAD, GOOD = "float[1,2,2] x => float[1] y { y = Det(x) }", "float[2] x => float[2] y { y = Relu(x) }"


def repro(folder: Path, model: Any, failure: Failure, module: str = "tensorrt_rtx", **more: Any) -> tuple[int, str]:
    script = reproduce.trt_script(
        model, failure, "tensorrt-rtx", HERE, more.get("profiles", {}), tf32=False, limit_s=60
    )
    return run(folder, script.replace('"tensorrt_rtx"', f'"{module}"'), {"model.onnx": model.SerializeToString()})


def run(folder: Path, script: str, files: dict[str, bytes]) -> tuple[int, str]:
    for name, content in {**files, "repro.py": script.encode()}.items():
        (folder / name).write_bytes(content)
    done = subprocess.run([sys.executable, "-I", str(folder / "repro.py")], capture_output=True, text=True)
    return done.returncode, done.stdout


def test_a_refusal_is_reproduced(tmp_path: Path) -> None:
    """Status 0, with version and words."""
    status, said = repro(tmp_path, graph(BAD), REFUSED)

    assert (status, said.splitlines()[-1]) == (0, "REPRODUCED")
    assert f"tensorrt_rtx {HERE}" in said and "checkDet" in said


@pytest.mark.parametrize(
    ("text", "last"),
    [(GOOD, "NOT REPRODUCED"), ("float[4] x => float[n] y { y = Unique(x) }",
                                "NOT REPRODUCED: it fails, but in another way")],
)  # fmt: skip
def test_what_does_not_fail_so_is_not_reproduced(tmp_path: Path, text: str, last: str) -> None:
    """Status 1: a graph that builds, and one that is refused for something else."""
    status, said = repro(tmp_path, graph(text), REFUSED)
    assert (status, said.splitlines()[-1]) == (1, last)


def test_without_tensorrt_there_is_no_verdict(tmp_path: Path) -> None:
    """Status 2."""
    status, said = repro(tmp_path, graph(BAD), REFUSED, module="tensorrt_none")
    assert status == 2 and "tensorrt_none cannot be imported here" in said


def test_a_crash_is_survived_and_told_by_its_signal(tmp_path: Path) -> None:
    """The parser runs in a child."""
    script = reproduce.trt_script(graph(GOOD), Failure("crash", "parsing", "", "SIGSEGV", "died"), "tensorrt-rtx", HERE,
                                  {}, tf32=False, limit_s=60)  # fmt: skip
    deadly = script.replace("if not parser.parse(content", "os.kill(os.getpid(), 11)\n    if not parser.parse(content")
    status, said = run(tmp_path, deadly, {"model.onnx": graph(GOOD).SerializeToString()})

    assert status == 0 and "TensorRT died of SIGSEGV while parsing" in said


def test_types_that_change_in_silence_are_reproduced(tmp_path: Path) -> None:
    """float64 becomes float32."""
    words = "input 'x' is float64 in the model, but float32 in the engine"
    failure = Failure("misread", "misread", "", "", words)
    status, said = repro(tmp_path, graph("double[2] x => double[2] y { y = Relu(x) }"), failure)

    assert status == 0 and words in said


def test_dynamic_inputs_get_their_profile(tmp_path: Path) -> None:
    """Without one nothing can be built, which would be another failure."""
    points = {"x": [(1, 2), (2, 2), (4, 2)]}
    status, said = repro(tmp_path, graph("float[b,2] x => float[b,2] y { y = Relu(x) }"), REFUSED, profiles=points)

    assert status == 1 and "it parses and builds" in said


@pytest.mark.parametrize(("golden", "status"), [([-1.0, -2.0], 1), ([1.0, 2.0], 0)])
def test_values_that_deviate_are_reproduced(tmp_path: Path, golden: list[float], status: int) -> None:
    """And values that do not are not."""
    model = graph("float[2] x => float[2] y { y = Neg(x) }")
    files = {
        "model.onnx": model.SerializeToString(),
        "inputs.json": reproduce.inputs_json({"x": np.array([1, 2], np.float32)}),
        "golden.json": reproduce.golden_json({"y": np.array(golden, np.float32)}, "tensorflow"),
    }
    assert run(tmp_path, reproduce.values_script("model.onnx", TOLERANCES["none"], "1"), files)[0] == status


def test_the_shell_script_names_precision_and_profiles() -> None:
    """For Polygraphy; RTX by its own variable."""
    script = reproduce.shell_script("tensorrt-rtx", {"t0": [(1, 2), (2, 2), (4, 2)]}, compares=None, tf32=False)

    assert "POLYGRAPHY_USE_TENSORRT_RTX=1" in script and "--trt-max-shapes t0:[4,2]" in script


ARRAYS = {"t0": np.arange(6, dtype=np.float32).reshape(2, 3), "t1": np.array(4, np.int64)}


def test_polygraphy_loads_the_inputs(tmp_path: Path) -> None:
    """As one set of feeds."""
    path = tmp_path / "inputs.json"
    path.write_bytes(reproduce.inputs_json(ARRAYS))
    (found,) = load_json(str(path))

    assert found["t0"].tolist() == ARRAYS["t0"].tolist() and found["t1"].dtype == np.int64


def test_polygraphy_loads_the_golden_outputs(tmp_path: Path) -> None:
    """As the results of a runner."""
    path = tmp_path / "golden.json"
    path.write_bytes(reproduce.golden_json(ARRAYS, "tensorflow"))
    ((runner, (iteration,)),) = RunResults.load(str(path))

    assert runner == "tensorflow" and np.array_equal(iteration["t0"], ARRAYS["t0"])


def test_texts_have_no_form_there() -> None:
    """So no file is written."""
    assert not reproduce.can_be_written({"x": np.array(["a"], object)}) and not reproduce.can_be_written({})
