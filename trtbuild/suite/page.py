"""The document of a run -> ``suite.html``: the matrix of cases and versions, with messages and drawn graphs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from trtbuild.suite.document import CaseResults, SuiteDocument, said_of
from trtbuild.suite.outline import svg
from trtbuild.suite.results import Results
from trtbuild.suite.stage import STAGES

SYMBOLS = {"yes": "✔", "no": "✘", "crash": "⚡", "timeout": "⏱", "untested": "·"}


class Message(TypedDict):
    stage: str
    result: str
    says: str
    versions: list[str]


def render_all(document: SuiteDocument, results: Results, templates: Mapping[str, Path]) -> dict[str, str]:
    """``suite.html`` and ``suite.json`` by name; equal documents give equal bytes."""
    from markupsafe import Markup

    from trtbuild.reports.render import render

    graphs = {}
    for entry in document["cases"]:
        bad = {result[stage].get("node", "") for result in entry["results"].values() for stage in STAGES} - {""}
        graphs[entry["id"]] = Markup(svg(results.outline(entry["id"]), sorted(bad)))
    versions = [version["name"] for version in document["versions"]]
    works = {v: sum(entry["results"][v]["summary"] == "ok" for entry in document["cases"]) for v in versions}
    data = {
        "page": document, "graphs": graphs, "symbols": SYMBOLS,
        "messages": {entry["id"]: messages(entry) for entry in document["cases"]},
        "charts": [], "title": "Suite",
        "works": works,
    }  # fmt: skip
    return {
        "suite.html": render(templates, "suite.html.j2", data),
        "suite.json": json.dumps(document, indent=1, allow_nan=False) + "\n",
    }


def messages(entry: CaseResults) -> list[Message]:
    """What tools said of a case, each message once, with the versions that gave it (none: all of them)."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for version, result in entry["results"].items():
        for said in said_of(result):
            found.setdefault(said, []).append(version)
    several = len(entry["results"]) > 1
    return [
        {"stage": stage, "result": result, "says": says,
         "versions": versions if several and len(versions) < len(entry["results"]) else []}
        for (stage, result, says), versions in found.items()
    ]  # fmt: skip
