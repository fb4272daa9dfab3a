"""Tests of importable callables named in a config."""

from __future__ import annotations

import json
import posixpath
import sys
from pathlib import Path

import pytest

from trtbuild.base.callables import calling, listener, load_callable
from trtbuild.base.errors import ConfigError


class Nets:
    """A class whose method a config may name."""

    @staticmethod
    def make() -> str:
        return "made"


@pytest.mark.parametrize("name", ["json:dumps", "json.dumps"])
def test_both_spellings(name: str) -> None:
    """With a colon, or dotted."""
    assert load_callable(name, "where") is json.dumps


@pytest.mark.parametrize("name", [f"{__name__}:Nets.make", f"{__name__}.Nets.make"])
def test_attributes_of_attributes(name: str) -> None:
    """A class method is reachable."""
    assert load_callable(name, "where")() == "made"


def test_a_module_of_a_package() -> None:
    """The longest importable prefix is the module."""
    assert load_callable("os.path.join", "where") is posixpath.join


@pytest.mark.parametrize(
    "name", ["nowhere:make", "nowhere.make", "json:nothing", "json.nothing.more", "json:__name__", "json", ""]
)
def test_what_is_no_callable(name: str) -> None:
    """Missing modules, missing names and values that cannot be called are one line, with the place."""
    with pytest.raises(ConfigError, match=r"^model\.source\.callable: cannot import a callable"):
        load_callable(name, "model.source.callable")


def test_a_module_that_fails_to_import_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own missing dependency is not mistaken for a misspelt name."""
    (tmp_path / "needs_more.py").write_text("import not_installed_anywhere\ndef make(): ...\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"importing 'needs_more:make' failed: ModuleNotFoundError.*not_installed"):
        load_callable("needs_more:make", "where")


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "exit(3)", "def broken(:", "1 / 0"])
def test_a_module_of_the_user_that_does_not_import_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """Also one that would end the process."""
    (tmp_path / "users_own.py").write_text(code, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_own", raising=False)
    with pytest.raises(ConfigError, match="importing 'users_own:make' failed"):
        load_callable("users_own:make", "where")


def test_who_listens_is_told_what_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a process that dies in it has said so; afterwards it is taken back."""
    told: list[str] = []
    monkeypatch.setattr(listener, "announce", told.append)
    with pytest.raises(RuntimeError, match=r"it called sys.exit\('no'\)"), calling("a:b"):
        sys.exit("no")

    assert told == ["calling a:b", ""]
