"""Tests of running a step from its folder alone: what its recipe names stays in the workspace."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.building import rerun
from trtbuild.store import tracking


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A step's folder with a recipe of this trtbuild's export."""
    from trtbuild.steps import export

    (tmp_path / "ws" / ".dvc").mkdir(parents=True)
    (tmp_path / "ws" / ".git").mkdir()
    made = tmp_path / "ws" / "build" / "m" / "export-1"
    made.mkdir(parents=True)
    recipe = {"kind": "export", "version": export.VERSION, "environment": "main", "inputs": {}, "outs": ["model.onnx"],
              "params": {}, "recipe": "0"}  # fmt: skip
    (made / "params.yaml").write_bytes(tracking.to_yaml(recipe))
    (tmp_path / "secret").write_bytes(b"secret")
    return made


def change(folder: Path, **values: object) -> None:
    content = tracking.read_yaml(folder / "params.yaml")
    assert isinstance(content, dict)
    (folder / "params.yaml").write_bytes(tracking.to_yaml({**content, **values}))


@pytest.mark.parametrize(
    "values",
    [
        {"inputs": {"../../../../pwned": "../../../models/m"}},
        {"inputs": {"a/b": "../../../models/m"}},
        {"inputs": {"source": "../../../../secret"}},
        {"inputs": {"source": "/etc/passwd"}},
        {"inputs": {"source": "out"}},
        {"outs": ["../../x"]},
        {"kind": "../x"},
    ],
)
def test_a_recipe_names_nothing_outside_the_workspace(folder: Path, tmp_path: Path, values: dict[str, object]) -> None:
    """Neither what is read nor the name of a link to it: one line, before anything runs."""
    (folder / "out").symlink_to(tmp_path / "secret")
    change(folder, **values)
    with pytest.raises(ConfigError):
        rerun.rerun(folder)

    assert not list(tmp_path.rglob("pwned*"))


def test_a_recipe_that_is_not_the_recorded_one_is_not_run(folder: Path) -> None:
    """Its result would be compared with another step's record."""
    entry = {"cmd": "trtbuild step export", "params": {"params.yaml": {"kind": "export"}}}
    (folder / "dvc.lock").write_bytes(tracking.to_yaml({"stages": {"export": entry}}))
    with pytest.raises(ConfigError, match=r"not what dvc\.lock recorded"):
        rerun.rerun(folder)


def test_what_a_callable_prints_is_shown_not_sent_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escapes; lines, tabs and characters of several bytes are themselves."""
    log = tmp_path / "log.txt"
    log.write_bytes("red\x1b[31m\r\n\tünï\x07".encode() + b"\xc3")
    endings = iter([None, "ended"])
    executor = SimpleNamespace(wait=lambda timeout_s: next(endings))

    assert rerun._follow(executor, log) == "ended"  # type: ignore[arg-type]
    assert capsys.readouterr().err == "red\\x1b[31m\\r\n\tünï\\x07\ufffd"
