"""The checker's findings are a build's: both look at every model of the collection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# In one process: TensorFlow is loaded once.  A build goes as far as the engine, which is what a check answers for.
BOTH = """
import json, os, sys
from pathlib import Path
from trtbuild import config; from trtbuild.building import planned
from trtbuild.building.run import build_planned
from trtbuild.cli.commands import check as verb
from trtbuild.core.plan import make_plan
from trtbuild.workers.status import SilentStatus
from trtbuild.steps import Declarations
from trtbuild.store import Store
from trtbuild.base.workspace import find_workspace

workspace, found = find_workspace(Path.cwd()), {}
for words in sys.argv[1:]:
    overrides = words.split()
    plan = make_plan([config.load_variant(workspace.root, overrides)], ("engine",), Declarations())
    outcome = build_planned(planned.Planned(workspace, Store(workspace), plan), status=SilentStatus())
    errors = [[type(e).__name__, e.what, list(e.details)] for e in outcome.failures.values()]
    variant, how = verb._variant(workspace, overrides, True)
    found[words] = {"build": errors, "check": verb._of_variant(workspace, variant, how).document()}
print(json.dumps(found))
"""
MODELS = ("lstm", "two_inputs", "attention", "frozen", "crash", "unsupported", "refused")
PRECISIONS = {"attention": ("fp32", "fp16"), "refused": ("fp32", "bf16")}
OWN = ("model=lenet precision=fp32", "model=segnet precision=int8", "model=segnet precision=int8 tensorrt=rtx-1.6",
       "model=mobilenet_v2 precision=fp16", "model=inception_v3 precision=fp32")  # fmt: skip


def both(cwd: Path, *words: str) -> dict[str, dict[str, Any]]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", BOTH, *words], cwd=cwd, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def agree(words: str, build: list[Any], check: dict[str, Any]) -> None:
    """Both pass; or both name the same operations, and a build that stops at the export names no others."""
    errors = [problem for problem in check["problems"] if problem["severity"] == "error"]
    assert bool(build) == bool(errors) == (not check["converts"]), (words, build, errors)
    if not build:
        assert set(check["outcomes"].values()) == {"ok"}
        return
    ((kind, what, lines),) = build
    details = [line for line in lines if not line.startswith("log: ")]
    stages = {"ExportError": ("export",), "LowerError": ("precision", "misread")}.get(kind)
    names = {p["op"] for p in errors if stages is None or p["stage"] in stages}
    if kind == "WorkerDied":
        assert any("crashed while parsing" in problem["words"] for problem in errors)
    elif any(p["op"] for p in errors):
        assert len(details) == len(names), (details, names)
        for detail in details:
            assert any(name in detail for name in names), (detail, names)
    else:
        assert any(p["words"] in (what, *details) or p["words"].partition(": ")[0] in what for p in errors)


@pytest.fixture
def collection(workspace: Path) -> Path:
    """Small models of many kinds, three of which no TensorRT takes, in the test's workspace."""
    folder = workspace / "models" / "many"
    folder.mkdir()
    subprocess.run([sys.executable, str(ROOT / "tests/integration/make_models.py"), str(folder)], check=True)
    model = workspace / "conf" / "model"
    saved = "source: {kind: saved_model, path: models/many/%s, signature: serving_default}\n"
    batch = "profile: {min: 1, opt: 2, max: 4}"
    inputs = {
        "lstm": "sequence: {dtype: float32, shape: [null, 12, 6], BATCH}",
        "two_inputs": "image: {dtype: float32, shape: [null, 16, 16, 3], BATCH}\n"
        "  meta: {dtype: float32, shape: [null, 4], BATCH}",
        "crash": "image: {dtype: float32, shape: [1, 16, 16, 3]}\n  boxes: {dtype: float32, shape: [2, 4]}",
        "unsupported": "x: {dtype: float32, shape: [null, 8], BATCH}",
        "refused": "x: {dtype: float32, shape: [1, 8, 8, 3]}",
    }
    for name, text in inputs.items():
        (model / f"{name}.yaml").write_text(saved % name + f"inputs:\n  {text.replace('BATCH', batch)}\n")
    (model / "attention.yaml").write_text(
        "source: {kind: keras, path: models/many/attention.keras}\n"
        f"inputs:\n  tokens: {{dtype: int32, shape: [null, 10], {batch}, range: [0, 20]}}\n"
    )
    (model / "frozen.yaml").write_text(
        "source: {kind: frozen_graph, path: models/many/frozen.pb, inputs: {image: 'net/image:0'}, "
        "outputs: {scores: 'net/scores:0'}}\n"
        f"inputs:\n  image: {{dtype: float32, shape: [null, 12, 12, 3], {batch}}}\n"
    )
    return workspace


@pytest.mark.slow
def test_a_check_finds_what_a_build_finds_in_small_models(collection: Path) -> None:
    """Seven kinds of source and structure, two of them in two precisions."""
    words = [f"model={name} precision={p}" for name in MODELS for p in PRECISIONS.get(name, ("fp32",))]
    for said, found in both(collection, *words).items():
        agree(said, **found)


@pytest.mark.slow
def test_a_check_finds_what_a_build_finds_in_the_demonstration_models(tmp_path: Path) -> None:
    """With the precisions that divide the versions: RTX 1.6 has no int8 convolution without a GPU."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    for said, found in both(clone, *OWN).items():
        agree(said, **found)
