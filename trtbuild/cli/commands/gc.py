"""``trtbuild gc``: free what nobody needs any more; a dry run by default."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import get_args

from trtbuild.base.text import printable
from trtbuild.base.workspace import find_workspace
from trtbuild.building.garbage import WHY, Garbage, check_others, find, free
from trtbuild.cli import words
from trtbuild.documents.garbage import GarbageDocument, GarbageKind, Kind
from trtbuild.remote.transferresult import amount

GROUP = "share"
HELP = "free what no branch, tag or baseline refers to, superseded reports and leftovers; without --yes, only list it"
EXAMPLES = """\
  trtbuild gc                             # what would be freed, and why
  trtbuild gc --yes
  trtbuild gc --workspaces ../a ../b      # a shared cache: all workspaces that use it
"""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="free it; otherwise nothing is changed")
    parser.add_argument("--toolchains", action="store_true", help="with --yes, also the TensorRT versions listed")
    parser.add_argument(
        "--workspaces", nargs="+", metavar="FOLDER", help="all workspaces that use this cache, where it is shared"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="name every file and folder")
    words.json_option(parser)


def run(args: argparse.Namespace) -> int:
    """0; 3 if something could not be removed."""
    workspace = find_workspace(Path.cwd())
    others = None if args.workspaces is None else check_others(workspace, map(Path, args.workspaces))
    failed = dict[Path, str]()
    if args.yes:
        garbage, failed = free(workspace, others, with_toolchains=args.toolchains)
    else:
        garbage = find(workspace, others)
    page = document(garbage, failed, freed=args.yes, with_toolchains=args.toolchains)
    if args.json:
        print(json.dumps(page, indent=1))
    else:
        for line in lines(page, verbose=args.verbose):
            print(printable(line))
    for note in page["notes"]:
        print(printable(f"note: {note}"), file=sys.stderr)
    for failure in page["failed"]:
        print(printable(f"trtbuild: {failure['path']}: cannot be removed: {failure['what']}"), file=sys.stderr)
    return 3 if failed else 0


def document(garbage: Garbage, failed: dict[Path, str], *, freed: bool, with_toolchains: bool) -> GarbageDocument:
    kinds: list[GarbageKind] = []
    for kind in get_args(Kind):
        wastes = [waste for waste in garbage.wastes if waste.kind == kind]
        gone = 0 if not freed or (kind == "toolchains" and not with_toolchains) else len(wastes)
        gone -= sum(waste.path in failed for waste in wastes)
        if wastes:
            kinds.append({
                "kind": kind, "why": WHY[kind], "count": len(wastes), "bytes": sum(waste.bytes for waste in wastes),
                "freed": max(gone, 0), "paths": [str(waste.path) for waste in wastes],
            })  # fmt: skip
    return {
        "schema_version": 1, "dry_run": not freed, "kinds": kinds, "bytes": sum(kind["bytes"] for kind in kinds),
        "notes": list(garbage.notes),
        "failed": [{"path": str(path), "what": what} for path, what in failed.items()],
    }  # fmt: skip


def lines(page: GarbageDocument, *, verbose: bool) -> list[str]:
    shown = []
    for kind in page["kinds"]:
        left = " (kept: add --toolchains)" if kind["kind"] == "toolchains" and not kind["freed"] else ""
        shown.append(f"{kind['kind']:<11}  {kind['count']:>6}  {amount(kind['bytes']):>10}  {kind['why']}{left}")
        shown += [f"  {path}" for path in kind["paths"]] if verbose else []
    if not shown:
        return ["nothing to free"]
    if page["dry_run"]:
        return [*shown, "nothing was changed; to free it: trtbuild gc --yes"]
    freed = sum(kind["freed"] for kind in page["kinds"])
    return [*shown, f"freed {freed} of {sum(kind['count'] for kind in page['kinds'])}"]
