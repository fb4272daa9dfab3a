"""``trtbuild explain``: why each step is in its state, and how a new step differs from recorded ones."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from trtbuild.base.workspace import Workspace
from trtbuild.building.observation import judge_plan
from trtbuild.cli import planning, words
from trtbuild.core.explain import nearest_difference
from trtbuild.core.record import params
from trtbuild.core.step import Step
from trtbuild.store.tracking import read_yaml

GROUP = "build"
HELP = "explain the plan step by step: why a step runs, and how it differs from recorded ones"
EXAMPLES = """\
  trtbuild explain model=segnet precision=int8
"""

options = words.variant_words


def run(args: argparse.Namespace) -> int:
    p = planning.planned(args)
    entries = []
    for step, judgement in judge_plan(p.plan, p.store):
        nearest = nearest_difference(step, _recorded_params(p.workspace, step)) if judgement.state == "missing" else ""
        inputs = {name: source.path for name, source in step.inputs.items()}
        entries.append(
            {
                "kind": step.kind, "folder": step.folder, "state": judgement.state, "why": judgement.why,
                "nearest": nearest, "inputs": inputs, "recipe": params(step),
            }
        )  # fmt: skip
        if not args.json:
            print(f"{step.folder}\n  {judgement.state}: {judgement.why}")
            print(
                *([f"  {nearest}"] if nearest else []),
                *(f"  reads {n}: {path}" for n, path in inputs.items()),
                sep="\n",
            )
    if args.json:
        print(json.dumps({"steps": entries}, indent=1))
    return 0


def _recorded_params(workspace: Workspace, step: Step) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for path in sorted((workspace.root / step.folder).parent.glob(f"{step.kind}-*/params.yaml")):
        content = read_yaml(path)
        if isinstance(content, dict) and content.get("kind") == step.kind:
            found[path.parent.name] = content
    return found
