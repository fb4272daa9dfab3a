"""Results and expectations -> one document: what ``--json`` prints, and what the pages are made of.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from trtbuild.core.spec import Toolchain
from trtbuild.suite.case import Case
from trtbuild.suite.expected import UNEXPECTED, Expectation, Judgement, Outcome, judge
from trtbuild.suite.running import Results
from trtbuild.suite.verdicts import STAGES, UNREACHED, Stages, overall

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
MATCHED_BY = "the graph in ONNX Runtime on the CPU, against TensorFlow; no engine was executed"


def about(case: Case) -> dict[str, Any]:
    """A case without its results: an entry of ``--list --json``."""
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
) -> dict[str, Any]:  # fmt: skip
    counts: dict[str, Counter[str]] = {version: Counter() for version in toolchains}
    entries, failures = [], 0
    for case in cases:
        by_version: dict[str, dict[str, Any]] = {}
        for version in toolchains:
            stages = results.stages(case.id, version)
            judgement = judge(stages, expectations[version].get(case.id), version)
            counts[version][judgement.outcome] += 1
            failed = is_failure(judgement, stages)
            failures += failed
            by_version[version] = {
                "verdict": overall(stages),
                **{str(name): stages.get(name, UNREACHED).as_dict() for name in STAGES},
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


def _turns(by_version: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The first version that TensorRT's part goes wrong in, and the first good one after that; "" for none."""
    first_bad = first_good = ""
    for version, result in by_version.items():
        said = [result[stage]["verdict"] for stage in ("parses", "builds")]
        good = said == ["yes", "yes"]
        if not first_bad and not set(said) <= {"yes", UNREACHED.verdict}:  # what was not exported is not its fault
            first_bad = version
        elif good and first_bad and not first_good:
            first_good = version
    return {"first_bad": first_bad, "first_good": first_good}


def lines(document: Mapping[str, Any]) -> list[str]:
    """The summary for people: a line for each version, everything that is unexpected, what versions changed."""
    told = []
    for version in document["versions"]:
        counts = document["counts"][version["name"]]
        shown = ", ".join(f"{count} {_plural(name, count)}" for name, count in counts.items() if count)
        told.append(f"{version['name']} ({version['flavour']} {version['version']}, {document['machine']}): {shown}")
    for entry in document["cases"]:
        for version, result in entry["results"].items():
            if result["failed"] or result["outcome"] in UNEXPECTED:
                news = result["news"] + (f"; {result['verdict']}" if result["outcome"] == "new" else "")
                told.append(f"  {result['outcome']}: {entry['id']} with {version}: {news}")
    turned = [e for e in document["cases"] if len({r["verdict"] for r in e["results"].values()}) > 1]
    if turned:
        told.append(f"{len(turned)} case(s) differ between versions:")
        told += [f"  {entry['id']}: {_by_version(entry)}" for entry in turned]
    return told


def _by_version(entry: Mapping[str, Any]) -> str:
    return "; ".join(f"{version} {result['verdict']}" for version, result in entry["results"].items())


def _plural(name: str, count: int) -> str:
    if name == "pass":
        return "passed"
    return name if count == 1 else {"expected failure": "expected failures", "unexpected pass": "unexpected passes",
                                    "unexpected failure": "unexpected failures"}.get(name, name)  # fmt: skip
