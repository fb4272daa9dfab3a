"""Results of cases: recorded ones are taken, the rest is examined and probed in pooled processes, and recorded."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from trtbuild import toolchains as installed
from trtbuild.base.workspace import Workspace
from trtbuild.core.spec import Target, Toolchain
from trtbuild.machine.device import cores
from trtbuild.suite import identity
from trtbuild.suite.case import Case
from trtbuild.suite.examination import Graph
from trtbuild.suite.outline import OutlineNode
from trtbuild.suite.pool import MOST_WORKERS, Answers, examine_all, workers_for
from trtbuild.suite.records import Records
from trtbuild.suite.stage import Stage, StageDocument, StageName, Stages, of_answer, stages_of
from trtbuild.toolchains import request
from trtbuild.toolchains.request import ToolchainRequest

LIMIT_S = 60.0  # of a stage of one case; the slowest takes two seconds
WHOLE = 500  # cases: a run of fewer says nothing about the records of the others
PROBERS_PAY_FROM = 8  # graphs: starting a toolchain's interpreter takes as long as a few of them


class _Stages(TypedDict):
    stages: dict[StageName, StageDocument]


class Examined(_Stages, total=False):
    """A case's record before TensorRT is asked; without a graph where the export fails."""

    exported: Graph


@dataclass
class Results:
    """``examined`` by case; ``probed`` by version, then case."""

    examined: dict[str, Examined] = field(default_factory=dict)
    probed: dict[str, dict[str, Stages]] = field(default_factory=dict)
    made_anew: int = 0

    def stages(self, case: str, version: str) -> Stages:
        """Everything that is known of a case with a version."""
        return {**stages_of(self.examined[case]["stages"]), **self.probed[version].get(case, {})}

    def outline(self, case: str) -> Sequence[OutlineNode]:
        record = self.examined[case]
        return record["exported"]["outline"] if "exported" in record else ()


def examine(
    cases: Sequence[Case], toolchains: Mapping[str, Toolchain], root: Path | None, target: Target, *,
    install: bool = True, limit_s: float = LIMIT_S,
) -> Results:  # fmt: skip
    """Results of every case with every version, recorded with the workspace ``root``, or with the user without one.

    Raises:
        PlaceError: a worker, or a toolchain, cannot be started.
    """
    results, place, progress = Results(), folder(root), _Progress()
    _examine(cases, results, root, place, progress, limit_s)
    for name, toolchain in toolchains.items():
        want = ToolchainRequest(toolchain.flavour, toolchain.version, toolchain.requirements, name)
        results.probed[name] = _probe(
            cases, results, want, toolchain, target, place, progress, limit_s, install=install
        )
    return results


def _examine(
    cases: Sequence[Case], results: Results, root: Path | None, place: Path, progress: _Progress, limit_s: float
) -> None:
    records, graphs = Records[Examined](place / "examined.jsonl"), place / "graphs"
    keys = {case.id: identity.examine_key(case) for case in cases}
    missing = []
    for name, key in keys.items():
        found = records.get(key)
        if found is None or ("exported" in found and not _file(place, found["exported"]).exists()):
            missing.append(name)
        else:
            results.examined[name] = found
    if not missing:
        return
    graphs.mkdir(parents=True, exist_ok=True)

    def done(name: str, answers: Answers) -> None:
        record = _record(answers)
        # A crash for lack of memory, or a slow machine, is not a property of the case: it is examined again.
        if not any(_of_the_machine(stage) for stage in record["stages"].values()):
            records.put(keys[name], record)
        results.examined[name] = record
        results.made_anew += 1
        progress.show("exported", len(results.examined), len(cases))

    examine_all(missing, root, graphs, workers=workers_for(cores(), missing), limit_s=limit_s, done=done)
    if len(keys) >= WHOLE:
        records.tidy(set(keys.values()))


def _file(place: Path, graph: Graph) -> Path:
    return place / "graphs" / f"{graph['graph']}.onnx"


def _of_the_machine(stage: StageDocument) -> bool:
    """SIGKILL is what the kernel sends where memory ends, and what a person sends; no library does."""
    return stage["result"] == "timeout" or (stage["result"] == "crash" and "SIGKILL" in stage.get("says", ""))


def _record(answers: Answers) -> Examined:
    """The stages, and the graph where there is one."""
    record: Examined = {"stages": {}}
    for name, answer in answers.items():
        record["stages"][name] = Stage(answer["result"], answer.get("says", "")).document()
        if "exported" in answer:
            record["exported"] = answer["exported"]
    return record


def _probe(
    cases: Sequence[Case], results: Results, want: ToolchainRequest, toolchain: Toolchain, target: Target,
    place: Path, progress: _Progress, limit_s: float, *, install: bool,
) -> dict[str, Stages]:  # fmt: skip
    from trtbuild.workers.prober import Prober, Question, ask_all

    records = Records[dict[StageName, StageDocument]](place / f"probed-{want.name}.jsonl")
    toolchain_words = [want.flavour, want.version, list(want.requirements), *target.compute_capabilities]
    found: dict[str, Stages] = {}
    keys, questions = {}, {}
    for case in cases:
        about = results.examined[case.id].get("exported")
        if about is None:
            continue
        tf32 = case.lowering.tf32
        keys[case.id] = identity.probe_key(
            about["graph"], about["shapes"], about["profiles"], toolchain_words, tf32=tf32
        )
        record = records.get(keys[case.id])
        if record is not None:
            found[case.id] = stages_of(record)
        else:
            model = _file(place, about)
            questions[case.id] = Question(model, about["shapes"], about["profiles"], tf32=tf32, every=False)
    if not questions:
        return found
    python = installed.interpreter(want, install=install, note=note)
    count = min(cores(), MOST_WORKERS, 1 + len(questions) // PROBERS_PAY_FROM)
    with ExitStack() as stack:
        probers = [
            stack.enter_context(Prober(python, want.flavour, want.version,
                                       supported=toolchain.compute_capabilities, limit_s=limit_s,
                                       compute_capabilities=target.compute_capabilities))
            for _ in range(count)
        ]  # fmt: skip
        for case_id, answer in zip(questions, ask_all(probers, questions.values()), strict=True):
            stages = of_answer(answer)
            if answer.outcome != "timeout":
                records.put(keys[case_id], {name: stage.document() for name, stage in stages.items()})
            found[case_id] = stages
            results.made_anew += 1
            progress.show(f"built with {want.name}", len(found), len(keys))
    if len(keys) >= WHOLE:
        records.tidy(set(keys.values()))
    return found


def folder(root: Path | None) -> Path:
    """Where results are kept: with the workspace, or in the user's cache without one."""
    if root is None:
        return request.cache().parent / "suite"
    Workspace(root).prepare()
    return Workspace(root).private / "suite"


def note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Progress:
    """A line that is written over on a terminal, and one every ten seconds elsewhere."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def show(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._terminal:
            print(f"\r{what} {done} of {total}\033[K", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif now - self._last > 10:
            self._last = now
            note(f"{what} {done} of {total}")
