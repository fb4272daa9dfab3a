"""``precision=auto`` as a user runs it, on the demonstration models: what it asks, a second budget, a killed search."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import say
from trtbuild.documents.auto import AutoDocument

ALWAYS = ("precision=auto", "tensorrt=rtx-1.7", "latency=off", "layers=off", "--dry-run")
FROM_FP32 = ("device=l4", "target=sm89", "auto.base=fp32", "auto.candidates=[fp16,int8]")
BATCH_32 = "model.inputs.image.profile={min: 1, opt: 32, max: 32}"


@dataclass(frozen=True)
class Model:
    """``words`` of its searches, and two budgets; without a task metric these are on the outputs."""

    words: Sequence[str]
    budgets: tuple[str, str]


MODELS: Mapping[str, Model] = {
    "lenet": Model(FROM_FP32, ("auto.max_drop=0.01", "auto.deviation={sqnr_db: 75}")),
    "segnet": Model(("device=orin-agx",), ("auto.max_drop=0.005", "auto.max_drop=0.0002")),
    "mobilenet_v2": Model(
        ("device=l4", "target=sm89"), ("auto.deviation={cosine: 0.999}", "auto.deviation={cosine: 0.9999}")
    ),
    # Min-max calibration, and fewer engines: each assignment is calibrated by itself.
    "inception_v3": Model(
        ("device=orin-agx", BATCH_32, "calibration=minmax", "auto.builds=12"),
        ("auto.deviation={cosine: 0.999}", "auto.deviation={cosine: 0.9999}"),
    ),
    "vgg16": Model(
        ("device=orin-agx", "calibration=minmax"), ("auto.deviation={sqnr_db: 30}", "auto.deviation={sqnr_db: 45}")
    ),
    "vgg16_fp8": Model(
        ("device=l4", "target=sm89", "calibration=minmax", "auto.candidates=[int8,fp8]"),
        ("auto.deviation={sqnr_db: 30}", "auto.deviation={sqnr_db: 45}"),
    ),
}
# Wide enough that arithmetic binds: keras.applications' VGG16 up to its last pooling, for images of 112 pixels.
VGG16 = """\
source:
  kind: factory
  callable: trtbuild.demo.factories:keras_application
  arguments: {application: VGG16, include_top: false, pooling: avg, input_shape: [112, 112, 3]}
  seed: 3
inputs:
  image: {dtype: float32, shape: [null, 112, 112, 3], profile: {min: 1, opt: 32, max: 32}, range: [0, 255]}
data: {calibration: models/vgg16_calibration.npz, validation: models/vgg16_validation.npz}
"""
SECOND, RUNS, EVALUATIONS = 0.2, 10, 8
KILLED_AFTER = (0.08, 0.15, 0.2, 0.25)  # of the time of a search that nobody kills: each goes on where the last was


@dataclass(frozen=True)
class Finished:
    """``ran``: folders of the steps that ran, as often as they did; ``cpu_s``: of all processes."""

    seconds: float
    cpu_s: float
    document: AutoDocument
    file: str
    ran: Counter[str]


def with_vgg16(workspace: Path) -> Path:
    """A workspace with the wide network, too."""
    import numpy as np

    from trtbuild.demo.inputs import smooth_images

    for seed, name in enumerate(("calibration", "validation"), 1):
        images = smooth_images(16, 112, 112, seed).astype(np.float32)
        np.savez(workspace / "models" / f"vgg16_{name}.npz", image=images)
    for name in (name for name in MODELS if name.startswith("vgg16")):
        (workspace / "conf" / "model" / f"{name}.yaml").write_text(VGG16, "utf-8")
    return workspace


def words_of(model: str, budget: str) -> list[str]:
    return [f"model={model}", *ALWAYS, *MODELS[model].words, budget]


def searched(workspace: Path, trtbuild: str, model: str, budget: str) -> Finished:
    before, started = _cpu_s(), time.perf_counter()
    words = words_of(model, budget)
    done = subprocess.run([trtbuild, *words], cwd=workspace, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{model}, {budget}: ended with {done.returncode}:\n{done.stderr}")
    seconds, cpu_s = time.perf_counter() - started, _cpu_s() - before
    document = json.loads((workspace / "build" / "auto" / f"auto-{model}" / "auto.json").read_text("utf-8"))
    return Finished(seconds, cpu_s, document, done.stdout, _ran(done.stderr))


def _cpu_s() -> float:
    """Of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ran(said: str) -> Counter[str]:
    """
    >>> _ran("run    m/lower-int8  (never built here)\\nran    m/lower-int8  0.9 s\\nfresh  1 step\\n")
    Counter({'m/lower-int8': 1})
    """
    return Counter(re.findall(r"^ran +(\S+)", said, re.MULTILINE))


def model(workspace: Path, trtbuild: str, name: str) -> Finished:
    """One model: a search from nothing, and one more with another budget."""
    first, second = (searched(workspace, trtbuild, name, budget) for budget in MODELS[name].budgets)
    found = first.document
    groups, candidates = len(found["groups"]), len(found["candidates"])
    say(name, found["says"], "")
    say("  runs on few samples", f"{found['runs']} ({groups} groups, {candidates} candidates)",
        f"bar {groups * candidates + RUNS}")  # fmt: skip
    say("  engines, evaluations of the whole set", f"{found['builds']}, {found['evaluations']}", f"bar {EVALUATIONS}")
    changed = [group for group in found["groups"] if group["chosen"] != found["base"]]
    for when, key in (("base", "base_limits"), ("answer", "limits")):
        us = Counter[str]()
        for group in changed:
            us.update(group[key])  # type: ignore[literal-required]
        bound = ", ".join(f"{limit} {time_us:.0f} µs" for limit, time_us in us.most_common())
        say(f"  {len(changed)} changed groups in the {when}'s engine", bound or "–", "")
    took = f"{second.seconds:.1f} s of {first.seconds:.1f} s ({second.ran.total()} steps of {first.ran.total()})"
    say(
        f"  second budget, {MODELS[name].budgets[1]}",
        took,
        f"ratio {second.seconds / first.seconds:.2f} (bar {SECOND})",
    )
    say("  of CPU", f"{second.cpu_s:.1f} s of {first.cpu_s:.1f} s", f"ratio {second.cpu_s / first.cpu_s:.2f}")
    say("", second.document["says"], "")
    return first


def killed(workspace: Path, trtbuild: str, name: str, whole: Finished, after: Sequence[float] = KILLED_AFTER) -> None:
    """The same search in another workspace, killed several times, then left alone."""
    words = [trtbuild, *words_of(name, MODELS[name].budgets[0])]
    ran: Counter[str] = Counter()
    kills = 0
    for share in after:
        with (workspace / "said.txt").open("w+") as said:
            process = subprocess.Popen(words, cwd=workspace, stdout=subprocess.DEVNULL, stderr=said)
            try:
                process.wait(share * whole.seconds)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                kills += 1
            said.seek(0)
            ran += _ran(said.read())
    last = searched(workspace, trtbuild, name, MODELS[name].budgets[0])
    ran += last.ran
    made = Counter(f"{name}/{step.name.rpartition('-')[0]}" for step in (workspace / "build" / name).iterdir())
    twice = (ran - made).total()
    say(f"  killed {kills} times", "the same answer" if last.file == whole.file else "ANOTHER ANSWER",
        f"{ran.total()} steps ran, without kills {whole.ran.total()}; {twice} ran twice (bar 0)")  # fmt: skip
