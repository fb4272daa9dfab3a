"""Tests of what the validate step reads of a compiled engine."""

from __future__ import annotations

import json
from pathlib import Path

from trtbuild.core.job import Job
from trtbuild.steps import validate


def test_an_engine_whose_layers_nobody_understood_is_none(tmp_path: Path) -> None:
    """So that its limits are not judged; neither is one that is not there."""
    unread = [{"line": 0, "text": "", "why": "there is no section 'Layers:' in this log"}]
    (tmp_path / "layers.json").write_text(json.dumps({"Layers": [], "Unread": unread}), "utf-8")
    job = Job("validate", {}, {"engine_layers": str(tmp_path / "layers.json")}, str(tmp_path), str(tmp_path))

    assert [validate._engine(job, name) for name in ("engine_layers", "compared_layers")] == [None, None]
