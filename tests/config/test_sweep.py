"""Tests of a sweep's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.config.sweep import expand

ROOT = Path(__file__).resolve().parents[2]


def test_lists_give_every_combination() -> None:
    """The last word varies fastest."""
    assert expand(ROOT, ["model=segnet,lenet", "layers=off", "precision=fp32,int8"]) == [
        ("model=segnet", "layers=off", "precision=fp32"), ("model=segnet", "layers=off", "precision=int8"),
        ("model=lenet", "layers=off", "precision=fp32"), ("model=lenet", "layers=off", "precision=int8"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("precision=glob(*16)", ["precision=bf16", "precision=fp16"]),
        ("precision=glob(*, exclude=[*16, tf32, fp8, *4*])", ["precision=fp32", "precision=int8"]),
        ("precision=choice(fp16,int8)", ["precision=fp16", "precision=int8"]),
        ("model.export.opset=range(17,20)", [f"model.export.opset={i}" for i in (17, 18, 19)]),
        ("tensorrt=1e3,2e3", ["tensorrt=1e3", "tensorrt=2e3"]),
        ("model.inputs.x.shape=[1,2],[3]", ["model.inputs.x.shape=[1,2]", "model.inputs.x.shape=[3]"]),
        ("precision=fp16,fp16", ["precision=fp16"]),
        ("layers.max_bytes=256MB", ["layers.max_bytes=256MB"]),
        ("~layers", ["~layers"]),
    ],
)
def test_hydras_grammar(word: str, found: list[str]) -> None:
    """A word that sweeps nothing stays as it is."""
    assert [words[0] for words in expand(ROOT, [word])] == found


@pytest.mark.parametrize(
    "word", ["precision=glob(x*)", "model.a=glob(*)", "model.a=interval(0,1)", "precision=choice("]
)
def test_what_cannot_be_swept_is_one_line(word: str) -> None:
    """With the word itself as the place."""
    with pytest.raises(ConfigError) as raised:
        expand(ROOT, [word])
    assert raised.value.where == word
