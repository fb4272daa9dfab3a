"""``trtbuild reduce``: the smallest graph that fails as the model does, as a case of the workspace's own suite."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError
from trtbuild.reducing import casefile
from trtbuild.reducing.faults import LoweringFault, SourceFault
from trtbuild.reducing.reduction import Reduced, here, reduced
from trtbuild.reducing.shrinking import LIMIT_S

if TYPE_CHECKING:
    from trtbuild.cli.main import Words

FOLDER = "suite"


def note(line: str) -> None:
    print(f"reduce: {line}", file=sys.stderr, flush=True)


def run(words: Words) -> int:
    """0: a case is written.

    Raises:
        ConfigError: nothing fails, bad words, or a case of that name is there.
    """
    limit_s = limit_of(words)
    workspace = here()
    folder = (workspace.root if workspace else Path.cwd()) / FOLDER
    if "--name" in words.options:
        casefile.check_free(folder, words.options["--name"])
    with reduced(words, note, cases=False, limit_s=limit_s) as found:
        name = words.options.get("--name") or casefile.case_id(found.subject.name, found.small.failure)
        compared = isinstance(found.fault, (LoweringFault, SourceFault))
        path = casefile.write(folder, name, found.model, found.small.failure, found.feeds, found.golden,
                              found.profiles, found.subject.tolerance if compared else None)  # fmt: skip
        document = _document(found, name, path)
    print(json.dumps(document, indent=1) if words.json else "\n".join(_lines(document)))
    return 0


def limit_of(words: Words) -> float:
    text = words.options.get("--limit", "")
    try:
        limit_s = float(text or LIMIT_S)
    except ValueError:
        limit_s = 0.0
    if not limit_s > 0:
        raise ConfigError(f"'{text}' is no number of seconds", where="--limit", hint="say --limit 600")
    return limit_s


def _document(found: Reduced, name: str, path: Path) -> dict[str, object]:
    small = found.small
    return {
        "case": name, "file": str(path), "kind": small.failure.kind, "stage": small.failure.stage,
        "op_type": small.failure.op_type, "words": small.failure.words, "tensorrt": found.subject.version,
        "nodes_before": small.nodes_before, "nodes": small.nodes, "minimal": small.minimal,
        "kept_values": list(small.kept), "kept_inputs": small.values_of_inputs, "notes": list(small.notes),
        "reference": found.reference, "also": [f"{other.op_type}: {other.words}" for other in found.others],
    }  # fmt: skip


def _lines(document: dict[str, object]) -> list[str]:
    kept = document["kept_values"]
    lines = [
        f"{document['nodes']} of {document['nodes_before']} nodes"
        + ("" if document["minimal"] else ", not known to be the fewest")
        + f": {document['words']}"
    ]
    lines += [f"  {note}" for note in document["notes"]]  # type: ignore[attr-defined]
    if kept or document["kept_inputs"]:
        what = [f"{len(kept)} constant(s)"] if kept else []  # type: ignore[arg-type]
        what += ["the inputs"] if document["kept_inputs"] else []
        lines.append(f"  with other numbers it does not fail: {' and '.join(what)} are the model's own")
    lines += [f"  also refused, and not in this case: {also}" for also in document["also"]]  # type: ignore[attr-defined]
    return [
        *lines,
        f"wrote the case {document['case']}: {document['file']}; try it with: trtbuild suite -k {document['case']}",
    ]
