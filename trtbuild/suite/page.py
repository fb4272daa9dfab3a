"""The document of a run -> ``suite.html``: the matrix of cases and versions, with messages and drawn graphs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtbuild.suite.drawing import svg
from trtbuild.suite.running import Results
from trtbuild.suite.verdicts import STAGES

SYMBOLS = {"yes": "✔", "no": "✘", "crash": "⚡", "timeout": "⏱", "untested": "·"}


def render_all(document: Mapping[str, Any], results: Results, templates: Mapping[str, Path]) -> dict[str, str]:
    """``suite.html`` and ``suite.json`` by name; equal documents give equal bytes."""
    from markupsafe import Markup

    from trtbuild.reports.render import render

    graphs = {}
    for entry in document["cases"]:
        bad = {result[stage].get("node", "") for result in entry["results"].values() for stage in STAGES} - {""}
        graphs[entry["id"]] = Markup(svg(results.outline(entry["id"]), sorted(bad)))
    versions = [version["name"] for version in document["versions"]]
    works = {v: sum(entry["results"][v]["verdict"] == "ok" for entry in document["cases"]) for v in versions}
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


def messages(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What tools said of a case, each message once, with the versions that gave it (none: all of them)."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for version, result in entry["results"].items():
        for stage in STAGES:
            told = result[stage]
            if told.get("says") or told["verdict"] not in ("yes", "untested"):
                found.setdefault((stage, told["verdict"], told.get("says", "")), []).append(version)
    several = len(entry["results"]) > 1
    return [
        {"stage": stage, "verdict": verdict, "says": says,
         "versions": versions if several and len(versions) < len(entry["results"]) else []}
        for (stage, verdict, says), versions in found.items()
    ]  # fmt: skip
