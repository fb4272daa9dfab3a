"""Real builds in other TensorRT versions, installed into the user's cache; skipped where that cannot be done."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.graphs import graph
from trtbuild.engine import read_engine

pytestmark = pytest.mark.slow
OLD = ["rtx-1.4", "rtx-1.5", "rtx-1.6"]
QUICK = ["model=tiny", "latency=off", "layers=off"]


def install(*names: str) -> None:
    argv = [sys.executable, "-m", "trtbuild", "toolchain", "install", *names]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        pytest.skip(f"cannot be installed here: {done.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="module", params=OLD)
def version(request: pytest.FixtureRequest) -> str:
    install(request.param)
    return str(request.param)


@pytest.fixture(scope="module")
def all_versions() -> None:
    install(*OLD)


def test_an_old_version_builds_float_engines_and_again_the_same(workspace: Path, trtbuild, version: str) -> None:
    """In its own interpreter: the passport has its exact version; a rerun gives the same bytes."""
    for precision in ("fp32", "fp16"):
        trtbuild(*QUICK, f"precision={precision}", f"tensorrt={version}", "--no-install", check=0)
        folder = next(workspace.glob(f"build/tiny/engine-{precision}-{version}-*"))

        assert json.loads((folder / "passport.json").read_text())["version"].startswith(version.removeprefix("rtx-"))
        said = trtbuild("rerun", str(folder), check=0).stderr
        assert "identical    engine.plan" in said and "identical    engine_layers.json" in said
        engine = read_engine(folder / "engine_layers.json")
        assert engine.detailed and engine.unread == () and engine.memory.activation


def test_int8_convolutions_are_refused_with_the_reason(workspace: Path, trtbuild, version: str) -> None:
    """Exit 4 and why, not just an assertion of TensorRT's."""
    said = trtbuild(*QUICK, "precision=int8", f"tensorrt={version}", check=4).stderr

    assert "cannot build this graph: it has no int8 convolutions where there is no GPU" in said
    assert "tensorrt=rtx-1.7" in said


def test_an_isolated_environment_gives_the_same_bytes(workspace: Path, trtbuild) -> None:
    """With one more requirement, RTX 1.7 gets an environment of its own; its int8 plan is that of this one."""
    config = workspace / "conf" / "tensorrt" / "own.yaml"
    packaged = Path(__file__).resolve().parents[2] / "conf" / "tensorrt" / "rtx-1.7.yaml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(packaged.read_text().replace("requirements:\n", "requirements:\n  - colored==2.3.1\n"))
    for name in ("rtx-1.7", "own"):
        trtbuild(*QUICK, "precision=int8", f"tensorrt={name}", check=0)

    plans = {path.read_bytes() for path in workspace.glob("build/tiny/engine-int8-*/engine.plan")}
    assert len(list(workspace.glob("build/tiny/engine-int8-*/engine.plan"))) == 2
    assert len(plans) == 1


# By version (1.4, 1.5, 1.6, 1.7), from building ONNX's own node tests alone: which of these operations compile.
TABLE = {
    "relu": ("float[2,3] x => float[2,3] y { y = Relu(x) }", 17, "yyyy"),
    "swish": ("float[2,3] x => float[2,3] y { y = Swish(x) }", 24, "nyyy"),
    "volume": (
        "float[1,1,3,4,5] x, float[1,2,2,2,3] grid => float[1,1,2,2,2] y { y = GridSample(x, grid) }", 20, "nnyy"),
    "det": ("float[2,3,3] x => float[2] y { y = Det(x) }", 17, "nnnn"),
}  # fmt: skip
NAMES = [*OLD, "rtx-1.7"]


@pytest.fixture
def operations(workspace: Path, trtbuild, tmp_path: Path) -> Path:
    """A workspace with one model for each row of the table."""
    for name, (text, opset, _) in TABLE.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(graph(text, opset=opset).SerializeToString())
        trtbuild("init", ".", f"--from={path}", check=0)
        config = workspace / "conf" / "model" / f"{name}.yaml"
        config.write_text(re.sub(r"opset: \d+", f"opset: {opset}", config.read_text("utf-8")), "utf-8")
    return workspace


@pytest.mark.usefixtures("all_versions")
def test_a_sweep_says_which_version_builds_what(operations: Path, trtbuild) -> None:
    """Every cell of the table, with a reason where there is no engine, and status 4 for the worst of them."""
    models, versions = ",".join(TABLE), ",".join(NAMES)
    done = trtbuild("-m", f"model={models}", f"tensorrt={versions}", "latency=off", "layers=off", "--json", check=4)
    variants = json.loads(done.stdout)["variants"]
    verdicts = {(v["model"], v["tensorrt"]): v["verdict"] for v in variants}
    page = json.loads(next(operations.glob("build/sweeps/*/sweep.json")).read_text("utf-8"))
    reasons = {(v["model"], v["tensorrt"]): v["reason"] for v in page["variants"]}

    assert all((v["error"] is None) == (v["verdict"] is not None) for v in variants)
    for model, (_, _, row) in TABLE.items():
        for name, expected in zip(NAMES, row, strict=True):
            assert (verdicts[model, name] is not None) == (expected == "y"), (model, name)
            assert bool(reasons[model, name]) == (expected == "n"), (model, name)


@pytest.mark.parametrize(("model", "first", "builds"), [("swish", "rtx-1.5", 3), ("volume", "rtx-1.6", 4)])
@pytest.mark.usefixtures("all_versions")
def test_bisect_finds_the_first_version_that_builds_it(
    operations: Path, trtbuild, model: str, first: str, builds: int
) -> None:
    """In real versions: both ends, then the middle of what is left."""
    quick = ["latency=off", "layers=off", f"tensorrt={','.join(NAMES)}", "--what", "built", "--json"]
    found = json.loads(trtbuild("bisect", f"model={model}", *quick, check=0).stdout)

    assert (found["first"], found["builds"], found["monotonic"]) == (first, builds, True)
