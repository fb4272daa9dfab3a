"""Tests of mixed precisions: a base and scopes by name, written by hand."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import Workspace
from trtbuild.config import named
from trtbuild.config.schema import group_schema
from trtbuild.core.spec.lowering import rank

MIXED = "base: {base}\nscopes:\n  encoder: int8\n  encoder/stem: fp32\n"


@pytest.fixture(autouse=True)
def here(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a mixed precision."""
    shutil.copy(packaged_conf() / "config.yaml", workspace.conf)
    for group in ("precision", "model"):
        (workspace.conf / group).mkdir()
    shutil.copy(packaged_conf() / "model" / "segnet.yaml", workspace.conf / "model" / "net.yaml")
    (workspace.conf / "precision" / "mine.yaml").write_text(MIXED.format(base="fp16"))
    monkeypatch.chdir(workspace.root)
    return workspace.root


def test_names_become_what_they_stand_for(here: Path) -> None:
    """In a scope, what is not quantised computes as the base does; the page's order is that of the base."""
    mine = named.precision(here, "mine")

    assert (mine.kind, mine.quantised, mine.calibrated, mine.coarsest) == ("float16", True, True, "int8")
    assert {scope: (form.precision, form.rest) for scope, form in mine.scopes.items()} == {
        "encoder": ("int8", "float16"), "encoder/stem": ("fp32", "float32"),
    }  # fmt: skip
    assert str(mine) == (
        "float16; encoder in int8 for Conv, MatMul, Gemm, the rest in float16; encoder/stem in float32"
    )
    assert rank(mine.kind, mine.tf32) == rank("float16", False)


def test_a_build_composes_it_as_every_command_reads_it(here: Path) -> None:
    """From a file, with a scope from the command line, and with another base."""
    variant = config.load_variant(here, ["model=net", "precision=mine"])
    more = config.load_variant(here, ["model=net", "precision=mine", "precision.scopes.head=bf16"])
    other = config.load_variant(here, ["model=net", "precision=mine", "precision.base=bf16"])

    assert replace(variant.lowering, qat=None) == named.precision(here, "mine")  # the model's
    assert set(more.lowering.scopes) == {"encoder", "encoder/stem", "head"}
    assert other.lowering.kind == "bfloat16" and other.lowering.scopes["encoder"].rest == "bfloat16"
    assert named.precision(here, "mine", ["precision.base=bf16"]).kind == "bfloat16"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MIXED.format(base="fp61"), r"precision=other.base: unknown precision 'fp61'; did you mean 'fp16'"),
        ("base: fp16\nscopes: {a/b: itn8}\n", "other.scopes.a/b: unknown precision 'itn8'; did you mean 'int8'"),
        ("base: fp16\nscopes: {a: mine}\n", "scopes.a: 'mine' is itself mixed"),
        ("base: fp16\nscopes: {a: {lowering: int8}}\n", "scopes.a: expected the name of a precision"),
        ("base: fp16\nscopes: [a]\n", "precision=other.scopes: expected a mapping"),
        ("base: fp16\nscopes: {a: int8, a/: fp32}\n", "precision=other.scopes: 'a/' is not a scope; write 'a'"),
        ("base: fp16\nscopes: {/a//b: int8}\n", "precision=other.scopes: '/a//b' is not a scope; write 'a/b'"),
        ("base: fp16\nscopes: {'': int8}\n", "precision=other.scopes: '' is not a scope; 'base' is for everything"),
        ("base: fp16\nscopes: {1: int8}\n", "precision=other.scopes: the scope 1 is not text; write '1' in quotes"),
        ("scopes: {a: int8}\n", "precision=other: missing key 'base'"),
        ("base: fp16\ntf32: true\n", "precision=other: 'tf32' does not go with base and scopes"),
        ("base: fp32\nscopes: {a: tf32}\n", "scopes.a: 'tf32' differs from 'fp32' in TF32, which is one switch"),
        ("base: tf32\nscopes: {a: fp32}\n", "scopes.a: 'fp32' differs from 'tf32' in TF32"),
        ("lowering: float16\nrest: bfloat16\n", "precision=other: rest: nothing is quantised"),
        ("lowering: int8\nquantize_ops: [Conv]\nrest: fp16\n", "precision=other.rest: 'fp16' is not allowed"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(here: Path, text: str, says: str) -> None:
    """With the nearest name."""
    (here / "conf" / "precision" / "other.yaml").write_text(text)
    with pytest.raises(ConfigError, match=says):
        named.precision(here, "other")


@pytest.mark.parametrize(
    ("content", "valid"),
    [
        ({"base": "fp16", "scopes": {"a": "int8"}}, True),
        ({"lowering": "int8", "quantize_ops": ["Conv"], "rest": "float16"}, True),
        ({"scopes": {"a": "int8"}}, False),
        ({"base": "fp16", "scopes": {"a": {"kind": "int8"}}}, False),
    ],
)
def test_an_editor_is_told_both_forms(content: dict[str, object], valid: bool) -> None:
    """Names, not what they stand for."""
    assert jsonschema.Draft202012Validator(group_schema("precision")).is_valid(content) == valid
