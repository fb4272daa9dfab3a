"""Tests of the last lines of a build."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support import fakes
from trtbuild.base.errors import EngineError
from trtbuild.building.states import Ending, VariantState
from trtbuild.building.summary import MOST_LINES, markdown, summarise
from trtbuild.core.explain import Judgement
from trtbuild.core.step import Out
from trtbuild.core.verdict import missing_threshold, verdict_document
from trtbuild.core.warning import MOST

VERDICT = {"passed": True, "checks": {}}
KINDS = {"lower": "precision.json", "engine": "passport.json", "validate": "verdict.json", "report": "report.json"}


def lines(root: Path, documents: Mapping[str, Any], **ended: Ending) -> list[str]:
    """Of a variant whose steps left these documents, and ended so ("fresh" where nothing is said)."""
    steps = {kind: fakes.step(kind, outs=(Out(name),)) for kind, name in KINDS.items()}
    for kind, document in documents.items():
        (root / steps[kind].folder).mkdir(parents=True)
        (root / steps[kind].folder / KINDS[kind]).write_text(json.dumps(document), "utf-8")
    endings: dict[str, Ending] = {kind: ended.get(kind, "fresh") for kind in steps}
    failures = {kind: EngineError("no such layer") for kind, ending in endings.items() if ending == "failed"}
    judgements = dict.fromkeys(steps, Judgement("missing", "never built here"))
    return summarise({"v": VariantState("v", root, steps, judgements, endings, failures)}, {})


def warnings(count: int) -> dict[str, Any]:
    return {"warnings": [{"what": f"finding {i}", "where": "calibration", "hint": "mend it"} for i in range(count)]}


def test_warnings_follow_the_verdict_of_an_unchanged_build(tmp_path: Path) -> None:
    """What must be known is said each time, not only when the step ran."""
    said = lines(
        tmp_path, {"validate": VERDICT, "engine": {"warnings": [{"what": "read as int8"}]}, "lower": warnings(1)}
    )

    assert said[:3] == [
        "v: PASS (0 of 0 checks)", "  warning: calibration: finding 0; mend it", "  warning: read as int8",
    ]  # fmt: skip
    assert said[-1] == "nothing to do"


def test_a_variant_without_an_engine_has_the_warnings_of_what_was_made(tmp_path: Path) -> None:
    """They may say why it failed; what an earlier build left of a failed step does not count."""
    documents = {"lower": warnings(1), "engine": {"warnings": [{"what": "of old"}]}}
    said = lines(tmp_path, documents, engine="failed", validate="blocked", report="blocked")

    assert said == ["v: NOT BUILT (engine failed)", "  warning: calibration: finding 0; mend it"]


def test_an_engine_to_compare_with_that_failed_is_named(tmp_path: Path) -> None:
    """Its own engine was built."""
    step = fakes.step("engine", outs=(Out("passport.json"),))
    missing = {"engine-fp16": Judgement("missing", "never built here")}
    state = VariantState(
        "v", tmp_path, {"engine-fp16": step}, missing, {"engine-fp16": "failed"}, {"engine-fp16": EngineError("no")}
    )

    assert summarise({"v": state}, {})[0] == "v: NOT BUILT (engine-fp16 failed)"


def test_a_terminal_gets_the_first_warnings(tmp_path: Path) -> None:
    """A model with hundreds of findings must not push its verdict off the screen."""
    said = lines(tmp_path, {"validate": VERDICT, "lower": warnings(MOST + 2)})

    assert sum("finding" in line for line in said) == MOST
    assert said[MOST + 1] == "  and 2 more warnings, in the report"


def test_what_nothing_judged_is_no_pass_and_says_which_line_to_add(tmp_path: Path) -> None:
    """In the line that a person looks for PASS in; the exit status is that of a build within its thresholds."""
    why = missing_threshold("int8", {"y": {"cosine": 0.99, "max_abs": 0.5}})
    verdict = verdict_document({}, judging=0, why_not=why, further=0, not_judged={})
    said = lines(tmp_path, {"validate": verdict})

    assert said[0].startswith("v: UNJUDGED (0 of 0 checks): no threshold for int8; add model.validation.deviation.cos")


def test_a_limit_that_could_not_be_judged_is_said(tmp_path: Path) -> None:
    """Nobody takes silence for a pass; a ratio says what it was made of."""
    ratio = {"observed": 3.0, "limit": 1.0, "passed": False, "share_of_limit": 3.0, "says": "3 MB against 1 MB of fp16"}
    unknown = {"limit": 9.0, "why": "TensorRT's log does not state it"}
    verdict = {
        "passed": False, "word": "fail", "checks": {"engine: max_bytes_moved_vs fp16": ratio},
        "not_judged": {"engine: max_activation_mb": unknown},
    }  # fmt: skip
    said = lines(tmp_path, {"validate": verdict})

    assert said[1:3] == [
        "  engine: max_bytes_moved_vs fp16: 3, limit 1 (3 MB against 1 MB of fp16)  <- FAILED",
        "  engine: max_activation_mb: not judged (limit 9): TensorRT's log does not state it",
    ]


def test_markdown_has_every_variant(tmp_path: Path) -> None:
    """The report.md of those that are built, and the reason of those that are not."""
    steps = {kind: fakes.step(kind, outs=(Out(name),)) for kind, name in KINDS.items()}
    (tmp_path / steps["report"].folder).mkdir(parents=True)
    (tmp_path / steps["report"].folder / "report.md").write_text("## a: PASS\n", "utf-8")
    states = {
        name: VariantState(name, tmp_path, steps, dict.fromkeys(steps, Judgement(state, "never built here")))
        for name, state in (("a", "fresh"), ("b", "missing"))
    }

    text = markdown(states, {"model=c": EngineError("no such layer")})

    assert text.split("\n\n") == [
        "## model=c: INVALID", "no such layer", "## a: PASS", "## b: NOT BUILT",
        "b: not built; build it first\n",
    ]  # fmt: skip


def test_a_large_sweep_says_the_worst_first_and_how_many_it_left_out(tmp_path: Path) -> None:
    """Thousands of lines would hide the failures; a small sweep keeps its order."""
    steps = {kind: fakes.step(kind, outs=(Out(name),)) for kind, name in KINDS.items()}
    fresh = dict.fromkeys(steps, Judgement("fresh", ""))
    verdict = {**VERDICT, "word": "pass"}
    (tmp_path / steps["validate"].folder).mkdir(parents=True)
    (tmp_path / steps["validate"].folder / KINDS["validate"]).write_text(json.dumps(verdict), "utf-8")
    states = {f"v{i}": VariantState(f"v{i}", tmp_path, steps, fresh) for i in range(MOST_LINES)}
    missing = dict.fromkeys(steps, Judgement("missing", "never built here"))
    states["bad"] = VariantState("bad", tmp_path, steps, missing, dict.fromkeys(steps, "blocked"))
    small = summarise({"v0": states["v0"], "bad": states["bad"]}, {})
    said = summarise(states, {"model=x": EngineError("no such layer")})

    assert small[0].startswith("v0: PASS") and small[-1] == "2 variants: 1 pass, 1 not built"
    assert said[0].startswith("bad: NOT BUILT") and said[1] == "model=x: NOT BUILT (no such layer)"
    assert said[2].startswith("v0: PASS") and len(said) <= MOST_LINES + 2
    left = MOST_LINES - sum(line.startswith("v") for line in said)
    assert said[-2:] == [
        f"{left} more variants are not listed here; the sweep's page has all of them",
        "402 variants: 400 pass, 2 not built",
    ]  # fmt: skip
