"""Tests of precisions: one reader, which every command takes their values from, and one error for an unknown name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import trt_checker
from tests.suite.cases import ONE
from tests.support.graphs import graph
from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import Workspace
from trtbuild.building.newworkspace import LIMITS
from trtbuild.cli import main as cli
from trtbuild.config import named
from trtbuild.core.spec import Calibration, Lowering
from trtbuild.reducing.subject import of_file
from trtbuild.suite.collection import collect

ROOT = packaged_conf().parent
NET = "float[1,4] x => float[1,4] y { a = MatMul(x, w) y = Relu(a) }"


@pytest.fixture(autouse=True)
def here(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a precision of its own, and a file."""
    shutil.copy(packaged_conf() / "config.yaml", workspace.conf)
    (workspace.conf / "precision").mkdir()
    (workspace.conf / "precision" / "mine.yaml").write_text("defaults: [int8]\nquantize_ops: [MatMul]\n")
    (workspace.conf / "precision" / "half.yaml").write_text("lowering: float16\n")
    model = graph(NET, w=[[1.0] * 4] * 4)
    (workspace.root / "net.onnx").write_bytes(model.SerializeToString())
    monkeypatch.chdir(workspace.root)
    return workspace.root


def test_a_precision_is_its_file_and_what_that_builds_on(here: Path) -> None:
    """With the calibration that the config chooses."""
    calibration = Calibration("best", bias_correction=True)
    mine = Lowering("mine", "int8", quantize_ops=("MatMul",), rest="float16", calibration=calibration)

    assert named.precision(here, "mine") == mine
    assert named.precision(here, "tf32") == Lowering("tf32", tf32=True)


def test_keys_of_a_precision_can_be_overridden(here: Path) -> None:
    """As in a build."""
    assert named.precision(here, "mine", ["precision.quantize_ops=[Gemm]"]).quantize_ops == ("Gemm",)


def test_the_packaged_ones_are_those_of_the_folder() -> None:
    """Widest first; a new file is a new precision."""
    assert set(named.packaged_precisions()) == set(config.options(ROOT, "precision"))
    assert list(named.packaged_precisions())[:3] == ["fp32", "tf32", "fp16"]


def test_a_new_workspace_has_a_limit_for_each_packaged_one() -> None:
    """Or its builds would be unjudged in that precision."""
    assert {(one.kind, one.tf32) for one in named.packaged_precisions().values()} == set(LIMITS)


def test_int8_without_operations_is_refused(here: Path) -> None:
    """It would be float32 under another name."""
    (here / "conf" / "precision" / "none.yaml").write_text("lowering: int8\n")
    with pytest.raises(ConfigError, match="precision=none: quantize_ops: int8 needs the types of operations"):
        named.precision(here, "none")


def test_a_check_takes_one_and_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """In words, and in JSON."""
    assert cli.run(["check", "net.onnx", "precision=mine", "tensorrt=rtx-1.7"]) == 0
    assert "converts to TensorRT rtx-1.7 in mine (int8 for MatMul, the rest in float16)" in capsys.readouterr().out
    assert cli.run(["check", "net.onnx", "precision=half", "tensorrt=rtx-1.7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lowering"] == {
        "kind": "float16", "tf32": False, "quantize_ops": [], "rest": "float32", "block": 0, "activations": False,
        "weight_scales": "auto", "quantize_depthwise": False, "quantize_residual_adds": False,
        "scopes": {}, "exclude_scopes": [], "exclude_ops": [],
    }  # fmt: skip


def test_a_reduction_takes_one(here: Path) -> None:
    """It used to be compared with itself."""
    subject = of_file(here / "net.onnx", ["precision=half"])

    assert subject.lowering.kind == "float16" and "Cast" in {node.op_type for node in subject.model.graph.node}


def test_a_case_of_the_suite_takes_one(here: Path) -> None:
    """And the tolerance of its kind."""
    (here / "suite").mkdir()
    (here / "suite" / "mine.py").write_text(ONE.replace('"mine",', '"mine",', 1).replace("@case(", "@case(", 1))
    text = (here / "suite" / "mine.py").read_text().replace("needs=", 'precision="half", needs=')
    (here / "suite" / "mine.py").write_text(text)
    own = collect(here)["mine"]

    assert own.lowering == named.precision(here, "half") and own.tolerance.absolute == 1e-2


def _suite(here: Path) -> None:
    (here / "suite").mkdir()
    (here / "suite" / "mine.py").write_text(ONE.replace("needs=", 'precision="fp61", needs='))
    collect(here)


def _override(here: Path) -> None:
    (here / "conf" / "model").mkdir()
    shutil.copy(packaged_conf() / "model" / "segnet.yaml", here / "conf" / "model" / "net.yaml")
    config.load_variant(here, ["model=net", "+model.overrides.fp61.exclude_ops=[Conv]"])


WAYS: dict[str, Callable[[Path], object]] = {
    "build": lambda here: config.check_choices(here, ["precision=fp61"]),
    "check": lambda here: cli.run(["check", "net.onnx", "precision=fp61"]),
    "trt_checker": lambda here: trt_checker.check("net.onnx", precision="fp61", raise_on_error=True),
    "reduce": lambda here: cli.run(["reduce", "net.onnx", "precision=fp61"]),
    "bugreport": lambda here: cli.run(["bugreport", "net.onnx", "precision=fp61"]),
    "suite": _suite,
    "overrides": _override,
}


@pytest.mark.parametrize("way", WAYS)
def test_an_unknown_name_is_the_same_error_everywhere(way: str, here: Path) -> None:
    """With the nearest of the workspace's own and the packaged names."""
    with pytest.raises(ConfigError, match="unknown precision 'fp61'; did you mean 'fp16'"):
        WAYS[way](here)
