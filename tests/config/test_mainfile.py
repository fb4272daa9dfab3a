"""Tests of conf/config.yaml itself: a mistake in it is named where it stands, and not ignored."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.config import load_variant
from trtbuild.config.composing import compose_config
from trtbuild.config.schema import main_schema

PACKAGED = (packaged_conf() / "config.yaml").read_text("utf-8")
AFTER = PACKAGED.count("\n") + 1


def refusal(root: Path, text: str) -> str:
    (root / "conf").mkdir()
    (root / "conf" / "config.yaml").write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load_variant(root, ["precision=fp16"])
    return str(caught.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("precision: int8\n", "precision: expected keys with values, not 'int8'; an option is chosen in the list"),
        ("trusted_module: [x]\n", "trusted_module: unknown key 'trusted_module'; did you mean 'trusted_modules'?"),
        ("hydra:\n  serchpath: []\n", "hydra.serchpath: unknown key 'serchpath'; did you mean 'searchpath'?"),
        ("hydra: 5\n", "hydra: expected keys with values, not '5'"),
        ("  - target: sm89\n", "defaults: 'target' is listed twice; remove one of lines "),
    ],
)
def test_a_mistake_is_named_at_its_line(tmp_path: Path, more: str, said: str) -> None:
    """Hydra ignores the first, and blames the word on the command line for the others."""
    assert refusal(tmp_path, PACKAGED + more).startswith(f"conf/config.yaml:{AFTER}: {said}")


@pytest.mark.parametrize("text", ["", "- a\n", "defaults: {model: m}\n", "model: {}\n"])
def test_a_list_of_defaults_is_needed(tmp_path: Path, text: str) -> None:
    """Without one, no word can choose an option."""
    assert "it has no list of defaults; it begins so" in refusal(tmp_path, text)


def test_what_hydra_says_of_the_file_is_said_of_the_file(tmp_path: Path) -> None:
    """Not of a word, which has nothing to do with it."""
    assert refusal(tmp_path, PACKAGED + "hydra: {job: {chdri: 1}}\n").startswith("conf/config.yaml: ")


@pytest.mark.parametrize("more", ["", "latency: {seconds: 2}\ntrusted_modules: [a]\npublic_key: k.pem\nmodel: null\n"])
def test_what_is_right_is_taken(tmp_path: Path, more: str) -> None:
    """By the schema for editors, too."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text(PACKAGED + more, "utf-8")

    compose_config(tmp_path, [])
    jsonschema.validate(yaml.safe_load(PACKAGED + more), main_schema())


def test_a_list_without_self_is_taken_in_silence(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """Hydra's warning names a file of its own, and says nothing that is wrong here."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text(PACKAGED.replace("  - _self_\n", ""), "utf-8")
    compose_config(tmp_path, [])

    assert [str(one.message) for one in recwarn] == []


@pytest.mark.parametrize("more", ["latency: 5\n", "latency: {secnods: 1}\n", "modle: {}\n", "trusted_modules: x\n"])
def test_the_schema_finds_mistakes(more: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(PACKAGED + more), main_schema())
