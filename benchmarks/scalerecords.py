"""Records of every step of a sweep as if all had been built, and a sweep's page from reports that were never built.

The artifacts are placeholders, each with content of its own and in the cache; the keys that reading looks at are right.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.trend import summary
from tests.support import sweeps
from trtbuild.base.packaged import templates
from trtbuild.base.workspace import Workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.core.step import Step

_VERDICT = {"word": "pass", "passed": True, "unjudged": None, "checks": {}, "thresholds": 1, "warnings": []}
_DEVIATION = {
    "hops": {hop: {} for hop in ("export", "precision", "total")}, "samples": 1, "runtimes": {}, "sets": {},
    "warnings": [],
}  # fmt: skip


def records(root: Path, words: Sequence[str]) -> int:
    """Publish outputs and record of every step; returns the number of steps."""
    os.fsync = lambda handle: None  # hundreds of thousands of files that need not survive a crash
    workspace = Workspace(root)
    workspace.prepare()
    p = plan_overrides(workspace, words, sweep=True)
    with workspace.scratch("records") as made:
        for i, step in enumerate(p.plan.steps):
            for out in step.outs:
                (made / out.name).write_bytes(_content(step, out.name, i))
            digests = p.store.input_digests(step)
            assert digests is not None, step.folder
            p.store.publish(step, digests, made)
    p.store.save_state()
    return len(p.plan.steps)


def _content(step: Step, name: str, i: int) -> bytes:
    if name == "plotly.min.js":
        return b"the same in all reports"
    plan = f"engine.plan of {step.key}".encode()
    if name == "engine.plan":
        return plan
    about = step.params.get("variant")
    documents: Mapping[str, object] = {
        "verdict.json": _VERDICT, "deviation.json": _DEVIATION,
        "passport.json": {"sha256": hashlib.sha256(plan).hexdigest(), "warnings": []},
        "summary.json": {**summary(i), "variant": about},
        "report.json": {"variant": about, "engine": {"sha256": step.key, "onnx_sha256": step.key}},
    }  # fmt: skip
    return json.dumps(documents.get(name, {"of": f"{name} of {step.key}", "warnings": []}), default=dict).encode()


def page(folder: Path, models: int, precisions: Sequence[str], versions: Sequence[str], targets: Sequence[str]) -> None:
    """Write the pages of a sweep of all these combinations into a folder."""
    from trtbuild.reports import sweep

    axes = itertools.product((f"m{i:03d}" for i in range(models)), precisions, versions, targets)
    entries = [sweeps.entry(model=m, precision=p, tensorrt=v, target=t) for m, p, v, t in axes]
    sweep.write(entries, folder, templates(folder))  # type: ignore[arg-type]  # as tests make them


if __name__ == "__main__":
    if sys.argv[1] == "records":
        print(records(Path(sys.argv[2]).resolve(), sys.argv[3:]))
    else:
        from benchmarks.scale import MODELS, PRECISIONS, TARGETS, VERSIONS

        page(Path(sys.argv[2]).resolve(), MODELS, PRECISIONS, VERSIONS, TARGETS)
