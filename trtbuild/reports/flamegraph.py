"""A flame graph -> its files: all are rendered before the first is written, so there are all or none."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trtbuild.latency.flame.diff import Difference
from trtbuild.latency.flame.formats import (
    chrome_trace,
    clean,
    difference_table,
    folded,
    folded_difference,
    speedscope,
    table,
)
from trtbuild.latency.flame.picture import difference_picture, picture
from trtbuild.latency.flame.tree import facts
from trtbuild.latency.flame.values import Graph


def write_all(
    graph: Graph,
    folder: Path,
    *,
    title: str,
    templates: Mapping[str, Path],
    change: Difference | None = None,
) -> tuple[Path, ...]:
    """Write flamegraph.{svg,html,folded,speedscope.json,trace.json,json}, and difference.{…} where there is one.

    Args:
        templates: report templates by file name (``packaged.templates``).

    Raises:
        OSError: the folder cannot be made or written; nothing is half-written.
    """
    from trtbuild.base.files import replacing

    made = files(graph, title, templates, change)
    with contextlib.ExitStack() as stack:
        for name, content in made.items():
            temporary = stack.enter_context(replacing(folder / name))
            temporary.write_bytes(content.encode("utf-8", "replace"))
    return tuple(folder / name for name in made)


def files(graph: Graph, title: str, templates: Mapping[str, Path], change: Difference | None = None) -> dict[str, str]:
    """Every file's text by name; equal graphs give equal text."""
    from trtbuild.reports.render import renderer

    render = renderer(templates)
    svg = render("flamegraph.svg.j2", {"p": picture(graph, title)})
    document = table(graph, title)
    profiles = [("new" if change else title, graph)]
    made = {
        "flamegraph.svg": svg,
        "flamegraph.folded": folded(graph),
        "flamegraph.trace.json": chrome_trace(graph, title),
        "flamegraph.json": _json(document),
    }
    page = {"title": clean(title), "table": document, "facts": facts(graph).lines, "total_ns": graph.total_ns}
    made["flamegraph.html"] = render("flamegraph.html.j2", page | {"svgs": [svg], "change": None})
    if change is not None:
        profiles.append(("old", change.old))
        numbers = difference_table(change, title)
        named = f"Difference: {title}"
        svgs = [
            render(
                "flamegraph.svg.j2",
                {"p": difference_picture(change, f"{title}: {words}", old=old, name=f"change-{old:d}")},
            )
            for old, words in ((False, "new widths"), (True, "old widths"))
        ]
        made["difference.svg"], made["difference-old.svg"] = svgs
        made["difference.folded"] = folded_difference(change)
        made["difference.json"] = _json(numbers)
        made["difference.html"] = render(
            "flamegraph.html.j2", page | {"title": clean(named), "svgs": svgs, "change": numbers}
        )
    made["flamegraph.speedscope.json"] = speedscope(profiles)
    return made


def no_files(names: Sequence[str], why: str) -> dict[str, str]:
    """The same files where there is no graph: pictures and page say why, the others are empty."""
    from html import escape

    reason = escape(clean(why))
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="900" height="40"><text x="8" y="25">{reason}</text></svg>\n'
    page = f'<!doctype html><meta charset="utf-8"><title>{reason}</title><p>{reason}</p>\n'
    return {name: {"svg": svg, "html": page, "json": "{}\n"}.get(name.rpartition(".")[2], "") for name in names}


def _json(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"
