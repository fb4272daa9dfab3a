"""``trtbuild doctor``: examine this machine, its environments, the workspace, its remotes and its cache."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict

from trtbuild.base.text import printable
from trtbuild.base.workspace import workspace_here
from trtbuild.building.doctor import Finding, examine
from trtbuild.cli import words

GROUP = "share"
HELP = "examine this machine, TensorRT versions, workspace, remotes and cache; each line says what to do"
EXAMPLES = """\
  trtbuild doctor
  trtbuild doctor --deep      # also import and use everything, contact the remotes, read the whole cache
"""
_MARKS = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deep", action="store_true", help="use everything instead of looking whether it is there")
    words.json_option(parser)


def run(args: argparse.Namespace) -> int:
    """0: nothing is broken; 3: something is."""
    found: list[Finding] = []
    for finding in examine(workspace_here(), deep=args.deep):
        found.append(finding)
        if not args.json:
            hint = f"; {finding.hint}" if finding.hint else ""
            print(printable(f"{_MARKS[finding.state]}  {finding.about}: {finding.what}{hint}"), flush=True)
    counts = Counter(finding.state for finding in found)
    if args.json:
        print(json.dumps({"schema_version": 1, "findings": [asdict(finding) for finding in found]}, indent=1))
    else:
        print(", ".join(f"{counts[state]} {state}{'s' * (counts[state] != 1)}" for state in ("error", "warning")))
    return 3 if counts["error"] else 0
