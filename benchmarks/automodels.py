"""``precision=auto`` as a user runs it, on the demonstration models: what it asks, a second budget, a killed search."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import say
from trtbuild.documents.auto import AutoDocument

# Both 16-bit and 8-bit parts are worth a question from this base, so a search has the most to do.
WORDS = ("precision=auto", "device=l4", "tensorrt=rtx-1.7", "latency=off", "layers=off", "auto.base=fp32",
         "auto.candidates=[fp16,int8]", "--dry-run")  # fmt: skip
# Two budgets for each model; those without a task metric have one on the outputs.
BUDGETS: Mapping[str, tuple[str, str]] = {
    "lenet": ("auto.max_drop=0.01", "auto.max_drop=0.002"),
    "segnet": ("auto.max_drop=0.005", "auto.max_drop=0.0002"),
    "mobilenet_v2": ("auto.deviation={cosine: 0.999}", "auto.deviation={cosine: 0.9999}"),
    "inception_v3": ("auto.deviation={cosine: 0.999}", "auto.deviation={cosine: 0.9999}"),
}
SECOND, RUNS, EVALUATIONS = 0.2, 10, 8
KILLED_AFTER = (0.08, 0.15, 0.2, 0.25)  # of the time of a search that nobody kills: each goes on where the last was


@dataclass(frozen=True)
class Finished:
    """``ran``: folders of the steps that ran, as often as they did."""

    seconds: float
    document: AutoDocument
    file: str
    ran: Counter[str]


def searched(workspace: Path, trtbuild: str, model: str, budget: str) -> Finished:
    started = time.perf_counter()
    done = subprocess.run(
        [trtbuild, f"model={model}", *WORDS, budget], cwd=workspace, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"{model}, {budget}: ended with {done.returncode}:\n{done.stderr}")
    seconds = time.perf_counter() - started
    document = json.loads((workspace / "build" / "auto" / f"auto-{model}" / "auto.json").read_text("utf-8"))
    return Finished(seconds, document, done.stdout, _ran(done.stderr))


def _ran(said: str) -> Counter[str]:
    """
    >>> _ran("run    m/lower-int8  (never built here)\\nran    m/lower-int8  0.9 s\\nfresh  1 step\\n")
    Counter({'m/lower-int8': 1})
    """
    return Counter(re.findall(r"^ran +(\S+)", said, re.MULTILINE))


def model(workspace: Path, trtbuild: str, name: str) -> Finished:
    """One model: a search from nothing, and one more with another budget."""
    first, second = (searched(workspace, trtbuild, name, budget) for budget in BUDGETS[name])
    found = first.document
    groups, candidates = len(found["groups"]), len(found["candidates"])
    say(name, found["says"], "")
    say("  runs on few samples", f"{found['runs']} ({groups} groups, {candidates} candidates)",
        f"bar {groups * candidates + RUNS}")  # fmt: skip
    say("  engines, evaluations of the whole set", f"{found['builds']}, {found['evaluations']}", f"bar {EVALUATIONS}")
    ratio = second.seconds / first.seconds
    took = f"{second.seconds:.1f} s of {first.seconds:.1f} s ({second.ran.total()} steps of {first.ran.total()})"
    say(f"  second budget, {BUDGETS[name][1]}", took, f"ratio {ratio:.2f} (bar {SECOND})")
    say("", second.document["says"], "")
    return first


def killed(workspace: Path, trtbuild: str, name: str, whole: Finished, after: Sequence[float] = KILLED_AFTER) -> None:
    """The same search in another workspace, killed several times, then left alone."""
    words = [trtbuild, f"model={name}", *WORDS, BUDGETS[name][0]]
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
    last = searched(workspace, trtbuild, name, BUDGETS[name][0])
    ran += last.ran
    made = Counter(f"{name}/{step.name.rpartition('-')[0]}" for step in (workspace / "build" / name).iterdir())
    twice = (ran - made).total()
    say(f"  killed {kills} times", "the same answer" if last.file == whole.file else "ANOTHER ANSWER",
        f"{ran.total()} steps ran, without kills {whole.ran.total()}; {twice} ran twice (bar 0)")  # fmt: skip
