"""Tests of importable callables named in a config."""

from __future__ import annotations

import json
import posixpath
from pathlib import Path

import pytest

from trtbuild.base.callables import load_callable
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
    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        load_callable("needs_more:make", "where")
