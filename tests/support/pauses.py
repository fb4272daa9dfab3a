"""A build of pauses by any executor, as a process: ``python -m tests.support.pauses WORKSPACE EXECUTOR STEPS``.

EXECUTOR: the group's keys as JSON.  STEPS: a list of ``{"name", "seconds", "after", "slot", …}``; other keys are
parameters.
It prints each note on stderr, and the endings, failures and digests of outputs as JSON on stdout.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from trtbuild.base.workspace import Workspace
from trtbuild.building.loop import Builder
from trtbuild.core.parse import parse
from trtbuild.core.plan import Plan
from trtbuild.core.spec import Executor
from trtbuild.core.step import File, Input, Out, Step
from trtbuild.store import Store
from trtbuild.workers.executors import Site
from trtbuild.workers.status import PlainStatus

SOURCE = "models/source.txt"


def workspace(root: Path, remote: Path | None = None) -> Path:
    """A workspace with one source file, and a remote."""
    for name in (".git", ".dvc", "models", "conf"):
        (root / name).mkdir(parents=True)
    (root / SOURCE).write_text("a source", "utf-8")
    if remote is not None:
        config = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {remote}\n"
        (root / ".dvc" / "config").write_text(config, "utf-8")
    return root


def steps(described: Sequence[Mapping[str, Any]]) -> list[Step]:
    made: dict[str, Step] = {}
    for one in described:
        inputs: dict[str, Input] = {up: made[up].out("out.json") for up in one.get("after", ())}
        params = {key: value for key, value in one.items() if key not in ("name", "after", "slot", "work_bytes")}
        made[one["name"]] = Step(
            "workers.jobs.pause", 1, "m", one["name"], {"text": one["name"], **params},
            inputs or {"source": File(SOURCE)}, (Out("out.json"),), slot=one.get("slot", "cpu"),
            work_bytes=one.get("work_bytes", 0),
        )  # fmt: skip
    return list(made.values())


def main(root: str, executor: str, described: str) -> None:
    plan = Plan(tuple(steps(json.loads(described))), {})
    spec = parse(Executor, json.loads(executor), "executor")
    made, store, status = Workspace(Path(root)), Store(Workspace(Path(root))), PlainStatus(sys.stderr)
    made.prepare()
    module = import_module(f"trtbuild.workers.executors.{spec.module}")
    builder = Builder(store, module.make(spec, Site(store, status.note)), lambda step: Path(sys.executable), status)
    began = time.monotonic()
    outcome = builder.build(plan)
    took = time.monotonic() - began
    records = {step.label: store.record(step) for step in plan.steps}
    outs = {name: record and record.outs["out.json"].md5 for name, record in records.items()}
    ends = {step.label: outcome.steps.get(step.key) for step in plan.steps}
    failures = {step.label: str(outcome.failures[step.key]) for step in plan.steps if step.key in outcome.failures}
    details = {step.label: outcome.failures[step.key].details for step in plan.steps if step.key in outcome.failures}
    print(json.dumps({"seconds": took, "ends": ends, "failures": failures, "details": details, "outs": outs}))


if __name__ == "__main__":
    main(*sys.argv[1:])
