"""``trtbuild plan``: show what would run, without running it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from trtbuild.base.workspace import find_workspace
from trtbuild.building.observation import judge_plan
from trtbuild.cli import answers, noop, planning, words
from trtbuild.core.explain import NEVER_BUILT, Judgement
from trtbuild.core.step import Step
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


MOST_LINES = 400  # one for each step, up to here; then one for each kind of step and state


def run(args: argparse.Namespace) -> int:
    overrides, workspace = words.overrides_of(args), find_workspace(Path.cwd())
    signatures: noop.Signatures | None = None
    if autoresult.is_wanted(overrides):
        combinations = autoresult.combinations(workspace.root, overrides, multirun=args.multirun)
        p = autoresult.first_round(workspace, combinations)
    else:
        if args.multirun and workspace.private.is_dir():
            signatures = noop.sign(answers.configuration(workspace.root))
        p = planning.planned(args)
        signatures = None if signatures is None else {**signatures, **noop.sign(answers.watched(p))}
    judged = judge_plan(p.plan, p.store)
    text = _document(judged) if args.json else "".join(f"{line}\n" for line in _lines(judged, len(p.plan.variants)))
    sys.stdout.write(text)
    if signatures is not None and all(_by_files(judgement) for _, judgement in judged):
        answers.remember(p, args.argv, signatures, noop.Answer([text, ""], 0))
    return 0


def _by_files(judgement: Judgement) -> bool:
    """Whether a judgement depends on the workspace's files only; any other may change with the cache."""
    return judgement.state == "fresh" or judgement.why == NEVER_BUILT


def _document(judged: Sequence[tuple[Step, Judgement]]) -> str:
    entries = [
        {
            "kind": step.kind, "folder": step.folder, "state": judgement.state, "why": judgement.why,
            "inputs": {name: source.path for name, source in step.inputs.items()},
        }
        for step, judgement in judged
    ]  # fmt: skip
    return json.dumps({"steps": entries}, indent=1) + "\n"


def _lines(judged: Sequence[tuple[Step, Judgement]], variants: int) -> list[str]:
    if len(judged) <= MOST_LINES:
        return [
            f"{judgement.state:<8} {short_name(step)}  {'' if judgement.state == 'fresh' else judgement.why}".rstrip()
            for step, judgement in judged
        ]
    groups: dict[tuple[str, str], list[Judgement]] = {}
    for step, judgement in judged:
        groups.setdefault((step.kind, judgement.state), []).append(judgement)
    lines = []
    for (kind, state), found in groups.items():
        reasons = {judgement.why for judgement in found}
        why = "" if state == "fresh" else found[0].why if len(reasons) == 1 else f"for {len(reasons)} reasons"
        lines.append(f"{state:<8} {len(found):>6} {kind:<11} {why}".rstrip())
    return [*lines, f"{len(judged)} steps of {variants} variants; --json lists them"]
