"""Tests of the names of variants."""

from __future__ import annotations

import pytest

from tests.support.variants import variant_of
from trtbuild.core.spec import Executor, Model, Names, Onnx, Precision
from trtbuild.core.spec.model import Input


@pytest.mark.parametrize(
    ("precision", "target", "calibration", "identity"),
    [
        ("fp16", "portable", "best", "segnet-fp16-rtx-1.7-onnxruntime"),
        ("fp16", "sm89", "entropy", "segnet-fp16-rtx-1.7-onnxruntime-sm89"),
        ("int8", "portable", "best", "segnet-int8-rtx-1.7-onnxruntime"),
        ("int8", "sm89", "entropy", "segnet-int8-rtx-1.7-onnxruntime-sm89-entropy"),
        ("mine", "portable", "entropy", "segnet-mine-rtx-1.7-onnxruntime-entropy"),
    ],
)
def test_a_variant_is_named_by_its_choices(precision: str, target: str, calibration: str, identity: str) -> None:
    """Target and calibration are said only where they are a choice: of a precision that is int8, whatever its name."""
    kind = {"fp16": "float16"}.get(precision, "int8")
    form = Precision(kind, quantize_ops=("Conv",))  # type: ignore[arg-type]
    names = Names("segnet", precision, "rtx-1.7", "onnxruntime", target, calibration)

    assert variant_of(Model(Onnx("m.onnx"), {"x": Input("float32", (1,))}), form, names).id == identity


@pytest.mark.parametrize(("limit", "seconds"), [(30, 30), ("90s", 90), ("15m", 900), ("2h", 7200), (None, None)])
def test_a_time_limit_has_units(limit: float | str | None, seconds: float | None) -> None:
    assert Executor("local", time_limit=limit).time_limit_s == seconds


@pytest.mark.parametrize("limits", [{"time_limit": 0}, {"time_limit": "1d"}, {"time_limit": "inf"}, {"time_limit": "s"},
                                    {"memory_limit": "-1GB"}, {"memory_limit": "much"}])  # fmt: skip
def test_limits_that_cannot_be_are_refused(limits: dict[str, object]) -> None:
    """By the name of their key."""
    with pytest.raises(ValueError, match=next(iter(limits))):
        Executor("local", **limits)  # type: ignore[arg-type]
