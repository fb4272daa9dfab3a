"""``trtbuild explain``: what changed, and what has to run because of it."""

from __future__ import annotations

import argparse
import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from trtbuild.base.text import printable
from trtbuild.building.observation import judge_plan
from trtbuild.cli import planning, words
from trtbuild.config.origins import settings
from trtbuild.core.causes import Cause, Change, Recorded, causes
from trtbuild.core.explain import Judgement
from trtbuild.core.record import params
from trtbuild.core.step import Step
from trtbuild.store.tracking import LOCK_FILE, read_yaml
from trtbuild.workers.status import short_name

GROUP = "build"
HELP = "explain what would run: the key or file that changed first, with what follows from it"
EXAMPLES = """\
  trtbuild explain model=segnet precision=int8
  trtbuild explain model=segnet precision=int8 --steps     # every step: state, reason, inputs
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser)
    parser.add_argument("--steps", action="store_true", help="also print each step's state, reason and inputs")


def run(args: argparse.Namespace) -> int:
    p = planning.planned(args)
    judged = judge_plan(p.plan, p.store)
    recorded = cache(_records)  # a large sweep has hundreds of one model and kind
    found = causes(judged, lambda step: recorded(p.workspace.root, posixpath.dirname(step.folder), step.kind))
    origins: dict[str, str] = {}
    if not args.multirun and any(cause.changes for cause in found):
        origins = {one.key: one.origin for one in settings(p.workspace.root, words.overrides_of(args))}
        found = [_exact(one, origins) for one in found]
    if args.json:
        print(
            json.dumps({"causes": [_cause(one) for one in found], "steps": [_step(*one) for one in judged]}, indent=1)
        )
        return 0
    for line in [*lines(found, judged, origins), *(_step_lines(judged) if args.steps else [])]:
        print(printable(line))
    return 0


def _exact(cause: Cause, origins: Mapping[str, str]) -> Cause:
    """A limit by the key of its precision, where the config has one for each."""

    def exact(change: Change) -> Change:
        own = f"{change.key}.{cause.step.params.get('precision')}"
        return replace(change, key=own) if own in origins and change.key not in origins else change

    return replace(cause, changes=tuple(map(exact, cause.changes)))


def lines(
    found: Sequence[Cause], judged: Sequence[tuple[Step, Judgement]], origins: Mapping[str, str]
) -> list[str]:  # fmt: skip
    """Each cause with its changes and where they are set, what follows from it in one line, and how much is fresh."""
    shown = []
    for cause in found:
        why = "changed" if cause.changes else cause.judgement.why
        shown.append(f"{short_name(cause.step)}: {why}")
        for change in cause.changes:
            origin = origins.get(change.key)
            shown.append(f"  {change}{f'  ({origin})' if origin else ''}")
        if cause.since:
            shown.append(f"  since {cause.since}")
        if cause.follows:
            names = ", ".join(dict.fromkeys(step.kind for step in cause.follows))
            shown.append(f"  so {len(cause.follows)} more run: {names}")
    fresh = sum(judgement.state == "fresh" for _, judgement in judged)
    return [*shown, f"{fresh} of {len(judged)} steps are fresh"]


def _step_lines(judged: Sequence[tuple[Step, Judgement]]) -> list[str]:
    shown = []
    for step, judgement in judged:
        shown += [step.folder, f"  {judgement.state}: {judgement.why}"]
        shown += [f"  reads {name}: {source.path}" for name, source in step.inputs.items()]
    return shown


def _cause(one: Cause) -> dict[str, object]:
    return {
        "kind": one.step.kind, "folder": one.step.folder, "state": one.judgement.state, "why": one.judgement.why,
        "since": one.since, "changes": [asdict(change) for change in one.changes],
        "follows": [step.folder for step in one.follows],
    }  # fmt: skip


def _step(step: Step, judgement: Judgement) -> dict[str, object]:
    inputs = {name: source.path for name, source in step.inputs.items()}
    return {
        "kind": step.kind, "folder": step.folder, "state": judgement.state, "why": judgement.why, "inputs": inputs,
        "recipe": params(step),
    }  # fmt: skip


def _records(root: Path, model: str, kind: str) -> list[Recorded]:
    """The steps of a kind that have been built in a model's folder."""
    found = []
    for path in sorted((root / model).glob(f"{kind}-*/params.yaml")):
        content, lock = read_yaml(path), path.with_name(LOCK_FILE)
        if isinstance(content, dict) and content.get("kind") == kind and lock.is_file():
            folder = path.parent.relative_to(root).as_posix()
            found.append(Recorded(folder, content, lock.stat().st_mtime))
    return found
