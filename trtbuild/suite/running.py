"""Cases to results: what is recorded is taken, the rest is examined and probed in pooled processes, and recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtbuild.core.spec import Toolchain
from trtbuild.machine.device import cores
from trtbuild.suite import identity
from trtbuild.suite.case import Case
from trtbuild.suite.pool import MOST_WORKERS, Answers, examine_all, workers_for
from trtbuild.suite.records import Records
from trtbuild.suite.verdicts import Stages, of_answer, stages_of

LIMIT_S = 60.0  # of a stage of one case; the slowest takes two seconds
WHOLE = 500  # cases: a run of fewer says nothing about the records of the others
PROBERS_PAY_FROM = 8  # graphs: starting a toolchain's interpreter takes as long as a few of them
Progress = Callable[[str, int, int], None]  # what, done, of how many


@dataclass
class Results:
    """``examined`` by case; ``probed`` by version, then case: stages of a record, and the words kept beside them."""

    examined: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    probed: dict[str, dict[str, Stages]] = field(default_factory=dict)
    made_anew: int = 0

    def stages(self, case: str, version: str) -> Stages:
        """Everything that is known of a case with a version, in one mapping."""
        return {**stages_of(self.examined[case]["stages"]), **self.probed[version].get(case, {})}

    def outline(self, case: str) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.examined[case].get("outline", ())
        return found


def run(
    cases: Sequence[Case], toolchains: Mapping[str, Toolchain], *, root: Path | None, folder: Path,
    interpreter: Callable[[str, Toolchain], Path], progress: Progress, limit_s: float = LIMIT_S,
) -> Results:  # fmt: skip
    """Results of every case with every version.

    Args:
        root: the workspace, whose own cases the workers load as well; ``folder`` is where results are kept.
        interpreter: the Python that has a version; asked for only when something is to be probed.

    Raises:
        PlaceError: a worker, or a toolchain, cannot be started.
    """
    results = Results()
    _examine(cases, results, root, folder, progress, limit_s)
    for name, toolchain in toolchains.items():
        results.probed[name] = _probe(cases, results, name, toolchain, folder, interpreter, progress, limit_s)
    return results


def _examine(
    cases: Sequence[Case], results: Results, root: Path | None, folder: Path, progress: Progress, limit_s: float
) -> None:
    records, graphs = Records(folder / "examined.jsonl"), folder / "graphs"
    keys = {case.id: identity.examine_key(case) for case in cases}
    missing = []
    for name, key in keys.items():
        found = records.get(key)
        if found is None or ("graph" in found and not (graphs / f"{found['graph']}.onnx").exists()):
            missing.append(name)
        else:
            results.examined[name] = found
    if not missing:
        return
    graphs.mkdir(parents=True, exist_ok=True)

    def done(name: str, answers: Answers) -> None:
        record = _record(answers)
        # A crash of this process for want of memory, or a slow machine, is no property of the case: asked again.
        if not any(_of_the_machine(stage) for stage in record["stages"].values()):
            records.put(keys[name], record)
        results.examined[name] = record
        results.made_anew += 1
        progress("exported", len(results.examined), len(cases))

    examine_all(missing, root, graphs, workers=workers_for(cores(), missing), limit_s=limit_s, done=done)
    if len(keys) >= WHOLE:
        records.tidy(set(keys.values()))


def _of_the_machine(stage: Mapping[str, Any]) -> bool:
    """SIGKILL is what the kernel sends where memory ends, and what a person sends; no library does."""
    return stage["verdict"] == "timeout" or (stage["verdict"] == "crash" and "SIGKILL" in stage.get("says", ""))


def _record(answers: Answers) -> dict[str, Any]:
    """The stages, and what the first of them found out about the graph."""
    record: dict[str, Any] = {"stages": {}}
    for stage, answer in answers.items():
        record["stages"][stage] = {k: v for k, v in answer.items() if k in ("verdict", "says") and v}
        record |= {k: v for k, v in answer.items() if k in ("graph", "outline", "shapes", "profiles")}
    return record


def _probe(
    cases: Sequence[Case], results: Results, name: str, toolchain: Toolchain, folder: Path,
    interpreter: Callable[[str, Toolchain], Path], progress: Progress, limit_s: float,
) -> dict[str, Stages]:  # fmt: skip
    from trtbuild.workers.prober import Prober, Question, ask_all

    records = Records(folder / f"probed-{name}.jsonl")
    toolchain_words = [toolchain.flavour, toolchain.version, list(toolchain.requirements)]
    found: dict[str, Stages] = {}
    keys, questions = {}, {}
    for case in cases:
        about = results.examined[case.id]
        if "graph" not in about:
            continue
        tf32 = case.lowering.tf32
        keys[case.id] = identity.probe_key(
            about["graph"], about["shapes"], about["profiles"], toolchain_words, tf32=tf32
        )
        record = records.get(keys[case.id])
        if record is not None:
            found[case.id] = stages_of(record)
        else:
            model = folder / "graphs" / f"{about['graph']}.onnx"
            questions[case.id] = Question(model, about["shapes"], about["profiles"], tf32=tf32, every=False)
    if not questions:
        return found
    python = interpreter(name, toolchain)
    count = min(cores(), MOST_WORKERS, 1 + len(questions) // PROBERS_PAY_FROM)
    with ExitStack() as stack:
        probers = [
            stack.enter_context(Prober(python, toolchain.flavour, toolchain.version,
                                       supported=toolchain.compute_capabilities, limit_s=limit_s))
            for _ in range(count)
        ]  # fmt: skip
        for case_id, answer in zip(questions, ask_all(probers, questions.values()), strict=True):
            stages = of_answer(answer)
            if answer.outcome != "timeout":
                records.put(keys[case_id], {stage: told.as_dict() for stage, told in stages.items()})
            found[case_id] = stages
            results.made_anew += 1
            progress(f"built with {name}", len(found), len(keys))
    if len(keys) >= WHOLE:
        records.tidy(set(keys.values()))
    return found
