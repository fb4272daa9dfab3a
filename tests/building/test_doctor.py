"""Tests of the examination: what is broken is an error that says what to do; what is only missing is not."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from trtbuild.base.workspace import Workspace
from trtbuild.building import doctor
from trtbuild.building.doctor import Finding, examine
from trtbuild.cli.main import run
from trtbuild.store import Store


@pytest.fixture(autouse=True)
def nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be imported and used is: the slow test does that."""
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(doctor, "_run", lambda command: done)


def found(workspace: Workspace | None, about: str, *, deep: bool = False) -> list[Finding]:
    return [finding for finding in examine(workspace, deep=deep) if finding.about == about]


def test_a_healthy_workspace_has_no_errors(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace.root)
    findings = list(examine(workspace, deep=True))
    assert [f for f in findings if f.state == "error"] == []
    assert {"python", "packages", "gpu", "rtx-1.7", "workspace", "models", "remote", "cache", "disk"} <= {
        f.about for f in findings
    }


def test_outside_a_workspace_it_says_how_to_make_one() -> None:
    (finding,) = found(None, "workspace")
    assert (finding.state, "trtbuild init" in finding.hint) == ("warning", True)


def test_a_folder_without_conf_is_not_called_a_workspace(workspace: Workspace) -> None:
    """Of another project that uses DVC, say."""
    workspace.conf.rmdir()
    (finding,) = found(workspace, "workspace")
    assert "no conf/" in finding.what and finding.hint == "make it one: trtbuild init ."


def test_a_damaged_object_is_found_by_reading(workspace: Workspace, store: Store) -> None:
    file = workspace.root / "engine.plan"
    file.write_bytes(b"plan")
    path = store.objects.path(store.objects.adopt(file).md5)
    assert [f.state for f in found(workspace, "cache", deep=True)] == ["ok", "ok"]
    path.chmod(0o644)
    path.write_bytes(b"plam")
    assert [f.state for f in found(workspace, "cache")] == ["ok"], "without --deep nothing is read"
    damaged = found(workspace, "cache", deep=True)[-1]
    assert (damaged.state, str(path) in damaged.what, "delete" in damaged.hint) == ("error", True, True)


def test_a_version_that_cannot_be_used_is_an_error(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = subprocess.CompletedProcess([], 1, "", "Traceback\nImportError: libnvinfer.so: file too short\n")
    monkeypatch.setattr(doctor, "_run", lambda command: broken)
    monkeypatch.setattr(doctor.toolchains, "installed", lambda want: True)
    (finding,) = found(workspace, "rtx-1.7", deep=True)
    assert finding.state == "error"
    assert finding.what == "cannot be used: ImportError: libnvinfer.so: file too short"
    assert "toolchain install rtx-1.7" in finding.hint


@pytest.mark.parametrize("text", ["- not a mapping\n", "flavour: tensorrt-rtx\n"])
def test_a_broken_config_of_a_version_is_one_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (workspace.root / "conf" / "tensorrt").mkdir()
    (workspace.root / "conf" / "tensorrt" / "own.yaml").write_text(text, "utf-8")
    monkeypatch.chdir(workspace.root)
    (finding,) = found(workspace, "own")
    assert finding.state == "error" and "\n" not in finding.what


def test_conflicting_packages_are_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    says = "Checked 9 packages\nThe package `tf2onnx` requires `onnx<1.20`, but `1.23` is installed\n"
    monkeypatch.setattr(doctor, "_run", lambda command: subprocess.CompletedProcess([], 1, "", says))
    (finding,) = found(workspace, "packages")
    assert finding.state == "warning" and "tf2onnx" in finding.what


@pytest.mark.parametrize(
    ("config", "state", "word"),
    [
        ("", "ok", "none is configured"),
        ("['remote \"team\"']\n    url = /tmp/team\n", "warning", "no default among team: push and pull need --remote"),
        ("[core]\n    remote = team\n['remote \"team\"']\n    url = /tmp/team\n", None, ""),
    ],
)
def test_remotes_are_those_of_dvc(workspace: Workspace, config: str, state: str | None, word: str) -> None:
    (workspace.dvc / "config").write_text(config, "utf-8")
    found_ = found(workspace, "remote")
    assert [f.state for f in found_] == ([state] if state else [])
    assert all(word in f.what for f in found_)
    assert len(found(workspace, "remote team")) == bool(config)


def test_low_disk_space_is_a_warning(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOW_DISK", 1 << 62)
    (finding,) = found(workspace, "disk")
    assert finding.state == "warning" and "free space" in finding.hint


def test_the_verb_prints_lines_or_one_document(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workspace.root)
    assert run(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 errors, ")
    assert run(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {tuple(one) for one in document["findings"]} == {("state", "about", "what", "hint")}


def test_an_error_is_the_environments_status(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace.root / "conf" / "tensorrt"
    folder.mkdir()
    (folder / "own.yaml").write_text("[]\n", "utf-8")
    monkeypatch.chdir(workspace.root)
    assert run(["doctor"]) == 3
    assert "ERROR    own: " in capsys.readouterr().out


def test_a_program_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    assert doctor._run([str(tmp_path / "nothing")]) == "No such file or directory"
