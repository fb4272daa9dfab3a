"""The report on a plan's variants: the last lines of a build, and the document of ``show --json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from trtbuild.base.errors import TrtbuildError
from trtbuild.building.advice import next_step
from trtbuild.building.planned import Planned
from trtbuild.building.states import VariantState
from trtbuild.core import warning
from trtbuild.core.explain import State
from trtbuild.core.step import Step
from trtbuild.core.verdict import WORDS, export_fault, headline, why_unjudged
from trtbuild.documents.deviation import metrics
from trtbuild.documents.report import Axes
from trtbuild.documents.verdict import Check, CollectedWarning, NotJudged, Verdict


class StepEntry(TypedDict):
    folder: str
    state: State
    outs: dict[str, str]


class VariantEntry(Axes):
    """One variant of ``show --json`` (docs/json.md)."""

    id: str
    verdict: str | None
    unjudged: str | None
    error: str | None
    warnings: list[CollectedWarning]
    steps: dict[str, StepEntry]
    metrics: Metrics


class Metrics(TypedDict, total=False):
    """``deviation`` by output, ``hops`` by hop and output; empty where nothing was measured."""

    deviation: dict[str, dict[str, float | None]]
    hops: dict[str, dict[str, float | None]]
    checks: dict[str, Check]
    not_judged: dict[str, NotJudged]


class InvalidVariant(TypedDict):
    overrides: str
    error: str


class ShowDocument(TypedDict):
    variants: list[VariantEntry]


class SweepDocument(ShowDocument, total=False):
    invalid: list[InvalidVariant]


NOTHING_TO_DO = "nothing to do"


MOST_LINES = 400  # of variants, as many as ``plan`` has of steps; more only push the verdicts off the screen
_WORST_FIRST = ("not built", "fail", "unjudged", "pass")


def summarise(states: Mapping[str, VariantState], invalid: Mapping[str, TrtbuildError]) -> list[str]:
    """The last lines of a build: verdict, worst check, report; of a large sweep the worst variants."""
    variants = [(str(state.word), _lines(state)) for state in states.values()]
    variants += [("not built", [f"{overrides}: NOT BUILT ({error})"]) for overrides, error in invalid.items()]
    lines = _shortened(variants)
    if len(variants) > 1:
        lines.append(_count([word for word, _ in variants]))
    if all(ending == "fresh" for state in states.values() for ending in state.endings.values()):
        lines.append(NOTHING_TO_DO)
    return lines


def _shortened(variants: Sequence[tuple[str, list[str]]]) -> list[str]:
    """The lines of all variants; if there are too many, of those that failed first, and how many were left out."""
    if sum(len(own) for _, own in variants) <= MOST_LINES:
        return [line for _, own in variants for line in own]
    lines: list[str] = []
    ordered = sorted(variants, key=lambda variant: _WORST_FIRST.index(variant[0]))
    for i, (_, own) in enumerate(ordered):
        if lines and len(lines) + len(own) > MOST_LINES:
            return [*lines, f"{len(ordered) - i} more variants are not listed here; the sweep's page has all of them"]
        lines += own
    return lines


def _lines(state: VariantState) -> list[str]:
    warnings = [f"  {line}" for line in warning.lines(state.warnings)]
    if state.verdict is None:
        kinds = ", ".join(sorted({_failed(role, state.roles[role]) for role in state.failures}))
        return [f"{state.id}: NOT BUILT ({f'{kinds} failed' if kinds else _reason(state)})", *warnings]
    advice = next_step(state)
    return [*_verdict_lines(state.id, state.verdict, warnings), *([f"  {advice}"] if advice else []),
            f"  report: {state.roles['report'].folder}/overview.html"]  # fmt: skip


def _failed(role: str, step: Step) -> str:
    """Its kind; of an engine that this one is compared with, also its precision (``engine-fp16``)."""
    return role if step.kind in ("lower", "engine") else step.kind


def _reason(state: VariantState) -> str:
    return state.error.what if state.error else "no verdict was written"


def _verdict_lines(name: str, verdict: Verdict, warnings: list[str]) -> list[str]:
    checks = verdict["checks"]
    lines = [f"{name}: {headline(verdict)}", *warnings]
    for check_name, check in checks.items():
        if not check["passed"] or "metric" in check:
            lines.append(f"  {check_name}: {describe(check)}{'' if check['passed'] else '  <- FAILED'}")
    for check_name, entry in verdict.get("not_judged", {}).items():
        lines.append(f"  {check_name}: not judged (limit {entry['limit']:g}): {entry['why']}")
    if blame := export_fault(verdict):
        lines.append(f"  {blame}")
    return lines


def _count(words: Sequence[str]) -> str:
    """``12 variants: 9 pass, 2 fail, 1 not built``."""
    counted = ", ".join(f"{words.count(word)} {word}" for word in (*WORDS, "not built") if word in words)
    return f"{len(words)} variants: {counted}"


def describe(check: Check) -> str:
    observed = "none" if check["observed"] is None else f"{check['observed']:.6g}"
    says = f" ({check['says']})" if "says" in check else ""
    scores = f" (source model {check['reference']:.4f}, here {check['score']:.4f})" if "score" in check else ""
    return f"{observed}, limit {check['limit']:.9g}{says}{scores}"


def show_document(p: Planned, states: Mapping[str, VariantState]) -> SweepDocument:
    """Folders, states, verdict and metrics of every variant, or the ``error`` if it is not built."""
    entries: list[VariantEntry] = []
    for name, state in states.items():
        names, verdict = p.plan.specs[name].names, state.verdict
        steps: dict[str, StepEntry] = {
            "infer" if role == "infer-lower" else role: {
                "folder": step.folder,
                "state": state.judgements[role].state,
                "outs": {out.name: f"{step.folder}/{out.name}" for out in step.outs},
            }
            for role, step in state.roles.items()
        }
        entries.append(
            {
                "id": name, "model": names.model, "precision": names.precision, "tensorrt": names.tensorrt,
                "runtime": names.runtime, "target": names.target, "calibration": names.calibration,
                "verdict": None if verdict is None else state.word,
                "unjudged": why_unjudged(verdict) if verdict and state.word == "unjudged" else None,
                "error": None if state.error is None else str(state.error),
                "warnings": state.warnings, "steps": steps, "metrics": _metrics(state),
            }
        )  # fmt: skip
    document: SweepDocument = {"variants": entries}
    if p.invalid:
        document["invalid"] = [{"overrides": words, "error": str(error)} for words, error in p.invalid.items()]
    return document


def _metrics(state: VariantState) -> Metrics:
    if state.steps["deviation"] != "fresh":
        return {}
    numbers = state.documents.deviation(state.root / state.roles["deviation"].folder / "deviation.json")
    return {
        "deviation": {name: metrics(statistics) for name, statistics in numbers["hops"]["total"].items()},
        "hops": {hop: {name: s["rmse"] for name, s in outputs.items()} for hop, outputs in numbers["hops"].items()},
        "checks": state.verdict["checks"] if state.verdict else {},
        "not_judged": state.verdict.get("not_judged", {}) if state.verdict else {},
    }


def markdown(states: Mapping[str, VariantState], invalid: Mapping[str, TrtbuildError]) -> str:
    """The report.md of every variant, in the order of the sweep; one that is not built has its reason instead."""
    found = [f"## {words}: INVALID\n\n{_line(error)}\n" for words, error in invalid.items()]
    for name, state in states.items():
        path = state.root / state.roles["report"].folder / "report.md"
        if state.built and path.is_file():
            found.append(path.read_text("utf-8"))
        else:
            found.append(f"## {name}: NOT BUILT\n\n{_line(state.error)}\n")
    return "\n".join(found)


def _line(error: TrtbuildError | None) -> str:
    return "its report is not here" if error is None else str(error)
