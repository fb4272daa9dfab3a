"""Outcomes of the failing graph and of its controls, by TensorRT version and precision: rows, and matrix.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import LowerError, ModelError, PlaceError
from trtbuild.bugreport import controls, environment
from trtbuild.bugreport.environment import Environment
from trtbuild.config import named
from trtbuild.core.complaint import PHRASES
from trtbuild.core.spec import Lowering, Target, Toolchain
from trtbuild.reducing import failinggraph
from trtbuild.reducing.faults import LoweringFault, TensorrtFault, dynamic_inputs
from trtbuild.reducing.reproducer import Reproducer
from trtbuild.reducing.smallgraph import Say
from trtbuild.workers.prober import Answer, Profiles, Question

if TYPE_CHECKING:
    import onnx

Scrub = Callable[[str], str]
COLUMNS = ("graph", "precision", "tensorrt", "version", "gpu", "outcome", "says", "first_bad", "last_good")
NOT_TRIED = "not tried"
OK = "builds"
MATCH, DIFFER, LESS = "values match", PHRASES["mismatch"], "mismatch of values, but less"
LONGEST = 200


@dataclass(frozen=True)
class Row:
    graph: str
    precision: str
    tensorrt: str
    version: str
    gpu: str
    outcome: str
    says: str = ""
    first_bad: str = ""
    last_good: str = ""


@dataclass(frozen=True)
class Entry:
    """One graph of the table; ``why_not`` says why there is no graph in that precision."""

    graph: str
    precision: str
    model: onnx.ModelProto | None = None
    why_not: str = ""
    only: str = ""  # a version; "" for all


def measure(
    reproducer: Reproducer, versions: Mapping[str, Toolchain], about: Environment, folder: Path, install: bool,
    scrub: Scrub, say: Say,
) -> tuple[list[Row], int]:  # fmt: skip
    """Every row, and the number of near misses that were tried."""
    import onnx

    subject = reproducer.subject
    gpu = environment.where(about)
    entries = in_precisions(
        "the failing graph", reproducer.model, subject.lowering, named.packaged_precisions().values()
    )
    if not isinstance(reproducer.fault, TensorrtFault):
        rows = _ask(reproducer, versions, entries, gpu, folder, install, scrub, say)
        return [*_compared(reproducer, gpu), *with_ends(rows)], len(subject.neighbours)
    say("looking for near misses that build")
    asking = TensorrtFault(
        reproducer.prober.ask, reproducer.small.failure, frozenset(), folder, reproducer.profiles, subject.tf32
    )
    near, tried = controls.passing(reproducer.model, lambda model: asking.answer(model).outcome == "ok")
    for control in near:
        entries.append(Entry(f"control: {control.how}", subject.precision, control.model, only=subject.version))
    for title, neighbour in subject.neighbours.items():
        model = onnx.load(neighbour.graph)
        entries.append(Entry(f"control: {title}", subject.precision, model, only=subject.version))
    rows = _ask(reproducer, versions, entries, gpu, folder, install, scrub, say)
    passed = [row for row in rows if not row.graph.startswith("control") or row.outcome == OK]
    return with_ends(passed), tried + len(subject.neighbours)


def _ask(
    reproducer: Reproducer, versions: Mapping[str, Toolchain], entries: list[Entry], gpu: str, folder: Path,
    install: bool, scrub: Scrub, say: Say,
) -> list[Row]:  # fmt: skip
    profiles = {**reproducer.subject.profiles, **reproducer.profiles}
    return ask(entries, versions, reproducer.subject.target, profiles, tf32=reproducer.subject.tf32, gpu=gpu,
               folder=folder, install=install, scrub=scrub, say=say)  # fmt: skip


def _compared(reproducer: Reproducer, gpu: str) -> list[Row]:
    """Rows about values, which do not involve TensorRT: the failing graph, other precisions, other cases."""
    import onnxruntime

    subject, by = reproducer.subject, f"onnxruntime {onnxruntime.__version__}"
    says = reproducer.small.failure.words
    rows = [Row("the failing graph", subject.precision, "-", by, gpu, DIFFER, says)]
    packaged = (one for one in named.packaged_precisions().values() if one.kind in ("none", *_OTHERS))
    others = [one for one in packaged if one.precision != subject.precision]
    for other in others if isinstance(reproducer.fault, LoweringFault) else ():
        if other.kind != "none":
            outcome, says = _in_precision(reproducer, other)
            rows.append(Row("the failing graph", other.precision, "-", by, gpu, outcome, says))
    for title, neighbour in subject.neighbours.items():
        if neighbour.matches:
            rows.append(Row(f"control: {title}", subject.precision, "-", by, gpu, MATCH))
    return rows


def _in_precision(reproducer: Reproducer, lowering: Lowering) -> tuple[str, str]:
    """The failing graph in another precision, compared with the same tolerance: outcome and words."""
    fault = reproducer.fault
    assert isinstance(fault, LoweringFault)
    other = LoweringFault(lowering, reproducer.subject.tolerance, reproducer.feeds)
    try:
        says = other.compare(reproducer.small.model)
    except ModelError as error:
        return NOT_TRIED, error.what.partition(":")[0]
    if not says:
        return MATCH, ""
    return DIFFER if other.relative >= fault.least else LESS, says


_OTHERS = ("float16", "bfloat16", "int8")  # what every device that a target may have has


def in_precisions(graph: str, model: onnx.ModelProto, own: Lowering, others: Iterable[Lowering]) -> list[Entry]:
    """The graph as it is and, if it is in float32, in the other precisions."""
    import onnx

    from trtbuild.graphs import uncalibrated

    entries = [Entry(graph, own.precision, model)]
    if not own.plain:
        return entries
    for other in (one for one in others if one.kind in _OTHERS):
        name = other.precision
        copy = onnx.ModelProto.FromString(model.SerializeToString())
        try:
            uncalibrated.lower(copy, other)
            onnx.checker.check_model(copy)
        except LowerError as error:
            entries.append(Entry(graph, name, why_not=error.what.partition(":")[0]))
            continue
        except onnx.checker.ValidationError as error:
            entries.append(Entry(graph, name, why_not=f"no valid ONNX: {str(error).splitlines()[0]}"))
            continue
        same = copy.SerializeToString() == model.SerializeToString()
        entries.append(
            Entry(graph, name, None if same else copy, "nothing in it changes with the precision" if same else "")
        )
    return entries


def ask(
    entries: Sequence[Entry], versions: Mapping[str, Toolchain], target: Target, profiles: Profiles, *, tf32: bool,
    gpu: str, folder: Path, install: bool, scrub: Scrub, say: Say,
) -> list[Row]:  # fmt: skip
    """Rows in the order of entries; a version that cannot be installed is not tried."""
    rows = [Row(e.graph, e.precision, "-", "", gpu, NOT_TRIED, scrub(e.why_not)) for e in entries if e.model is None]
    for name, toolchain in versions.items():
        wanted = [entry for entry in entries if entry.model is not None and entry.only in ("", name)]
        if not wanted:
            continue
        say(f"asking {name}")
        try:
            with failinggraph.prober(name, toolchain, target, install=install) as prober:
                for entry in wanted:
                    answer = prober.ask(_question(entry, profiles, tf32, folder / "matrix.onnx"))
                    rows.append(row(entry, name, toolchain.version, gpu, answer, scrub))
        except PlaceError as error:
            said = scrub(error.what)
            rows += [Row(e.graph, e.precision, name, toolchain.version, gpu, NOT_TRIED, said) for e in wanted]
    order = {(entry.graph, entry.precision): i for i, entry in enumerate(entries)}
    return sorted(rows, key=lambda row: (order[row.graph, row.precision], _number(row.version)))


def _question(entry: Entry, profiles: Profiles, tf32: bool, path: Path) -> Question:
    assert entry.model is not None
    path.write_bytes(entry.model.SerializeToString())
    kept = {name: profiles[name] for name in dynamic_inputs(entry.model) if name in profiles}
    return Question(path, {}, kept, tf32=tf32, every=False)


def row(entry: Entry, name: str, version: str, gpu: str, answer: Answer, scrub: Scrub) -> Row:
    if answer.why:  # known refusals are due to a missing GPU, and say nothing about the version
        return Row(entry.graph, entry.precision, name, "", gpu, NOT_TRIED, f"{version}: {answer.why}")
    complaint = next(iter(answer.complaints), None)
    said = f"{complaint.op_type}: {complaint.words}" if complaint else "; ".join(answer.words)
    return Row(
        entry.graph,
        entry.precision,
        name,
        version,
        gpu,
        OK if answer.outcome == "ok" else PHRASES[answer.outcome],
        scrub(said)[:LONGEST],
    )


def with_ends(rows: Iterable[Row]) -> list[Row]:
    """The rows, each with the first failing and the last passing version of its graph and precision."""
    rows = list(rows)
    found = []
    for row in rows:
        same = (r for r in rows if (r.graph, r.precision) == (row.graph, row.precision) and r.version[:1].isdigit())
        own = sorted(same, key=lambda r: _number(r.version))
        bad = [r.tensorrt for r in own if r.outcome != OK]
        good = [r.tensorrt for r in own if r.outcome == OK]
        found.append(replace(row, first_bad=bad[0] if bad else "", last_good=good[-1] if good else ""))
    return found


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def text(rows: Iterable[Row]) -> str:
    """The file matrix.csv."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(row, column) for column in COLUMNS] for row in rows)
    return buffer.getvalue()
