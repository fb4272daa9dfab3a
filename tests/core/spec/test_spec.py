"""Tests of the names of variants."""

from __future__ import annotations

import pytest

from trtbuild.core.spec import (
    BuildSpec,
    Calibration,
    Executor,
    Model,
    Names,
    Onnx,
    Precision,
    Runtime,
    Target,
    Toolchain,
    Variant,
)
from trtbuild.core.spec.model import Input


@pytest.mark.parametrize(
    ("precision", "target", "calibration", "identity"),
    [
        ("fp16", "portable", "minmax", "segnet-fp16-rtx-1.7-onnxruntime"),
        ("fp16", "sm89", "entropy", "segnet-fp16-rtx-1.7-onnxruntime-sm89"),
        ("int8", "portable", "minmax", "segnet-int8-rtx-1.7-onnxruntime"),
        ("int8", "sm89", "entropy", "segnet-int8-rtx-1.7-onnxruntime-sm89-entropy"),
        ("mine", "portable", "entropy", "segnet-mine-rtx-1.7-onnxruntime-entropy"),
    ],
)
def test_a_variant_is_named_by_its_choices(precision: str, target: str, calibration: str, identity: str) -> None:
    """Target and calibration are said only where they are a choice: of a precision that is int8, whatever its name."""
    kind = {"fp16": "float16"}.get(precision, "int8")
    spec = BuildSpec(
        Model(Onnx("m.onnx"), {"x": Input("float32", (1,))}), Precision(kind, ("Conv",)),  # type: ignore[arg-type]
        Toolchain("tensorrt-rtx", "1.7", (), ()), Runtime("onnxruntime"), Target(), Calibration("minmax"),
        Executor("local"),
    )  # fmt: skip
    names = Names("segnet", precision, "rtx-1.7", "onnxruntime", target, calibration)

    assert Variant(names, spec).id == identity
