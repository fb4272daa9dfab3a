"""A result that is true when the network converts, and shows itself in a terminal, a notebook and a review tool."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from trtbuild.checker import text
from trtbuild.checker.problem import Findings, Problem

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True)
class Result(Findings):
    """True when nothing speaks against the conversion."""

    def to_json(self, indent: int | None = 1) -> str:
        return json.dumps(self.document(), indent=indent)

    def to_sarif(self) -> dict[str, object]:
        """SARIF 2.1.0, for code review tools."""
        return sarif(self)

    def __str__(self) -> str:
        return text.text(self)

    def _repr_html_(self) -> str:
        return text.html(self)


def sarif(result: Findings, root: Path | None = None) -> dict[str, object]:
    """SARIF 2.1.0 (OASIS): one run; files below ``root`` (default: the current one) are relative to ``%SRCROOT%``."""
    from trtbuild import __version__

    root = root or Path.cwd()
    rules = {problem.rule: problem for problem in result.problems}
    driver = {
        "name": "trt_checker", "version": __version__, "semanticVersion": __version__,
        "rules": [
            {
                "id": rule, "shortDescription": {"text": f"{problem.op_type or problem.node_type}: {problem.stage}"},
                "help": {"text": problem.advice or problem.words},
            }
            for rule, problem in sorted(rules.items())
        ],
    }  # fmt: skip
    notes = [{"level": "error", "message": {"text": result.error}}] if result.error else []
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"uri": root.absolute().as_uri() + "/"}},
        "results": [_result(problem, root, sorted(rules)) for problem in result.problems],
        "invocations": [
            {"executionSuccessful": not result.error, **({"toolExecutionNotifications": notes} if notes else {})}
        ],
    }
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(problem: Problem, root: Path, rules: list[str]) -> dict[str, object]:
    name = f"{problem.op_type or problem.node_type} {problem.op or problem.node}".strip()
    versions = f" ({', '.join(problem.versions)})" if problem.versions else ""
    said = f"{name}: {problem.words}{versions}" + (f". {problem.advice}" if problem.advice else "")
    location: dict[str, object] = {}
    if problem.file:
        location["physicalLocation"] = {
            "artifactLocation": _artifact(problem.file, root), "region": {"startLine": max(1, problem.line)},
        }  # fmt: skip
    if problem.op or problem.node:
        names = (problem.name, *problem.also)
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "member"} for name in names]
    return {
        "ruleId": problem.rule, "ruleIndex": rules.index(problem.rule), "level": problem.severity,
        "message": {"text": said}, **({"locations": [location]} if location else {}),
    }  # fmt: skip


def _artifact(file: str, root: Path) -> dict[str, str]:
    path = Path(file)
    try:
        relative = path.resolve().relative_to(root.resolve())
    except ValueError:
        return {"uri": path.absolute().as_uri()}
    return {"uri": quote(relative.as_posix()), "uriBaseId": "%SRCROOT%"}
