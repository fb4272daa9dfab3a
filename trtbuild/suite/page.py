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

    from trtbuild.render import render

    graphs = {}
    for entry in document["cases"]:
        bad = {result[stage].get("node", "") for result in entry["results"].values() for stage in STAGES} - {""}
        graphs[entry["id"]] = Markup(svg(results.outline(entry["id"]), sorted(bad)))
    data = {
        "page": document, "graphs": graphs, "symbols": SYMBOLS, "stages": STAGES, "charts": [], "title": "Suite",
        "categories": sorted({entry["category"] for entry in document["cases"]}),
    }  # fmt: skip
    return {
        "suite.html": render(templates, "suite.html.j2", data),
        "suite.json": json.dumps(document, indent=1, allow_nan=False) + "\n",
    }
