"""Thresholds on a compiled engine, with the engine of another precision built beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
KEY = "model.validation.engine"


def test_an_engine_that_moves_more_than_another_fails(workspace: Path, trtbuild) -> None:
    """The fp16 engine is in the plan; what both move stands in the verdict, the report, show and on the terminal."""
    words = ("model=tiny", "precision=fp32", "layers=off", f"{KEY}.max_bytes_moved_vs=fp16", f"{KEY}.max_plan_mb=50")
    said = trtbuild(*words, check=1).stderr
    shown = json.loads(trtbuild("show", *words, "--json", check=0).stdout)["variants"][0]
    check = shown["metrics"]["checks"]["engine: max_bytes_moved_vs fp16"]
    folder = workspace / shown["steps"]["report"]["folder"]

    assert "engine: max_bytes_moved_vs fp16: 1." in said and "MB of fp16)  <- FAILED" in said
    assert (check["limit"], check["passed"], shown["metrics"]["not_judged"]) == (1.0, False, {})
    assert shown["metrics"]["checks"]["engine: max_plan_mb"]["passed"]
    assert shown["steps"]["engine-fp16"]["state"] == "fresh"
    assert all(check["says"] in (folder / page).read_text() for page in ("report.md", "overview.html", "report.json"))
    assert "nothing to do" in trtbuild("model=tiny", "precision=fp32", "layers=off", *words[3:], check=1).stderr
    assert trtbuild(*words[:3], f"{KEY}.max_bytes_moved_vs={{precision: fp16, factor: 3}}", check=0)
