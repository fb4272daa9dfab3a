"""A build as its verb asks for it: search, plan, build, and what is said and remembered of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.base.text import printable
from trtbuild.base.workspace import Workspace, find_workspace
from trtbuild.building.observation import judge_plan
from trtbuild.building.planned import Planned, plan_combinations, plan_overrides
from trtbuild.building.run import build_planned
from trtbuild.building.states import Outcome, exit_status, variant_states
from trtbuild.building.summary import NOTHING_TO_DO, show_document, summarise
from trtbuild.cli import answers, noop, words
from trtbuild.documents.auto import AutoDocument
from trtbuild.pipeline import autodocument, autoresult
from trtbuild.workers import cluster
from trtbuild.workers.status import make_status


def run(args: argparse.Namespace) -> int:
    """The exit status, as commands/build.py says."""
    workspace, overrides = find_workspace(Path.cwd()), words.overrides_of(args)
    if autoresult.is_wanted(overrides):
        return _search(args, workspace, overrides)
    if args.dry_run:
        raise ConfigError("only a search has it", where="--dry-run", hint="trtbuild plan … shows what would run")
    signatures = noop.sign(answers.configuration(workspace.root))
    p = plan_overrides(workspace, overrides, sweep=args.multirun)
    return _build(args, p, signatures)


@cluster.held()
def _search(args: argparse.Namespace, workspace: Workspace, overrides: Sequence[str]) -> int:
    """Search for every ``precision=auto``, then build the results and everything else as one plan."""
    combinations = autoresult.combinations(workspace.root, overrides, multirun=args.multirun)
    found = autoresult.resolve(workspace, combinations, _builder(args), _note, dry_run=args.dry_run)
    documents = [one.document for one in found.searched]
    for line in [*autodocument.summary(documents), *(f"  search: {one.page}" for one in found.searched)]:
        _note(printable(line))
    code = max(int(any(not one.file for one in found.searched)), exit_status((), found.invalid.values()))
    if args.dry_run or not found.words:
        for combination, error in found.invalid.items():
            _note(printable(f"{combination}: NOT BUILT ({error})"))
        files = "".join(one.file for one in found.searched)
        print(json.dumps({"auto": documents}, indent=1) if args.json else files, end="\n" if args.json else "")
        return code
    if args.multirun:
        p = plan_combinations(workspace, found.words)
        p = replace(p, invalid={**p.invalid, **found.invalid})
    else:
        p = plan_overrides(workspace, found.words[0], sweep=False)
    return max(code, _build(args, p, None, auto=documents))


def _note(line: str) -> None:
    print(line, file=sys.stderr)


def _builder(args: argparse.Namespace) -> Callable[[Planned], Outcome]:
    return lambda p: build_planned(p, install=args.install, status=make_status(detail=args.detail))


def _build(
    args: argparse.Namespace, p: Planned, signatures: noop.Signatures | None, auto: Sequence[AutoDocument] = ()
) -> int:
    """``signatures``: of the configuration before it was read; None: the answer is not remembered."""
    outcome = _builder(args)(p)
    states = variant_states(p, outcome)
    lines = summarise(states, p.invalid)
    if args.multirun:
        from trtbuild.pipeline import sweeppage

        at = len(lines) - (lines[-1] == NOTHING_TO_DO)
        lines[at:at] = sweeppage.write(p, states)
    summary = "".join(line + "\n" for line in lines)
    shown = {**show_document(p, states), **({"auto": list(auto)} if auto else {})}
    document = json.dumps(shown, indent=1) + "\n" if args.json else ""
    sys.stderr.write(summary)
    sys.stdout.write(document)
    code = exit_status(states.values(), p.invalid.values())
    if not outcome.failures and signatures is not None:  # invalid variants are due to the config, which is signed
        answer = noop.Answer([document, _as_noop(summary)], code)
        answers.remember(p, args.argv, signatures, answer, answers.watched(p))
        if any(judgement.state != "fresh" for _, judgement in judge_plan(p.plan, p.store)):
            noop.forget(str(p.workspace.root), args.argv)  # something changed between the build and the signing
    return code


def _as_noop(summary: str) -> str:
    """The summary as the next run prints it, when there will be nothing to do."""
    return summary if summary.endswith(f"{NOTHING_TO_DO}\n") else f"{summary}{NOTHING_TO_DO}\n"
