"""What records say about a plan: verdicts, the last lines of a build, and the document of ``show --json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from trtbuild.building.loop import Outcome, judge_plan
from trtbuild.building.planned import Planned
from trtbuild.core import warning
from trtbuild.core.step import Step
from trtbuild.core.verdict import WORDS, export_fault, why_unjudged, word_of
from trtbuild.store import Store

NOTHING_TO_DO = "nothing to do"


def summarise(p: Planned, outcome: Outcome) -> list[str]:
    """The last lines of a build: verdict, worst check, report."""
    lines = []
    for variant, steps in p.plan.variants.items():
        failed = [step for step in steps.values() if outcome.steps.get(step.key) == "failed"]
        built = [step for step in steps.values() if outcome.steps.get(step.key) not in (None, "failed", "blocked")]
        said = [f"  {line}" for line in warning.lines(warnings_of(p.store, built))]
        verdict = verdict_of(p.store, steps["validate"])
        if failed or verdict is None:
            kinds = ", ".join(sorted({step.kind for step in failed})) or "a step"
            lines.append(f"{variant}: NOT BUILT ({kinds} failed)")
            lines += said
            continue
        checks = verdict["checks"]
        bad = [name for name, check in checks.items() if not check["passed"]]
        word = word_of(verdict)
        why = f": {why_unjudged(verdict)}" if word == "unjudged" else ""
        lines.append(f"{variant}: {word.upper()} ({len(checks) - len(bad)} of {len(checks)} checks){why}")
        lines += said
        for name, check in checks.items():
            if name in bad or "metric" in check:
                lines.append(f"  {name}: {describe(check)}{'' if check['passed'] else '  <- FAILED'}")
        if blame := export_fault(verdict):
            lines.append(f"  {blame}")
        lines.append(f"  report: {steps['report'].folder}/overview.html")
    lines += [f"{overrides}: NOT BUILT ({error})" for overrides, error in p.refused.items()]
    if len(p.plan.variants) + len(p.refused) > 1:
        lines.append(_count(p, outcome))
    if set(outcome.steps.values()) <= {"fresh"}:
        lines.append(NOTHING_TO_DO)
    return lines


def _count(p: Planned, outcome: Outcome) -> str:
    """``12 variants: 9 pass, 2 fail, 1 not built``."""
    states = [state_of(p, outcome, roles) for roles in p.plan.variants.values()] + ["not built"] * len(p.refused)
    counted = ", ".join(f"{states.count(s)} {s}" for s in (*WORDS, "not built") if s in states)
    return f"{len(states)} variants: {counted}"


def state_of(p: Planned, outcome: Outcome, roles: Mapping[str, Step]) -> str:
    """A variant after a build: the word of its verdict, or "not built"."""
    failed = any(outcome.steps.get(step.key) in ("failed", "blocked") for step in roles.values())
    verdict = None if failed else verdict_of(p.store, roles["validate"])
    return "not built" if verdict is None else word_of(verdict)


def describe(check: Mapping[str, Any]) -> str:
    observed = "none" if check["observed"] is None else f"{check['observed']:.6g}"
    scores = f" (source model {check['reference']:.4f}, here {check['score']:.4f})" if "score" in check else ""
    return f"{observed}, limit {check['limit']:g}{scores}"


def show_document(p: Planned, outcome: Outcome | None = None) -> dict[str, Any]:
    """Folders, states, verdict and metrics of every variant; of a build that was not finished, also the ``error``."""
    failures = outcome.failures if outcome else {}
    states = {step.key: verdict.state for step, verdict in judge_plan(p.plan, p.store)}
    entries = []
    for name, roles in p.plan.variants.items():
        # The graph was judged, maybe, in whose place there is no engine: versions share that judgement.
        judged = all(states[roles[role].key] == "fresh" for role in ("engine", "validate"))
        verdict = verdict_of(p.store, roles["validate"]) if judged else None
        steps = {
            "infer" if role == "infer-lower" else role: {
                "folder": step.folder,
                "state": states[step.key],
                "outs": {out.name: f"{step.folder}/{out.name}" for out in step.outs},
            }
            for role, step in roles.items()
        }
        names = p.plan.specs[name].names
        entries.append(
            {
                "id": name, "model": names.model, "precision": names.precision, "tensorrt": names.tensorrt,
                "runtime": names.runtime, "target": names.target, "calibration": names.calibration,
                "verdict": None if verdict is None else word_of(verdict),
                "unjudged": why_unjudged(verdict) if verdict and word_of(verdict) == "unjudged" else None,
                "error": next((str(failures[s.key]) for s in roles.values() if s.key in failures), None),
                "warnings": warnings_of(p.store, [s for s in roles.values() if states[s.key] == "fresh"]),
                "steps": steps, "metrics": _metrics(p, roles, states, verdict),
            }
        )  # fmt: skip
    refused = [{"overrides": said, "error": str(error)} for said, error in p.refused.items()]
    return {"variants": entries, **({"refused": refused} if refused else {})}


def _metrics(
    p: Planned, roles: Mapping[str, Step], states: Mapping[str, str], verdict: Mapping[str, Any] | None
) -> dict[str, Any]:
    deviation = roles["deviation"]
    if states[deviation.key] != "fresh":
        return {}
    numbers = json.loads((p.workspace.root / deviation.folder / "deviation.json").read_text("utf-8"))
    return {
        "deviation": {
            name: {k: v for k, v in s.items() if k != "worst"} for name, s in numbers["hops"]["total"].items()
        },
        "hops": {hop: {name: s["rmse"] for name, s in outputs.items()} for hop, outputs in numbers["hops"].items()},
        "checks": verdict["checks"] if verdict else {},
    }


def warnings_of(store: Store, steps: Iterable[Step]) -> list[dict[str, str]]:
    """What the artifacts of these steps, all of one variant, warn of."""
    named = {step.kind: (step, warning.ARTIFACTS[step.kind]) for step in steps if step.kind in warning.ARTIFACTS}
    return warning.collect({kind: _artifact(store, step, name) or {} for kind, (step, name) in named.items()})


def verdict_of(store: Store, step: Step) -> dict[str, Any] | None:
    return _artifact(store, step, "verdict.json")


def _artifact(store: Store, step: Step, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((store.root / step.folder / name).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found
