"""Tests of plans: what is shared, in which order it can run, and golden listings in tests/cases/.

A case is a text file: one line of overrides for each variant, a blank line, the expected listing.  After a wanted
change: ``pytest tests/core/test_plan.py --update-golden``, and read the diff.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.fakes import step
from tests.support.variants import NAMES, variant_of
from trtbuild.base.errors import ConfigError
from trtbuild.config import load_variant
from trtbuild.core.plan import Plan, make_plan, post_order
from trtbuild.core.spec import Calibration, Model, Precision, Target, Variant
from trtbuild.core.spec.data import Data, RandomData
from trtbuild.core.spec.model import Export, Factory, Input, Onnx, Profile
from trtbuild.core.spec.validation import EngineLimits, Validation
from trtbuild.steps import Declarations

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests" / "cases").glob("*.txt"))
LOWERINGS = {"fp32": "none", "fp16": "float16", "int8": "int8"}


def variant(
    precision: str = "fp32", *, tensorrt: str = "rtx-1.7", target: str = "portable", calibration: object = RandomData()
) -> Variant:
    model = Model(Onnx("models/m.onnx"), {"x": Input("float32", (None, 8), Profile(1, 2, 4))}, data=Data(calibration))  # type: ignore[arg-type]
    capabilities = () if target == "portable" else (target,)
    names = replace(NAMES, precision=precision, tensorrt=tensorrt, target=target, calibration="best")
    form = Precision(LOWERINGS[precision], quantize_ops=("Conv",))  # type: ignore[arg-type]
    return variant_of(model, form, names, tensorrt=tensorrt, target=Target(capabilities))


def planned(*variants: Variant) -> Plan:
    return make_plan(variants, ("report",), Declarations())


def count(plan: Plan, kind: str) -> int:
    return sum(s.kind == kind for s in plan.steps)


def test_one_variant_needs_every_step_once() -> None:
    """Roles tell the two inferences of one variant apart."""
    roles = planned(variant())

    assert set(roles.variants["m-fp32-rtx-1.7-onnxruntime"]) == {
        "export", "reference", "lower", "infer-export", "infer-lower", "deviation", "layers", "latency",
        "validate", "engine", "report",
    }  # fmt: skip
    assert len(roles.steps) == 11


def test_two_precisions_share_what_does_not_hang_on_precision() -> None:
    """One export, one reference and one inference of the exported graph serve both."""
    plan = planned(variant("fp32"), variant("fp16"))

    assert [count(plan, kind) for kind in ("export", "reference", "infer", "lower", "engine", "report")] == [
        1,
        1,
        3,
        2,
        2,
        2,
    ]


def test_two_versions_of_tensorrt_share_one_lowering() -> None:
    """Only the engine, and the report that shows it, are made twice."""
    plan = planned(variant(), variant(tensorrt="rtx-1.8"))

    assert [count(plan, kind) for kind in ("lower", "infer", "validate", "engine", "report")] == [1, 2, 1, 2, 2]


def test_two_targets_share_all_but_the_engine() -> None:
    """A compute capability is the engine's business alone."""
    plan = planned(variant(), variant(target="8.9"))

    assert [count(plan, kind) for kind in ("export", "lower", "validate", "engine")] == [1, 1, 1, 2]


def test_the_same_variant_twice_is_one() -> None:
    """Equal recipes become one step."""
    assert len(planned(variant(), variant()).steps) == len(planned(variant()).steps)


def test_variants_of_one_name_are_both_planned() -> None:
    """Two recipes under one name (another opset by an override, say) are two variants."""
    first, second = variant(), variant()
    model = replace(second.spec.model, export=Export(18))
    second = replace(second, spec=replace(second.spec, model=model))

    assert count(planned(first, second), "export") == 2


def test_inputs_come_before_what_reads_them() -> None:
    """The plan is a post-order, so it can run from front to back."""
    seen: set[str] = set()
    for made in planned(variant("fp32"), variant("fp16")).steps:
        assert {up.key for up in made.upstream} <= seen
        seen.add(made.key)


def test_post_order_of_a_diamond() -> None:
    """Each step once, shared inputs first."""
    top = step("top")
    left, right = step("left", top), step("right", top)
    bottom = step("bottom", left, right)

    assert post_order([bottom, right]) == (top, left, right, bottom)


def test_int8_needs_calibration_data() -> None:
    """The plan already says so, with the place in the config."""
    with pytest.raises(ConfigError, match=r"model\.data\.calibration: int8 needs calibration data"):
        planned(variant("int8", calibration=None))


def test_strict_calibration_concerns_the_verdict_alone() -> None:
    """The graph is the same; a precision without calibration has nothing to be strict about."""

    def strict(precision: str) -> Plan:
        made = variant(precision)
        return planned(replace(made, spec=replace(made.spec, calibration=Calibration("minmax", strict=True))))

    def keys(plan: Plan) -> dict[str, str]:
        return {s.key: s.kind for s in plan.steps}

    plain = keys(planned(variant("int8")))
    assert {kind for key, kind in keys(strict("int8")).items() if key not in plain} == {"validate", "report"}
    assert keys(strict("fp16")) == keys(planned(variant("fp16")))


def test_a_threshold_on_the_engine_adds_the_one_that_it_is_compared_with() -> None:
    """In the other precision for the same version; what both need is planned once, and the verdict is of a version."""
    limits = Validation(engine=EngineLimits(max_bytes_moved_vs={"int8": "fp16"}))
    int8, fp16 = (replace(v, spec=replace(v.spec, model=replace(v.spec.model, validation=limits)))
                  for v in (variant("int8"), variant("fp16")))  # fmt: skip
    plan = planned(replace(int8, against=fp16))
    roles = plan.variants["m-int8-rtx-1.7-onnxruntime"]

    assert [role for role in roles if role.endswith("-fp16")] == ["lower-fp16", "engine-fp16"]
    assert count(plan, "export") == 1
    assert roles["validate"].inputs["compared_layers"].identity == f"{roles['engine-fp16'].key}/engine_layers.json"
    assert roles["engine-fp16"].key == planned(fp16).variants["m-fp16-rtx-1.7-onnxruntime"]["engine"].key
    assert roles["validate"].label == "int8-rtx-1.7-onnxruntime"


def test_a_factory_of_the_workspace_is_an_input() -> None:
    """Its file is read, so that an edited factory makes its steps stale."""
    base = variant()
    model = replace(base.spec.model, source=Factory("nets:make"))
    made = replace(base, spec=replace(base.spec, model=model), code={"nets:make": ("layers.py", "nets.py")})
    export = next(s for s in planned(made).steps if s.kind == "export")

    assert [source.path for source in export.inputs.values()] == ["layers.py", "nets.py"]


def listing(plan: Plan) -> str:
    """One line for each step: model, kind and label, and what it reads from."""
    names = {s.key: f"{s.model}/{s.kind} {s.label}" for s in plan.steps}
    lines = [names[s.key] + "".join(f"\n    reads {names[up.key]}" for up in s.upstream) for s in plan.steps]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_golden_plan(case: Path, pytestconfig: pytest.Config) -> None:
    """The plan of the overrides is the one that is written down."""
    asked, _, expected = case.read_text("utf-8").partition("\n\n")
    found = listing(planned(*(load_variant(ROOT, line.split()) for line in asked.splitlines())))
    if pytestconfig.getoption("--update-golden"):
        case.write_text(f"{asked}\n\n{found}", "utf-8")

    assert found == expected or pytestconfig.getoption("--update-golden")
