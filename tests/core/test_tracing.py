"""Tests of results that variants share: exactly those that agree in what the function has read."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from tests.support.variants import NAMES, variant_of
from trtbuild.core.plan import make_plan
from trtbuild.core.spec import Calibration, Latency, Model, Precision, Target, Variant
from trtbuild.core.spec.data import Data, RandomData
from trtbuild.core.spec.model import Input, Onnx, Profile
from trtbuild.core.spec.validation import EngineLimits, Validation
from trtbuild.core.tracing import Answer, Tree
from trtbuild.steps import Declarations


def variant() -> Variant:
    model = Model(Onnx("m.onnx"), {"x": Input("float32", (None, 8), Profile(1, 2, 4))}, data=Data(RandomData()))
    return variant_of(model, Precision("int8", quantize_ops=("Conv",)), replace(NAMES, precision="int8"))


def test_steps_are_those_of_each_variant_alone() -> None:
    """Whatever two variants differ in: what they share in one plan is what each would have by itself."""
    first = variant()
    spec, names = first.spec, first.names
    budget = replace(spec.model, validation=Validation(engine=EngineLimits(max_plan_mb={"int8": 4.0})))
    specs = [spec, replace(spec, model=budget), replace(spec, latency=Latency(measure=False)),
             replace(spec, calibration=Calibration("mse")), replace(spec, precision=Precision("float16")),
             replace(spec, target=Target(("8.9",))), replace(spec, tensorrt=replace(spec.tensorrt, version="1.6")),
             replace(spec, model=replace(spec.model, inputs={"x": Input("float32", (2, 8))}))]  # fmt: skip
    variants = [Variant(replace(names, model=f"m{i}", precision=precision), one, tools={"onnx": tool})
                for i, one in enumerate(specs) for precision in ("int8", "mine") for tool in ("1", "2")]  # fmt: skip
    together = make_plan(variants, ("report",), Declarations())
    found = [{role: step.recipe for role, step in roles.items()} for roles in together.variants.values()]
    alone = [next(iter(make_plan([one], ("report",), Declarations()).variants.values())) for one in variants]
    assert found == [{role: step.recipe for role, step in roles.items()} for roles in alone]


def test_read_parts_decide(variants: list[Variant]) -> None:
    """Parts that are read only for some variants decide for those only; properties and copies count as reading."""
    runs: list[str] = []

    def run(seen: Variant, ask: Answer) -> str:
        runs.append(seen.names.model)
        if seen.names.precision == "int8":
            return f"{seen.id} {asdict(seen.names)['calibration']}"
        return f"{seen.names.model} {seen.templates}"

    tree: Tree[str] = Tree()
    for _ in range(2):
        assert [tree.result(one, run) for one in variants] == [run(one, lambda *question: None) for one in variants]
    shared = {(v.names.model, v.templates) for v in variants if v.names.precision != "int8"}
    calibrated = {(v.names.model, v.names.runtime) for v in variants if v.names.precision == "int8"}
    assert len(runs) - 2 * len(variants) == len(shared) + len(calibrated)


@pytest.fixture
def variants() -> list[Variant]:
    first = variant()
    names = first.names
    return [
        replace(first, templates=templates, names=replace(names, model=model, precision=precision, runtime=runtime))
        for model in ("a", "b") for precision in ("int8", "fp16") for runtime in ("x", "y") for templates in ("", "t")
    ]  # fmt: skip


def test_questions_and_errors() -> None:
    """An answer decides as a part does; an error is raised each time."""
    tree: Tree[object] = Tree()
    answers: dict[str, object] = {"a": "1"}
    runs: list[object] = []

    def run(seen: Variant, ask: Answer) -> object:
        runs.append(None)
        found = ask("a")
        if found == "bad":
            raise ValueError(found)
        return found, ask("a")

    for answer in ("1", "1", "2", "1", "2"):
        answers["a"] = answer
        assert tree.result(variant(), run, answers.__getitem__) == (answer, answer)
    assert len(runs) == 2
    answers["a"] = "bad"
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            tree.result(variant(), run, answers.__getitem__)
    assert len(runs) == 4
