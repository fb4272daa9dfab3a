"""A real build accepted as baseline, changed, and compared with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

WORDS = ("model=tiny", "precision=fp16")


def test_a_changed_calibration_shows_against_the_baseline(workspace: Path, trtbuild) -> None:
    """Accept, build otherwise, compare: the baseline stays what was accepted; git would keep it."""
    assert "not built" in trtbuild("accept", *WORDS, check=2).stderr
    trtbuild(*WORDS, check=0)
    assert "accepted: baselines/tiny/tiny-fp16-" in trtbuild("accept", *WORDS, check=0).stderr
    assert "the engine is the same" in trtbuild("diff", *WORDS, check=0).stdout

    trtbuild(*WORDS, "model.export.opset=18", check=0)
    changed = json.loads(trtbuild("diff", *WORDS, "model.export.opset=18", "--json", check=0).stdout)
    opset = next(row for row in changed["environment"] if row["name"] == "opset")
    assert (opset["old"], opset["new"], opset["equal"]) == ("17", "18", False)


def test_two_built_variants_are_compared_by_their_ids(workspace: Path, trtbuild) -> None:
    """From any folder of the workspace; an id that was not built is told with those that were."""
    for precision in ("fp32", "fp16"):
        trtbuild("model=tiny", f"precision={precision}", check=0)
    ids = [f"tiny-{precision}-rtx-1.7-onnxruntime" for precision in ("fp32", "fp16")]
    done = trtbuild("diff", *ids, check=0, cwd=workspace / "conf")

    assert done.stdout.startswith(f"{ids[1]} against {ids[0]}:\n  RMS error of scores")
    assert f"built: {', '.join(sorted(ids))}" in trtbuild("diff", ids[0], "nothing", check=2).stderr
