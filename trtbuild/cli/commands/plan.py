"""``trtbuild plan``: show what would run, without running it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from trtbuild.base.workspace import find_workspace
from trtbuild.building.observation import judge_plan
from trtbuild.cli import planning, words
from trtbuild.pipeline import autoresult
from trtbuild.workers.status import short_name

GROUP = "build"
HELP = "show what would run: each step as fresh, stale, missing or remote, and why"
EXAMPLES = """\
  trtbuild plan model=segnet precision=int8
  trtbuild plan -m model=segnet,lenet precision=fp16,int8 --json
  trtbuild plan model=segnet precision=auto          # the first round of the search
"""

options = words.variant_words


def run(args: argparse.Namespace) -> int:
    overrides = words.overrides_of(args)
    if autoresult.is_wanted(overrides):
        workspace = find_workspace(Path.cwd())
        combinations = autoresult.combinations(workspace.root, overrides, multirun=args.multirun)
        p = autoresult.first_round(workspace, combinations)
    else:
        p = planning.planned(args)
    judged = judge_plan(p.plan, p.store)
    if args.json:
        entries = [
            {
                "kind": step.kind, "folder": step.folder, "state": judgement.state, "why": judgement.why,
                "inputs": {name: source.path for name, source in step.inputs.items()},
            }
            for step, judgement in judged
        ]  # fmt: skip
        print(json.dumps({"steps": entries}, indent=1))
        return 0
    for step, judgement in judged:
        why = "" if judgement.state == "fresh" else judgement.why
        print(f"{judgement.state:<8} {short_name(step)}  {why}".rstrip())
    return 0
