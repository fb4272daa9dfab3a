"""Known public issues about the same operations, so that a duplicate is linked instead of filed again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from trtbuild.core.parse import parse
from trtbuild.reducing.failure import Failure

KNOWN = Path(__file__).with_name("known.yaml")
MOST = 12
_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "crash": ("crash", "build-failure"), "timeout": ("crash", "performance-regression"),
    "parse": ("unsupported-op", "shape/dynamic", "build-failure"), "build": ("build-failure", "shape/dynamic", "crash"),
    "misread": ("wrong-output", "build-failure"),
    "mismatch": ("wrong-output", "exporter", "precision-fp16", "precision-int8", "precision-bf16/fp8"),
}  # fmt: skip


@dataclass(frozen=True)
class Issue:
    id: str
    title: str
    category: str
    onnx_ops: tuple[str, ...]
    tf_ops: tuple[str, ...]
    affected: tuple[str, ...]
    fixed: str
    source: str


def read(path: Path = KNOWN) -> list[Issue]:
    from trtbuild.store.tracking import parse_yaml

    entries = parse_yaml(path.read_bytes(), str(path))
    assert isinstance(entries, list), "the packaged list"
    return [parse(Issue, entry, f"{path.name}: {i}") for i, entry in enumerate(entries)]


def match(
    issues: Collection[Issue], ops: Collection[str], failure: Failure, cited: Collection[str] = ()
) -> list[Issue]:
    """The closest first: cited by the case, about the refused operation, then by operations and kind of failure."""
    present = set(ops)

    def weight(issue: Issue) -> float:
        shared = present.intersection(issue.onnx_ops)
        score = 8.0 * any(source in issue.source for source in cited)
        if not shared:
            return score
        score += 4.0 * (failure.op_type in shared) + len(shared) / (1 + len(issue.onnx_ops))
        return score + 1.0 * (issue.category in _CATEGORIES[failure.kind])

    ranked = sorted(((weight(issue), issue) for issue in issues), key=lambda pair: (-pair[0], pair[1].id))
    return [issue for score, issue in ranked if score >= 1.0][:MOST]


def text(found: Collection[Issue], cited: Collection[str], reference: str) -> str:
    """The file related.md."""
    lines = ["# Related known issues", ""]
    if cited:
        lines += [f"The case was made from: {', '.join(cited)}.", ""]
    if not found:
        return "\n".join([*lines, f"None of {reference} is about these operations.", ""])
    lines += [
        f"Of {reference}, by operation and kind of failure; leads, not confirmed duplicates: read them first.", "",
        "| title | operations | affected | fixed | source |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for issue in found:
        cells = (issue.title, ", ".join(issue.onnx_ops), ", ".join(issue.affected), issue.fixed or "not seen",
                 issue.source)  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join([*lines, ""])
