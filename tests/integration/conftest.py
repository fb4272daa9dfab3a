"""A workspace with a tiny ONNX model, and the real command line, for tests that build for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "random"}
    argv = [sys.executable, "-m", "trtbuild", *words]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)


@pytest.fixture
def trtbuild(tmp_path: Path) -> Run:
    """Run the command line in a folder (default: the workspace)."""

    def run(*words: str, cwd: Path = tmp_path / "ws", check: int | None = None) -> subprocess.CompletedProcess[str]:
        done = command(*words, cwd=cwd)
        assert check is None or done.returncode == check, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def tiny_onnx(path: Path, seed: int = 0) -> None:
    """conv - relu - global average - matmul, image [n, 3, 16, 16] -> scores [n, 4]."""
    import onnx

    rng = np.random.default_rng(seed)
    constants = {
        "w": rng.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32),
        "b": rng.normal(0, 0.1, 8).astype(np.float32),
        "m": rng.normal(0, 0.5, (8, 4)).astype(np.float32),
        "shape": np.array([-1, 8], np.int64),
    }
    nodes = [
        onnx.helper.make_node("Conv", ["image", "w", "b"], ["c"], name="net/conv", pads=[1, 1, 1, 1]),
        onnx.helper.make_node("Relu", ["c"], ["r"], name="net/relu"),
        onnx.helper.make_node("GlobalAveragePool", ["r"], ["g"], name="net/pool"),
        onnx.helper.make_node("Reshape", ["g", "shape"], ["f"], name="head/flatten"),
        onnx.helper.make_node("MatMul", ["f", "m"], ["scores"], name="head/matmul"),
    ]
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "tiny",
        [info("image", onnx.TensorProto.FLOAT, ["n", 3, 16, 16])], [info("scores", onnx.TensorProto.FLOAT, ["n", 4])],
        [onnx.numpy_helper.from_array(v, k) for k, v in constants.items()],
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)


def measure_no_latency(workspace: Path) -> None:
    """By its own default: measuring takes ten seconds a build."""
    config = workspace / "conf" / "config.yaml"
    config.write_text(config.read_text("utf-8").replace("latency: default", "latency: 'off'"), "utf-8")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace made by ``trtbuild init`` around the tiny model, with real-looking data."""
    folder = tmp_path_factory.mktemp("template")
    tiny_onnx(folder / "tiny.onnx")
    rng = np.random.default_rng(1)
    for name, count in (("calibration", 16), ("validation", 8)):
        np.savez(folder / f"{name}.npz", image=rng.normal(size=(count, 3, 16, 16)).astype(np.float32))
    data = [f"--{name}={folder / f'{name}.npz'}" for name in ("calibration", "validation")]
    done = command("init", "ws", f"--from={folder / 'tiny.onnx'}", *data, cwd=folder)
    assert done.returncode == 0, done.stderr
    measure_no_latency(folder / "ws")
    return folder / "ws"


@pytest.fixture
def workspace(template: Path, tmp_path: Path) -> Path:
    """A copy of the template, where the command line runs."""
    shutil.copytree(template, tmp_path / "ws", symlinks=True)
    return tmp_path / "ws"
