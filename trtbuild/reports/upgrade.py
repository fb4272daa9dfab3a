"""The document of an upgrade -> its page, its Markdown and its JSON, beside the pages of its sweep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtbuild.reports.sweeptext import MOST, cell

SYMBOLS = {"go": "✔", "no-go": "✘"}
WORDS = {"go": "GO", "no-go": "NO-GO"}


def render_all(document: Mapping[str, Any], templates: Mapping[str, Path]) -> dict[str, str]:
    """``upgrade.html``, ``upgrade.md`` and ``upgrade.json``, by name; equal documents give equal bytes.

    Args:
        document: from ``pipeline.upgradedocument.upgrade_document``.
    """
    from trtbuild.reports.render import render

    title = f"upgrade from {document['old']} to {document['new']}"
    data = {"page": document, "symbols": SYMBOLS, "words": WORDS, "charts": [], "title": title}
    return {
        "upgrade.html": render(templates, "upgrade.html.j2", data),
        "upgrade.md": markdown(document),
        "upgrade.json": json.dumps(document, indent=1, allow_nan=False) + "\n",
    }


def markdown(document: Mapping[str, Any]) -> str:
    """The summary for a merge request: counts, and a row for each variant with its reason and what changed."""
    counts = [
        f"{SYMBOLS[decision]} {count} {WORDS[decision]}" for decision, count in document["counts"].items() if count
    ]
    rows = [v for model in document["models"] for v in model["variants"]]
    lines = [
        f"## Upgrade from {cell(document['old'])} to {cell(document['new'])}: {', '.join(counts)}",
        "",
        *((cell(document["engines"]["says"]), "") if document["engines"]["says"] else ()),
        *(line for note in document["notes"] for line in (note, "")),
        "| model | variant | decision | reason | what changed | first bad layer |",
        "|---|---|---|---|---|---|",
    ]
    for v in sorted(rows, key=lambda v: v["decision"] == "go")[:MOST]:  # what stops the upgrade comes first
        layer = v["first_bad_layer"]
        what = "; ".join(v["changes"]) or ("nothing that counts" if v["compared_with"] else "not compared")
        where = "–" if layer is None else f"{cell(layer['path'])}: {cell(layer['says'])}"
        decision = f"{SYMBOLS[v['decision']]} {WORDS[v['decision']]}"
        lines.append(
            f"| {cell(v['model'])} | {cell(v['label'])} | {decision} | {cell(v['reason'])} | {cell(what)} | {where} |"
        )
    if len(rows) > MOST:
        lines += ["", f"and {len(rows) - MOST} more, in upgrade.html"]
    return "\n".join(lines) + "\n"
