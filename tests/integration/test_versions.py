"""Real builds in other TensorRT versions, installed into the user's cache; skipped where that cannot be done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
OLD = ["rtx-1.4", "rtx-1.5", "rtx-1.6"]
QUICK = ["model=tiny", "latency=off", "layers=off"]


@pytest.fixture(scope="module", params=OLD)
def version(request: pytest.FixtureRequest) -> str:
    argv = [sys.executable, "-m", "trtbuild", "toolchain", "install", request.param]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        pytest.skip(f"cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return str(request.param)


def test_an_old_version_builds_float_engines_and_again_the_same(workspace: Path, trtbuild, version: str) -> None:
    """In its own interpreter: the passport has its exact version; a rerun gives the same bytes."""
    for precision in ("fp32", "fp16"):
        trtbuild(*QUICK, f"precision={precision}", f"tensorrt={version}", "--no-install", check=0)
        folder = next(workspace.glob(f"build/tiny/engine-{precision}-{version}-*"))

        assert json.loads((folder / "passport.json").read_text())["version"].startswith(version.removeprefix("rtx-"))
        assert "identical    engine.plan" in trtbuild("rerun", str(folder), check=0).stderr


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
    config.write_text(packaged.read_text().replace("numpy==2.4.6", "numpy==2.4.6, colored==2.3.1"))
    for name in ("rtx-1.7", "own"):
        trtbuild(*QUICK, "precision=int8", f"tensorrt={name}", check=0)

    plans = {path.read_bytes() for path in workspace.glob("build/tiny/engine-int8-*/engine.plan")}
    assert len(list(workspace.glob("build/tiny/engine-int8-*/engine.plan"))) == 2
    assert len(plans) == 1
