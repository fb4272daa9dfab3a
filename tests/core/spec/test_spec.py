"""Tests of the names of variants."""

from __future__ import annotations

import pytest

from trtbuild.core.spec import Names


@pytest.mark.parametrize(
    ("precision", "target", "calibration", "identity"),
    [
        ("fp16", "portable", "minmax", "segnet-fp16-rtx-1.7-onnxruntime"),
        ("fp16", "sm89", "entropy", "segnet-fp16-rtx-1.7-onnxruntime-sm89"),
        ("int8", "portable", "minmax", "segnet-int8-rtx-1.7-onnxruntime"),
        ("int8", "sm89", "entropy", "segnet-int8-rtx-1.7-onnxruntime-sm89-entropy"),
    ],
)
def test_a_variant_is_named_by_its_choices(precision: str, target: str, calibration: str, identity: str) -> None:
    """Target and calibration are said only where they are a choice."""
    assert Names("segnet", precision, "rtx-1.7", "onnxruntime", target, calibration).id == identity
