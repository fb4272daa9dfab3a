"""Tests of a step's identity: what is in its key, and keys that must never change by accident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.fakes import chain, step
from trtbuild.core.step import File, Out, Step, canonical


def test_equal_recipes_have_equal_keys() -> None:
    """Identity is what is asked for; the order in which it was written down is not."""
    assert step("a", x=1, y=[2]).key == step("a", y=[2], x=1).key


@pytest.mark.parametrize(
    "other",
    [step("b", x=1), step("a", x=2), step("a", x=1, y=0), step("a", x=1, files=("f",)), step("a", step("up"), x=1)],
    ids=["kind", "value", "parameter", "file", "upstream"],
)
def test_another_recipe_has_another_key(other: Step) -> None:
    """Everything that can change the bytes is in the key."""
    assert other.key != step("a", x=1).key


def test_a_version_is_part_of_the_key() -> None:
    """A change of a step's code that changes its bytes rebuilds it."""
    assert replace(step("a"), version=2).key != step("a").key


def test_where_and_how_it_runs_is_not_in_the_key() -> None:
    """Model name, label, slot and environment do not change the bytes."""
    assert replace(step("a"), model="other", label="x", slot="gpu", environment="toolchain").key == step("a").key


def test_a_key_reaches_through_all_upstream_steps() -> None:
    """A parameter at the far end changes every key behind it."""
    first, second = (step("c", step("b", step("a", x=x))) for x in (1, 2))

    assert first.key != second.key


def test_a_folder_says_model_kind_label_and_key() -> None:
    """People read the front, programs the digest."""
    made = Step("lower", 1, "segnet", "fp16", {}, {}, ())

    assert made.folder == f"build/segnet/lower-fp16-{made.key[:8]}"
    assert replace(made, label="").folder == f"build/segnet/lower-{made.key[:8]}"


def test_upstream_steps_appear_once() -> None:
    """Two outputs of one step are one dependency; files are none."""
    up = step("a", outs=(Out("x"), Out("y")))
    reader = Step("b", 1, "m", "", {}, {"x": up.out("x"), "file": File("f"), "y": up.out("y")}, ())

    assert reader.upstream == (up,)


def test_an_output_that_is_not_made_cannot_be_read() -> None:
    """A misspelt output name fails when the plan is made."""
    with pytest.raises(KeyError, match=r"a makes no out\.txt"):
        step("a").out("out.txt")


def test_canonical_text_refuses_nan() -> None:
    """NaN differs from itself, so it can be in no key."""
    with pytest.raises(ValueError, match="Out of range"):
        canonical({"limit": float("nan")})


def test_pinned_keys() -> None:
    """A change that would rebuild every model anywhere must change this test."""
    shape: dict[str, object] = {"dtype": "float32", "shape": [None, 8]}
    export = Step(
        "export",
        1,
        "m",
        "opset17",
        {"opset": 17, "inputs": {"x": shape}},
        {"source": File("models/m.onnx")},
        (Out("model.onnx"),),
    )
    lower = Step(
        "lower",
        1,
        "m",
        "fp16",
        {"lowering": "float16", "limit": 1e-3},
        {"model": export.out("model.onnx")},
        (Out("lowered.onnx"),),
    )
    drawn = Step("reference", 2, "m", "", {"source": {"kind": "factory", "seed": 0}}, {}, (Out("outputs.npz"),))

    assert [made.key for made in (export, lower, drawn)] == [
        "ce7e89c5dea5a38f4cf0b3e62ca877e4ec76ee3457ecf8c14495f02add331de0",
        "98b4b1540c54a6c53b438fd2e6b1ec107c7bd8c97c4b6cb5092279ba7633ebdd",
        "d2d503965a5631fb3c7bd65a60b5a2d84d273976d7b4e0c63512769f8e113ceb",
    ]


def test_steps_of_a_chain_know_their_neighbours() -> None:
    """Each step reads the one before it."""
    first, second, third = chain("a", "b", "c")

    assert [s.upstream for s in (first, second, third)] == [(), (first,), (second,)]
