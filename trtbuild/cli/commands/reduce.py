"""``trtbuild reduce``: find the smallest graph that fails as the model does, as a case of the workspace's suite."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TypedDict

from trtbuild.base.workspace import workspace_here
from trtbuild.cli import words
from trtbuild.reducing import casefile
from trtbuild.reducing.faults import LoweringFault, SourceFault
from trtbuild.reducing.reproducer import ReductionRequest, Reproducer, reproducer_of
from trtbuild.reducing.smallgraph import LIMIT_S

FOLDER = "suite"


def note(line: str) -> None:
    print(f"reduce: {line}", file=sys.stderr, flush=True)


GROUP = "convert"
HELP = "find the smallest graph that fails as a model does, and save it as a case in your suite/"
EXAMPLES = """\
  trtbuild reduce model=segnet precision=int8
  trtbuild reduce detector.onnx tensorrt=rtx-1.6 --for crash
"""


def options(parser: argparse.ArgumentParser) -> None:
    failure_options(parser)


def failure_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the verbs that start from a failure."""
    words.variant_words(parser, multirun=False)
    words.install_option(parser)
    parser.add_argument(
        "--for",
        dest="kind",
        default="",
        metavar="KIND",
        help="kind of failure: crash, parse, misread, build or mismatch",
    )
    parser.add_argument("--name", help="name of the result")
    words.limit_option(parser, LIMIT_S, "the reduction")


def request(args: argparse.Namespace, what: str) -> ReductionRequest:
    name, overrides = words.one_argument(args, what)
    return ReductionRequest(args.verb, name, overrides, args.kind, args.limit or LIMIT_S, args.install)


def run(args: argparse.Namespace) -> int:
    """0: a case is written.

    Raises:
        ConfigError: nothing fails, bad words, or a case of that name exists.
    """
    reduction = request(args, "an .onnx file")
    workspace = workspace_here()
    folder = (workspace.root if workspace else Path.cwd()) / FOLDER
    if args.name:
        casefile.check_free(folder, args.name)
    with reproducer_of(reduction, note, cases=False) as reproducer:
        name = args.name or casefile.case_id(reproducer.subject.name, reproducer.small.failure)
        compared = isinstance(reproducer.fault, (LoweringFault, SourceFault))
        path = casefile.write(folder, name, reproducer.model, reproducer.small.failure, reproducer.feeds,
                              reproducer.golden, reproducer.profiles,
                              reproducer.subject.tolerance if compared else None)  # fmt: skip
        document = _document(reproducer, name, path)
    print(json.dumps(document, indent=1) if args.json else "\n".join(_lines(document)))
    return 0


class ReductionDocument(TypedDict):
    """What ``reduce --json`` prints."""

    case: str
    file: str
    kind: str
    stage: str
    op_type: str
    words: str
    tensorrt: str
    nodes_before: int
    nodes: int
    minimal: bool
    kept_values: list[str]
    kept_inputs: bool
    notes: list[str]
    reference: str
    also: list[str]


def _document(reproducer: Reproducer, name: str, path: Path) -> ReductionDocument:
    small = reproducer.small
    return {
        "case": name, "file": str(path), "kind": small.failure.kind, "stage": small.failure.stage,
        "op_type": small.failure.op_type, "words": small.failure.words, "tensorrt": reproducer.subject.version,
        "nodes_before": small.nodes_before, "nodes": small.nodes, "minimal": small.minimal,
        "kept_values": list(small.kept), "kept_inputs": small.values_of_inputs, "notes": list(small.notes),
        "reference": reproducer.reference, "also": [f"{other.op_type}: {other.words}" for other in reproducer.others],
    }  # fmt: skip


def _lines(document: ReductionDocument) -> list[str]:
    few = "" if document["minimal"] else ", possibly not the fewest"
    lines = [f"{document['nodes']} of {document['nodes_before']} nodes{few}: {document['words']}"]
    lines += [f"  {note}" for note in document["notes"]]
    if document["kept_values"] or document["kept_inputs"]:
        what = [f"{len(document['kept_values'])} constant(s)"] if document["kept_values"] else []
        what += ["the inputs"] if document["kept_inputs"] else []
        lines.append(f"  it fails only with the model's own numbers in {' and '.join(what)}")
    lines += [f"  also fails, but not in this case: {also}" for also in document["also"]]
    case = document["case"]
    return [*lines, f"wrote the case {case}: {document['file']}; try it with: trtbuild suite -k {case}"]
