"""Tests of what a step is taken to need, and when that is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.fakes import step
from trtbuild.core.memory import ACTIVATIONS, RULES, UNKNOWN_MODEL_BYTES, activation_bytes, estimate, model_files, sized
from trtbuild.core.spec.model import Input, Profile
from trtbuild.core.step import File, Step
from trtbuild.steps import kinds

MODEL = 300_000_000


def test_every_kind_of_step_has_a_rule() -> None:
    """A new step cannot be forgotten."""
    assert set(RULES) == set(kinds())


@pytest.mark.parametrize("kind", ["export", "reference", "lower", "infer", "engine", "layers", "latency"])
def test_an_estimate_follows_the_models_size(kind: str) -> None:
    """Twice the weights, twice the copies; libraries and work once."""
    of = replace(step(kind), work_bytes=7)
    once, twice = estimate(of, MODEL), estimate(of, 2 * MODEL)

    assert twice - once == pytest.approx(RULES[kind].copies * MODEL)
    assert once == RULES[kind].libraries_bytes + (twice - once) + 7


def network() -> tuple[Step, Step, Step]:
    """A factory's reference and export, and what reads the export."""
    export = replace(step("export"), inputs={"source_code_0": File("models/net.py")})
    reference = replace(step("reference"), inputs={"source_code_0": File("models/net.py")})
    return export, reference, replace(step("infer"), inputs={"model": export.out("out.bin")})


def test_a_factorys_size_is_unknown_until_its_export_is_there() -> None:
    """Code says nothing of the weights it makes; the estimate of what starts later is made from the export."""
    export, reference, infer = steps = network()
    sizes: dict[str, int] = {"models/net.py": 900}

    assert sized(export, model_files(steps), sizes.get).memory_bytes == estimate(export, UNKNOWN_MODEL_BYTES)
    sizes[export.out("out.bin").path] = MODEL
    assert sized(infer, model_files(steps), sizes.get).memory_bytes == estimate(infer, MODEL)
    assert sized(reference, model_files(steps), sizes.get).memory_bytes == estimate(reference, MODEL)


def test_other_models_of_a_plan_count_for_nothing() -> None:
    """A large network beside it makes a small one no larger."""
    small = replace(step("infer"), inputs={"model": File("models/small")})
    large = replace(small, model="other", inputs={"model": File("models/large")})
    sizes = {"models/small": 10, "models/large": 10**10}

    assert sized(small, model_files([small, large]), sizes.get).memory_bytes == estimate(small, 10)


def test_an_estimate_is_no_part_of_a_recipe() -> None:
    """Another estimate keeps the key, and so what was built."""
    plain = step("export", files=("models/net",))
    told = sized(replace(plain, work_bytes=10**9), model_files([plain]), {"models/net": MODEL}.get)

    assert told.memory_bytes > 10**9
    assert (told.key, told.folder, told.recipe) == (plain.key, plain.folder, plain.recipe)


def test_activations_are_those_of_one_call() -> None:
    """As many samples as asked for, within the profile; a static batch as it is; a scalar counts its bytes."""
    images = Input("float32", (None, 4, 4, 3), Profile(1, 4, 8))
    ids, scalar = Input("int64", (2, 16)), Input("float32", ())

    assert activation_bytes([images], 2) == ACTIVATIONS * 2 * 48 * 4
    assert activation_bytes([images], 100) == ACTIVATIONS * 8 * 48 * 4
    assert activation_bytes([ids, scalar], 100) == ACTIVATIONS * (2 * 16 * 8 + 4)
