"""Tests of what the form of int8 makes of a convolution, by the builder itself; the whole table: docs/placement.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import placement
from benchmarks.placementgraphs import Form, forms

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SAMPLE = (
    "float32; a scale for each channel",
    "float16; a scale for each channel",
    "float16; one scale, Mul by channel behind",
    "shortcut quantised; Mul by channel behind",
    "depthwise",
    "transposed 3x3",
)


def test_one_scale_with_a_multiplication_behind_writes_float16(tmp_path: Path) -> None:
    """In RTX 1.7; by channel it writes float32, and nothing writes int8, so fp16 moves fewer bytes."""
    chosen: dict[str, Form] = {form.name: form for form in forms() if form.name in SAMPLE}
    named = {f"f{i}": chosen[name] for i, name in enumerate(SAMPLE)} | {"fp16": chosen[SAMPLE[0]].twin}
    found = placement.compile_all(ROOT, "rtx-1.7", tmp_path / "forms", named)
    engines = {name: found[f"f{i}"] for i, name in enumerate(SAMPLE)}

    assert not [one.why for one in found.values() if one.why]
    assert [engines[name].results for name in SAMPLE[:3]] == ["float32", "float32", "float16"]
    assert all(engines[name].quantised for name in SAMPLE[:5]) and not engines[SAMPLE[5]].quantised
    by_form = [engines[name].bytes for name in SAMPLE[:3]]
    assert by_form == sorted(by_form, reverse=True) and found["fp16"].bytes < by_form[2] < 0.7 * by_form[0]
