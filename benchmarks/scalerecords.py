"""Records of every step of a sweep as if all had been built, and a sweep's page from reports that were never built.

The artifacts are placeholders: reading looks at their names, sizes and times, and at the few keys given here.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support import sweeps
from trtbuild.base.packaged import templates
from trtbuild.base.workspace import Workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.core.record import Digest, new_record
from trtbuild.core.step import File
from trtbuild.store import tracking

_DOCUMENTS = {
    "verdict.json": {"word": "pass", "passed": True, "unjudged": None, "checks": {}, "thresholds": 1, "warnings": []},
    "deviation.json": {
        "hops": {hop: {} for hop in ("export", "precision", "total")}, "samples": 1, "runtimes": {}, "sets": {},
        "warnings": [],
    },
}  # fmt: skip


def records(root: Path, words: Sequence[str]) -> int:
    """Write dvc.lock and outputs of every step; returns the number of steps."""
    workspace = Workspace(root)
    workspace.prepare()
    p = plan_overrides(workspace, words, sweep=True)
    made: dict[str, dict[str, Digest]] = {}
    for step in p.plan.steps:
        folder = root / step.folder
        folder.mkdir(parents=True)
        outs = made[step.key] = {}
        for out in step.outs:
            content = json.dumps(_DOCUMENTS.get(out.name, {})).encode()
            (folder / out.name).write_bytes(content)
            outs[out.name] = Digest(hashlib.md5(content).hexdigest(), len(content))
        digests = {} if step.inputs else dict(p.store.input_digests(step) or {})
        for source in step.inputs.values():
            digest = p.store.digest(source.path) if isinstance(source, File) else made[source.step.key][source.name]
            assert digest is not None, source.path
            digests[source.path] = digest
        (folder / tracking.LOCK_FILE).write_bytes(tracking.lock_yaml(step.kind, new_record(step, digests, outs)))
    return len(p.plan.steps)


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
