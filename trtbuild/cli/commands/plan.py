"""``trtbuild plan``: show what would run, without running it."""

from __future__ import annotations

import argparse
import json

from trtbuild.building.observation import judge_plan
from trtbuild.cli import planning, words
from trtbuild.workers.status import short_name

GROUP = "build"
HELP = "show what would run: each step as fresh, stale, missing or remote, and why"
EXAMPLES = """\
  trtbuild plan model=segnet precision=int8
  trtbuild plan -m model=segnet,lenet precision=fp16,int8 --json
"""

options = words.variant_words


def run(args: argparse.Namespace) -> int:
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
