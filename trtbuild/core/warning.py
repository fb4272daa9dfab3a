"""Warnings of steps, collected from a variant's artifacts: what does not fail a build, but a user must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trtbuild.documents.verdict import CollectedWarning, WarningDocument

# The artifact with a list "warnings" of each step kind that has one, in the order of the pipeline.
ARTIFACTS: Mapping[str, str] = {
    "export": "scopes.json",
    "ranges": "ranges.json",
    "lower": "precision.json",
    "engine": "passport.json",
    "deviation": "deviation.json",
    "layers": "layers.json",
    "validate": "verdict.json",
}
MOST = 8  # lines on a terminal for one variant; the page and the JSON documents have all of them


@dataclass(frozen=True)
class StepWarning:
    """What was found, where, and how to fix it; ``step``: the kind of step that found it, set by :func:`collect`."""

    what: str
    where: str = ""
    hint: str = ""
    step: str = ""

    def document(self) -> WarningDocument:
        """As a step writes it, in the list "warnings" of its artifact."""
        return {"what": self.what, "where": self.where, "hint": self.hint}


def collect(documents: Mapping[str, Mapping[str, object]]) -> list[CollectedWarning]:
    """All warnings of one variant, each once, from its artifacts by step kind.

    >>> collect({"validate": {"passed": True}, "lower": {"warnings": [{"what": "one sample"}]}})
    [{'what': 'one sample', 'where': '', 'hint': '', 'step': 'lower'}]
    """
    warnings = (
        StepWarning(**{key: str(entry.get(key) or "") for key in ("what", "where", "hint")}, step=step)
        for step in ARTIFACTS
        for entry in _mappings(documents.get(step, {}).get("warnings"))
    )
    return [{"what": w.what, "where": w.where, "hint": w.hint, "step": w.step} for w in dict.fromkeys(warnings)]


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def line(warning: Mapping[str, object]) -> str:
    """A warning in one line, in the form of an error.

    >>> line({"what": "one sample", "where": "calibration", "hint": "give more", "step": "lower"})
    'calibration: one sample; give more'
    """
    place = f"{warning['where']}: " if warning["where"] else ""
    hint = f"; {warning['hint']}" if warning["hint"] else ""
    return " ".join(f"{place}{warning['what']}{hint}".split())


def lines(warnings: Sequence[CollectedWarning]) -> list[str]:
    """The first few warnings for a terminal, and how many more there are."""
    shown = [f"warning: {line(warning)}" for warning in warnings[:MOST]]
    more = len(warnings) - MOST
    return shown + ([f"and {more} more warning{'s' if more > 1 else ''}, in the report"] if more > 0 else [])
