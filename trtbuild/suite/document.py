"""Results and expectations -> one document: what ``--json`` prints and the pages show.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypedDict, get_args

from trtbuild.core.spec import Toolchain
from trtbuild.suite.case import Case
from trtbuild.suite.expectation import UNEXPECTED, Expectation, Judgement, Outcome, judge
from trtbuild.suite.results import Results
from trtbuild.suite.stage import STAGES, UNREACHED, StageDocument, StageName, StageResult, Stages, overall

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
MATCHED_BY = "the graph in ONNX Runtime on the CPU, against TensorFlow; no engine was executed"


class InputDocument(TypedDict):
    dtype: str
    shape: list[int | None]


class ToleranceDocument(TypedDict):
    absolute: float
    relative: float


class CaseDocument(TypedDict):
    """A case without its results: an entry of ``--list --json``."""

    id: str
    title: str
    category: str
    issues: list[str]
    precision: str
    structure: str
    needs: list[str]
    tolerance: ToleranceDocument
    inputs: dict[str, InputDocument]
    place: str


class ResultDocument(TypedDict):
    """A case with one version; ``summary`` is "ok", or the first stage that is not yes and how."""

    summary: str
    exports: StageDocument
    parses: StageDocument
    builds: StageDocument
    matches: StageDocument
    outcome: Outcome
    news: str
    failed: bool
    expected: Expectation | None


class Turns(TypedDict):
    """The first version that TensorRT's part goes wrong in, and the first good one after that; "" for none."""

    first_bad: str
    first_good: str


class CaseResults(CaseDocument, Turns):
    results: dict[str, ResultDocument]


class VersionDocument(TypedDict):
    name: str
    flavour: str
    version: str


class _SuiteDocument(TypedDict):
    machine: str
    matched_by: str
    failures: int
    versions: list[VersionDocument]
    counts: dict[str, dict[Outcome, int]]
    cases: list[CaseResults]


class SuiteDocument(_SuiteDocument, total=False):
    """``suite.json``."""

    proposed: str  # by --update: what changed in the expectations, as a unified diff


def about(case: Case) -> CaseDocument:
    return {
        "id": case.id, "title": case.title, "category": case.category, "issues": list(case.issues),
        "precision": case.precision, "structure": case.structure, "needs": list(case.needs),
        "tolerance": {"absolute": case.tolerance.absolute, "relative": case.tolerance.relative},
        "inputs": {n: {"dtype": s.dtype, "shape": list(s.shape)} for n, s in case.inputs.items()},
        "place": case.place,
    }  # fmt: skip


def is_failure(judgement: Judgement, stages: Stages) -> bool:
    """Whether a run may not pass with this: what is unexpected, and a case without expectation that does not work."""
    return judgement.outcome in UNEXPECTED or (judgement.outcome == "new" and overall(stages) != "ok")


def make(
    cases: Sequence[Case], toolchains: Mapping[str, Toolchain], results: Results,
    expectations: Mapping[str, Mapping[str, Expectation]], machine: str,
) -> SuiteDocument:  # fmt: skip
    counts: dict[str, Counter[Outcome]] = {version: Counter() for version in toolchains}
    entries: list[CaseResults] = []
    failures = 0
    for case in cases:
        by_version: dict[str, ResultDocument] = {}
        for version in toolchains:
            stages = results.stages(case.id, version)
            judgement = judge(stages, expectations[version].get(case.id), version)
            counts[version][judgement.outcome] += 1
            failed = is_failure(judgement, stages)
            failures += failed
            by_version[version] = {
                "summary": overall(stages),
                "exports": stages.get("exports", UNREACHED).document(),
                "parses": stages.get("parses", UNREACHED).document(),
                "builds": stages.get("builds", UNREACHED).document(),
                "matches": stages.get("matches", UNREACHED).document(),
                "outcome": judgement.outcome, "news": judgement.news, "failed": failed,
                "expected": judgement.expected,
            }  # fmt: skip
        entries.append({**about(case), **_turns(by_version), "results": by_version})
    return {
        "machine": machine, "matched_by": MATCHED_BY, "failures": failures,
        "versions": [{"name": n, "flavour": t.flavour, "version": t.version} for n, t in toolchains.items()],
        "counts": {version: {name: counts[version][name] for name in OUTCOMES} for version in toolchains},
        "cases": entries,
    }  # fmt: skip


def _turns(by_version: Mapping[str, ResultDocument]) -> Turns:
    first_bad = first_good = ""
    for version, result in by_version.items():
        said = {result["parses"]["result"], result["builds"]["result"]}
        good = said == {"yes"}
        if not first_bad and not said <= {"yes", UNREACHED.result}:  # what was not exported is not its fault
            first_bad = version
        elif good and first_bad and not first_good:
            first_good = version
    return {"first_bad": first_bad, "first_good": first_good}


def said_of(result: ResultDocument) -> list[tuple[StageName, StageResult, str]]:
    """Stages that went wrong, or of which something was said, with the words."""
    found = [(name, result[name]["result"], result[name].get("says", "")) for name in STAGES]
    return [(name, result, says) for name, result, says in found if says or result not in ("yes", "untested")]


def lines(document: SuiteDocument) -> list[str]:
    """The summary for people: a line for each version, everything that is unexpected, what versions changed."""
    told = []
    for version in document["versions"]:
        counts = document["counts"][version["name"]]
        shown = ", ".join(f"{count} {_plural(name, count)}" for name, count in counts.items() if count)
        told.append(f"{version['name']} ({version['flavour']} {version['version']}, {document['machine']}): {shown}")
    for entry in document["cases"]:
        for name, result in entry["results"].items():
            if result["failed"] or result["outcome"] in UNEXPECTED:
                news = result["news"] + (f"; {result['summary']}" if result["outcome"] == "new" else "")
                told.append(f"  {result['outcome']}: {entry['id']} with {name}: {news}")
    turned = [e for e in document["cases"] if len({r["summary"] for r in e["results"].values()}) > 1]
    if turned:
        told.append(f"{len(turned)} case(s) differ between versions:")
        told += [f"  {entry['id']}: {_by_version(entry)}" for entry in turned]
    return told


def _by_version(entry: CaseResults) -> str:
    return "; ".join(f"{version} {result['summary']}" for version, result in entry["results"].items())


def _plural(name: str, count: int) -> str:
    if name == "pass":
        return "passed"
    return name if count == 1 else {"expected failure": "expected failures", "unexpected pass": "unexpected passes",
                                    "unexpected failure": "unexpected failures"}.get(name, name)  # fmt: skip
