"""Tests of the verb: words, listing, versions, and runs with real tools (slow)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.suite.cases import ONE, workspace
from trtbuild.base.errors import ConfigError
from trtbuild.cli import words as cli_words
from trtbuild.cli.commands import suite as command
from trtbuild.suite.collection import collect

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = (ROOT / "docs" / "suite.md").read_text("utf-8").split("<!-- example -->\n```python\n")[1].split("```")[0]


def trtbuild(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "trtbuild", "suite", *words]
    return subprocess.run(argv, cwd=cwd, capture_output=True, text=True, env=environment)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A workspace with one case of its own."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".dvc").mkdir()
    workspace(tmp_path, ONE)
    return tmp_path


def test_the_list_names_every_case(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As data, with what is known of it."""
    monkeypatch.chdir(place)

    assert command.run(cli_words.parse(["suite", "--list", "--json"])) == 0
    listed = {entry["id"]: entry for entry in json.loads(capsys.readouterr().out)["cases"]}
    assert set(listed) == {*collect(None), "mine"}
    assert listed["mod-floormod-int32"]["issues"] == ["NVIDIA/TensorRT#4702"]
    assert {"id", "title", "category", "issues"} <= set(listed["mine"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["model=segnet"], "'model' is not accepted here; tensorrt and target are"),
        (["tensorrt=rtx-9"], "unknown tensorrt 'rtx-9'"),
        (["conv"], "unexpected word 'conv'"),
        (["-k", "nothing-like-it"], "no case matches"),
        (["--limit", "soon"], "expected seconds"),
    ],
)
def test_wrong_words_are_configuration_errors(
    place: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    """Before anything is run."""
    monkeypatch.chdir(place)

    with pytest.raises(ConfigError, match=says):
        command.run(cli_words.parse(["suite", *words]))


def test_the_documented_example_is_two_cases(tmp_path: Path) -> None:
    """As the page says."""
    workspace(tmp_path, EXAMPLE)

    assert {"head-clip-0", "head-clip-1"} <= set(collect(tmp_path))


@pytest.mark.slow
def test_a_workspaces_own_cases_run_and_are_recorded(place: Path) -> None:
    """New at first, proposed by --update, then as expected; nothing to do is nothing done."""
    workspace(place, EXAMPLE, "head.py")
    first = trtbuild("-k", "mine or head-clip", "--update", "--json", cwd=place)
    again = trtbuild("-k", "mine or head-clip", cwd=place)

    results = {
        e["id"]: e["results"]["rtx-1.7"]
        for e in json.loads(first.stdout[first.stdout.index('{\n "machine"') :])["cases"]
    }
    assert results["mine"]["summary"] == "ok" and results["mine"]["outcome"] == "new"
    assert "+  mine: ok" in first.stdout and (place / "suite" / "expected" / "rtx-1.7.yaml").is_file()
    assert again.returncode == 0, again.stderr
    assert "3 passed" in again.stderr or "expected" in again.stderr


@pytest.mark.slow
def test_a_crash_and_flipped_expectations_with_real_tools(place: Path) -> None:
    """The parser's segmentation fault is a result, its neighbours have theirs, and what was flipped is reported."""
    expected = place / "suite" / "expected" / "rtx-1.7.yaml"
    expected.parent.mkdir()
    expected.write_text("cases:\n  mine: {builds: no}\n  resize-antialias-ignored: ok\n", "utf-8")
    words = ["-k", "mine or crop-and-resize or resize-antialias-ignored or conv1d-valid"]
    done = trtbuild(*words, "--json", "--junit", "out.xml", "--html", "page", cwd=place)

    results = {e["id"]: e["results"]["rtx-1.7"] for e in json.loads(done.stdout)["cases"]}
    assert done.returncode == 1, done.stderr
    assert results["crop-and-resize-roialign"]["parses"]["result"] == "crash"
    assert results["crop-and-resize-roialign"]["outcome"] == "expected failure"
    assert results["mine"]["outcome"] == "unexpected pass" and "fixed in rtx-1.7" in results["mine"]["news"]
    assert results["resize-antialias-ignored"]["outcome"] == "unexpected failure"
    assert results["conv1d-valid-s1"]["outcome"] == "pass"
    assert ElementTree.parse(place / "out.xml").getroot()[0].get("failures") == "2"
    assert "SIGSEGV" in (place / "page" / "suite.html").read_text("utf-8")


@pytest.mark.slow
def test_a_case_of_an_onnx_file_is_compared_with_the_values_beside_it(place: Path) -> None:
    """And says so when the values are others."""
    import numpy as np
    import onnx

    info = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Relu", ["x"], ["y"], name="relu")
    graph = onnx.helper.make_graph([node], "g", [info("x", 1, [3])], [info("y", 1, [3])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    text = "from trtbuild.suite import f32, onnx_case\n"
    for name, value in (("right", 2.0), ("wrong", 2.5)):
        onnx.save(model, place / "suite" / f"{name}.onnx")
        x = np.array([-1, 0, 2], np.float32)
        np.savez(place / "suite" / f"{name}.npz", x=x, y=np.array([0, 0, value], np.float32))
        text += f'{name} = onnx_case("{name}", "t", "{name}.onnx", {{"x": f32(3)}})\n'
    workspace(place, text, "files.py")
    done = trtbuild("--category", "files", "--json", cwd=place)

    results = {e["id"]: e["results"]["rtx-1.7"] for e in json.loads(done.stdout)["cases"]}
    assert results["right"]["summary"] == "ok"
    assert re.match("y: 1 of 3 values differ; 2 instead of 2.5", results["wrong"]["matches"]["says"])


@pytest.mark.slow
def test_the_suite_runs_as_tests(place: Path) -> None:
    """One for each case and version; expected failures are xfails, and a flipped expectation fails."""
    expected = place / "suite" / "expected" / "rtx-1.7.yaml"
    expected.parent.mkdir()
    expected.write_text("cases:\n  mine: {parses: crash}\n", "utf-8")
    words = ["-p", "trtbuild.suite.pytest_options", "--tensorrt=rtx-1.7", "--pyargs", "trtbuild.suite", "-rxf"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "-k", "mine or crop-and-resize-nearest or conv1d-valid"],
        cwd=place, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert "1 failed, 1 passed" in done.stdout and "1 xfailed" in done.stdout, done.stdout
    assert "unexpected pass: fixed in rtx-1.7" in done.stdout and "SIGSEGV" in done.stdout


@pytest.mark.slow
def test_every_packaged_case_is_as_expected(tmp_path: Path) -> None:
    """With the default version, from nothing."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".dvc").mkdir()
    done = trtbuild("tensorrt=rtx-1.7", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
