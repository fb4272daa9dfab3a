"""Tests of DVC's files as we read and write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fakes import step
from trtbuild.base.errors import RemoteError, WorkspaceError
from trtbuild.core.record import Digest, Record
from trtbuild.core.step import Out
from trtbuild.store import tracking

STEP = step("a", files=("models/z", "models/b"), outs=(Out("x.bin"), Out("m.json", cache=False)), depth=2, name="é")
RECORD = Record(
    "trtbuild step a",
    {"../z": Digest("a" * 32, 3), "../b": Digest("b" * 32 + ".dir", 4, 2)},
    {"version": 1, "kind": "a"},
    {"x.bin": Digest("c" * 32)},
)


def test_a_stage_is_one_pipeline_of_one_stage() -> None:
    """Paths are sorted; what git keeps is a metric that DVC does not cache."""
    assert tracking.stage_yaml(STEP).decode() == (
        "stages:\n  a:\n    cmd: trtbuild step a\n    deps:\n    - ../../../models/b\n    - ../../../models/z\n"
        "    params:\n    - params.yaml: null\n    outs:\n    - x.bin\n"
        "    metrics:\n    - m.json:\n        cache: false\n"
    )


def test_a_step_without_inputs_depends_on_its_parameters() -> None:
    """A stage without dependencies would run at every `dvc repro`."""
    assert "deps:\n    - params.yaml\n" in tracking.stage_yaml(step("a")).decode()


def test_a_record_comes_back_whole(tmp_path: Path) -> None:
    """What was written to dvc.lock is what is read from it."""
    (tmp_path / "dvc.lock").write_bytes(tracking.lock_yaml("a", RECORD))

    assert tracking.read_record(tmp_path / "dvc.lock", "a") == RECORD
    assert tracking.read_record(tmp_path / "dvc.lock", "b") is None


def test_a_lock_is_sorted_as_dvc_sorts_it() -> None:
    """Lists by path, parameters by name: DVC would write the same bytes."""
    lines = tracking.lock_yaml("a", RECORD).decode().splitlines()
    paths = [line for line in lines if "path:" in line]

    assert [path.split()[-1] for path in paths] == ["../b", "../z", "x.bin"]
    assert lines.index("        kind: a") < lines.index("        version: 1")


def test_parameters_come_back_as_they_were(tmp_path: Path) -> None:
    """Text that looks like a number stays text, numbers stay numbers, and names keep their letters."""
    made = step("a", text="1e-3", ratio=1e-5, version="10.0", flag="yes", none=None, name="é", half=0.5)
    (tmp_path / "params.yaml").write_bytes(tracking.params_yaml(made))

    assert tracking.read_yaml(tmp_path / "params.yaml")["params"] == made.params


@pytest.mark.parametrize("text", ["1e-3", "12e4", "0o17", "09"])
def test_dvc_reads_text_as_text(text: str) -> None:
    """A text parameter that looks like a number would make `dvc status` say that it changed."""
    from dvc.utils.serialize import parse_yaml

    assert parse_yaml(tracking.params_yaml(step("a", text=text)).decode(), "params.yaml")["params"] == {"text": text}


@pytest.mark.parametrize(
    "text", ["", "[]", "stages: []", "stages: {a: {}}", "stages: {a: {cmd: x, deps: [{}]}}", "stages: {a: text}"]
)
def test_a_lock_that_is_not_ours_is_no_record(tmp_path: Path, text: str) -> None:
    """What has another form was not written by us, so the step was never built."""
    (tmp_path / "dvc.lock").write_text(text, "utf-8")

    assert tracking.read_record(tmp_path / "dvc.lock", "a") is None


def test_a_merge_conflict_is_named(tmp_path: Path) -> None:
    """A file that is not YAML counts as absent, in a line with its place: it must not stop the other steps."""
    (tmp_path / "dvc.lock").write_text("<<<<<<< ours\na: 1\n=======\na: 2\n>>>>>>> theirs\n", "utf-8")
    said: list[str] = []

    assert tracking.read_record(tmp_path / "dvc.lock", "a", said.append) is None
    assert len(said) == 1 and "dvc.lock: not valid YAML" in said[0]


def test_tracked_models_by_path(tmp_path: Path) -> None:
    """Each entry of models.dvc is one model; no file is no model."""
    assert tracking.recorded_models(tmp_path) == {}
    (tmp_path / "models.dvc").write_text(
        f"outs:\n- path: models/m\n  md5: {'a' * 32}.dir\n  size: 3\n  nfiles: 2\n  hash: md5\n", "utf-8"
    )

    assert tracking.recorded_models(tmp_path) == {"models/m": Digest("a" * 32 + ".dir", 3, 2)}


@pytest.mark.parametrize(
    "text",
    ["outs: [{path: m}]", "[1]", "outs: 3", "outs: [3]", f"wdir: ..\nouts: [{{path: m, md5: {'a' * 32}}}]"]
    + [f"outs: [{{path: m, md5: {md5}}}]" for md5 in ("../secret", "A" * 32, "3", "[]", "a" * 31, "a" * 32 + ".dirx")]
    + [f"outs: [{{path: {path}, md5: {'a' * 32}}}]" for path in ("../m", "/etc/m", "''", "a/../../m", "3", "'a\\b'")],
)
def test_a_models_dvc_of_another_form_is_named(tmp_path: Path, text: str) -> None:
    """Nobody can guess what it meant."""
    (tmp_path / "models.dvc").write_text(text, "utf-8")
    with pytest.raises(WorkspaceError, match=r"models\.dvc: not a DVC file"):
        tracking.recorded_models(tmp_path)


def test_a_failed_dvc_command_is_quoted(tmp_path: Path) -> None:
    """Its last error line is what the user reads."""
    with pytest.raises(RemoteError, match=r"dvc pull: you are not inside of a DVC repository"):
        tracking.run_dvc(tmp_path, ["pull", "models.dvc"])
