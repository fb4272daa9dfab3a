"""Whether the numbers in reports come from an engine, or from the graph that it was built from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

GRAPHS_ONLY = (
    "No engine was executed: deviation and latency are those of the graphs that the engines were built from, so "
    "versions that build the same graph show the same numbers. What can differ here is whether an engine is built, the "
    "precision proved in it, and its size."
)
SOME_GRAPHS = (
    "Some engines were executed and some were not: deviation and latency of those that were not are their graphs'."
)


def executed(report: Mapping[str, Any]) -> bool:
    """Whether any number in a report.json comes from running the engine itself."""
    return any(about["executes"] == "engine" for about in report["runtimes"].values())


def notes(reports: Iterable[Mapping[str, Any]]) -> list[str]:
    """What a page of several reports must say first; nothing if every engine was executed."""
    found = {executed(report) for report in reports}
    return [SOME_GRAPHS if True in found else GRAPHS_ONLY] if False in found else []
