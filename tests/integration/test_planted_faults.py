"""Tests with real builds: a planted fault is named by hop and by layer, on the pages' own data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from trtbuild.core.job import Job
from trtbuild.steps import deviation, infer, layers

pytestmark = pytest.mark.slow


def built(workspace: Path, trtbuild: Any) -> tuple[dict[str, Path], dict[str, Any]]:
    """Folders of the tiny model's int8 steps, and their recipes."""
    trtbuild("model=tiny", "precision=int8", check=0)
    (shown,) = json.loads(trtbuild("show", "model=tiny", "precision=int8", "--json", check=0).stdout)["variants"]
    explained = json.loads(trtbuild("explain", "model=tiny", "precision=int8", "--json", check=0).stdout)["steps"]
    return (
        {kind: workspace / step["folder"] for kind, step in shown["steps"].items()},
        {step["folder"]: step for step in explained},
    )


def run_again(step: Any, recipe: Any, workspace: Path, out: Path, **replaced: Path) -> None:
    """One step by its own code, some of its inputs replaced."""
    out.mkdir(parents=True)
    inputs = {name: str(workspace / path) for name, path in recipe["inputs"].items()}
    inputs |= {name: str(path) for name, path in replaced.items()}
    step.run(Job(recipe["kind"], recipe["recipe"]["params"], inputs, str(out), str(workspace)))


def plant(source: Path, target: Path, change: Any) -> None:
    """Change the weights of the only convolution."""
    model = onnx.load(source)
    tensor = max((t for t in model.graph.initializer if len(t.dims) == 4), key=lambda t: np.prod(t.dims))
    value = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array(np.asarray(change(value)).astype(value.dtype), tensor.name))
    onnx.save(model, target)


def test_a_perturbed_weight_is_named_by_layer_and_hop(workspace: Path, trtbuild: Any, tmp_path: Path) -> None:
    """The convolution's int8 weights, a tenth of them off: the precision's hop, the convolution's layer."""
    folders, steps = built(workspace, trtbuild)
    wrong = tmp_path / "lowered.onnx"
    noise = np.random.default_rng(0)
    plant(folders["lower"] / "lowered.onnx", wrong, lambda w: np.where(noise.random(w.shape) < 0.1, -w, w))

    def recipe(kind: str) -> Any:
        return steps[folders[kind].relative_to(workspace).as_posix()]

    run_again(infer, recipe("infer"), workspace, tmp_path / "infer" / "out", model=wrong)
    again = tmp_path / "infer" / "out"
    run_again(deviation, recipe("deviation"), workspace, tmp_path / "deviation" / "out", lowered=again / "outputs.npz")
    run_again(layers, recipe("layers"), workspace, tmp_path / "layers" / "out", lowered=wrong)

    before = json.loads((folders["deviation"] / "deviation.json").read_text())["hops"]
    after = json.loads((tmp_path / "deviation" / "out" / "deviation.json").read_text())["hops"]
    assert after["precision"]["scores"]["rmse"] > 3 * before["precision"]["scores"]["rmse"]
    assert after["export"] == before["export"]
    (jump, *_) = json.loads((tmp_path / "layers" / "out" / "layers.json").read_text())["jumps"]["total"]
    assert jump["name"] == "c"
