"""What a push or pull did: one entry for each step, and sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from trtbuild.base.errors import TrtbuildError
from trtbuild.core.step import Step

# moved: at least one object was transferred; here: nothing to transfer; left: it belongs to another device; failed: it
# could not be transferred; blocked: it reads a step that failed.
State = Literal["moved", "here", "left", "failed", "blocked"]


@dataclass(frozen=True)
class Entry:
    """One step; ``objects`` and ``bytes`` are those that moved, each counted for the first step that has it."""

    step: Step
    state: State
    why: str = ""
    objects: int = 0
    bytes: int = 0


@dataclass
class TransferResult:
    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failures: list[TrtbuildError] = field(default_factory=list)
    sources: tuple[int, int] = (0, 0)  # objects and bytes of source models that moved with them

    @property
    def objects(self) -> int:
        return sum(entry.objects for entry in self.entries) + self.sources[0]

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries) + self.sources[1]

    def fail(self, step: Step, error: TrtbuildError) -> None:
        self.entries.append(Entry(step, "failed", str(error)))
        self.failures.append(error)


def document(result: TransferResult, remote: str) -> dict[str, object]:
    """What ``push --json`` and ``pull --json`` print."""
    return {
        "remote": remote,
        "objects": result.objects,
        "bytes": result.bytes,
        "steps": [
            {
                "kind": entry.step.kind, "folder": entry.step.folder, "state": entry.state, "why": entry.why,
                "objects": entry.objects, "bytes": entry.bytes,
            }
            for entry in result.entries
        ],
        "sources": {"objects": result.sources[0], "bytes": result.sources[1]},
        "notes": result.notes,
        "failures": [str(error) for error in result.failures],
    }  # fmt: skip


def lines(result: TransferResult, verb: str, names: Sequence[str]) -> list[str]:
    """The result for a terminal; ``names``: of the steps, in the order of the entries."""
    shown = []
    for name, entry in zip(names, result.entries, strict=True):
        if entry.state == "moved":
            count = f"{entry.objects} object{'s' * (entry.objects != 1)}, {amount(entry.bytes)}"
            shown.append(f"{verb:<6} {name}  {count}{f'  ({entry.why})' if entry.why else ''}")
        elif entry.state == "left":
            shown.append(f"left   {name}  ({entry.why})")
        elif entry.state == "failed":
            shown.append(f"FAILED {name}: {entry.why}")
    if blocked := [name for name, entry in zip(names, result.entries, strict=True) if entry.state == "blocked"]:
        shown.append(f"skip   {', '.join(blocked)}")
    if result.sources[0]:
        shown.append(f"{verb:<6} source models  {result.sources[0]} objects, {amount(result.sources[1])}")
    return [*shown, *result.notes]


def amount(count: int) -> str:
    """Bytes for people, in decimal units.

    >>> amount(999), amount(2_974_860)
    ('999 bytes', '2.97 MB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"
