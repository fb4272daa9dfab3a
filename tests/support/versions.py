"""A workspace with two small recorded models, and builds of it whose steps are fakes that end as a test says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import pages
from tests.support.fakes import FakeExecutor, RecordingStatus
from tests.support.sweeps import AXES, judge, report
from trtbuild.base.errors import TrtbuildError
from trtbuild.base.packaged import packaged_conf
from trtbuild.building.loop import Builder
from trtbuild.building.planned import Planned
from trtbuild.building.states import Outcome
from trtbuild.core.job import Job
from trtbuild.store import Store

OFF = ("latency=off", "layers=off")
MODEL = """\
source: {kind: onnx, path: models/NAME.onnx}
inputs:
  x: {dtype: float32, shape: [null, 4], profile: {min: 1, opt: 2, max: 4}, range: [0, 1]}
data: {calibration: {kind: random}, validation: {kind: random, seed: 1}}
validation: {deviation: {max_abs: {fp32: 0.1}}}
"""


def workspace(folder: Path, models: tuple[str, ...] = ("m", "n")) -> Path:
    """A workspace whose remote ``r`` is the folder ``remote`` beside it."""
    for name in (".git", ".dvc", "models", "conf/model"):
        (folder / name).mkdir(parents=True)
    url = folder.parent / "remote"
    (folder / ".dvc" / "config").write_text(f"[core]\n    remote = r\n['remote \"r\"']\n    url = {url}\n", "utf-8")
    (folder / "conf" / "config.yaml").write_bytes((packaged_conf() / "config.yaml").read_bytes())
    for name in models:
        (folder / "models" / f"{name}.onnx").write_text(name, "utf-8")
        (folder / "conf" / "model" / f"{name}.yaml").write_text(MODEL.replace("NAME", name), "utf-8")
    return folder


@dataclass
class Fake:
    """A build; ``engines`` are the errors of engines by variant id, ``failing`` models fail a threshold.

    ``rmse`` is the error of a variant's output, by id.  ``built`` lists the engines that were made, in order.
    """

    engines: Mapping[str, TrtbuildError] = field(default_factory=dict)
    failing: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    rmse: Mapping[str, float] = field(default_factory=dict)
    compiled: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # layers of engines, by variant id
    built: list[str] = field(default_factory=list)

    def __call__(self, p: Planned) -> Outcome:
        kinds = {step.kind for step in p.plan.steps}
        executor = FakeExecutor(dict.fromkeys(kinds, self._worker(p)))
        return Builder(Store(p.workspace), executor, lambda step: Path("python"), RecordingStatus()).build(p.plan)

    def _worker(self, p: Planned) -> Callable[[Job], None]:
        steps = {f"{s.model}.{Path(s.folder).name}": s for s in p.plan.steps}
        ids = {s.key: name for name, roles in p.plan.variants.items() for s in roles.values()}

        def work(job: Job) -> None:
            step = steps[Path(job.out).parent.name]
            name = ids[step.key]
            if step.kind == "engine":
                self.built.append(name)
                if name in self.engines:
                    raise self.engines[name]
            page = self._page(p, name)
            plan = f"{step.folder} engine.plan"
            seal = {"sha256": hashlib.sha256(plan.encode()).hexdigest()}
            documents = {"report.json": page, "verdict.json": page["verdict"], "passport.json": seal,
                         "deviation.json": pages.artifacts()["deviation"]}  # fmt: skip
            for out in step.outs:
                text = json.dumps(documents[out.name]) if out.name in documents else f"{step.folder} {out.name}"
                job.output(out.name).write_text(text, "utf-8")

        return work

    def _page(self, p: Planned, name: str) -> dict:  # type: ignore[type-arg]
        names = p.plan.specs[name].names
        page = report(**{axis: getattr(names, axis) for axis in AXES})
        page["variant"]["id"] = name
        if name in self.compiled:
            page["compiled"] = self.compiled[name]
        if name in self.rmse:
            page["outputs"]["scores"]["hops"]["total"]["rmse"] = self.rmse[name]
        if names.model in self.failing:
            judge(page, "fail")
        elif names.model in self.unjudged:
            judge(page, "unjudged")
        return page
