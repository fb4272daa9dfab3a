"""Tests of words to one plan: a sweep is one deduplicated plan, and goes on without what cannot be planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.building.planned import Planned, telling_names
from trtbuild.cli import planning
from trtbuild.cli import words as cli_words

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def plan(*words: str) -> Planned:
    return planning.planned(cli_words.parse(words))


def test_a_sweep_is_one_plan() -> None:
    """Six variants of two models share two exports."""
    p = plan("plan", "-m", "model=lenet,segnet", "precision=fp32,fp16,int8", "latency=off")

    assert len(p.plan.variants) == 6
    assert sum(step.kind == "export" for step in p.plan.steps) == 2
    assert [variant.names.precision for variant in p.plan.specs.values()] == ["fp32", "fp16", "int8"] * 2


def test_words_that_make_one_recipe_are_one_variant() -> None:
    """How many workers there are is no part of it."""
    assert len(plan("plan", "-m", "model=lenet", "executor.workers=1,2").plan.variants) == 1


def test_a_sweep_without_m_is_asked_for_it() -> None:
    """Before Hydra takes the list for a name."""
    with pytest.raises(ConfigError, match=r"model=lenet,segnet: it sweeps over several values; add -m"):
        plan("plan", "model=lenet,segnet")


def test_a_list_is_no_sweep() -> None:
    """Its commas are inside."""
    assert len(plan("plan", "model=lenet", "precision=int8", "precision.quantize_ops=[Conv,Gemm]").plan.variants) == 1


def test_what_cannot_be_planned_is_invalid_and_the_rest_goes_on() -> None:
    """With its reason, by its overrides."""
    p = plan("plan", "-m", "model=lenet", 'tensorrt.compute_capabilities=["8.9"],["7.5"]', "target=sm89")
    ((words, error),) = p.invalid.items()

    assert len(p.plan.variants) == 1
    assert '["7.5"]' in words and isinstance(error, ToolchainError)


def test_a_sweep_of_nothing_but_refusals_raises_the_first() -> None:
    """As a single variant would."""
    with pytest.raises(ToolchainError):
        plan("plan", "-m", "model=lenet,segnet", "tensorrt.compute_capabilities=[]", "target=sm89")


def test_a_misspelt_option_is_no_refusal() -> None:
    """It is a mistake of the whole sweep."""
    with pytest.raises(ConfigError, match="unknown precision 'fp61'; did you mean"):
        plan("plan", "-m", "model=lenet", "precision=fp32,fp61")


@pytest.mark.parametrize("verb", ["init", "rerun", "step"])
def test_verbs_on_one_thing_take_no_sweep(verb: str) -> None:
    """The command line says so."""
    with pytest.raises(ConfigError, match="takes no option -m"):
        cli_words.parse([verb, "-m", "x"])


def test_variants_of_one_id_are_named_by_what_differs() -> None:
    """All of them, in the order of the words; what they share is left out, and other ids are as they were."""
    named = {
        ("model=m", "a=1", "b=1", "precision=fp16"): "m-fp16",
        ("model=m", "a=1", "b=2", "precision=fp16"): "m-fp16#2",
        ("model=m", "a=2", "b=2", "precision=fp16"): "m-fp16#3",
        ("model=m", "a=1", "b=1", "precision=int8"): "m-int8",
    }
    assert telling_names(named) == {
        "m-fp16": "m-fp16#a=1,b=1", "m-fp16#2": "m-fp16#a=1,b=2", "m-fp16#3": "m-fp16#a=2,b=2", "m-int8": "m-int8",
    }  # fmt: skip


def test_a_key_that_changes_no_recipe_names_nothing() -> None:
    """As `executor.workers=1,2`: both are the same variant."""
    assert telling_names({("model=m", "w=1"): "m", ("model=m", "w=2"): "m"}) == {"m": "m"}


def test_two_that_cannot_be_told_apart_keep_their_numbers() -> None:
    """One may have all words of the other."""
    assert telling_names({("a=1",): "m", ("a=1", "b=\x1b"): "m#2"}) == {"m": "m", "m#2": "m#b=\\x1b"}
