"""The rows of a report's matrix: what each version, precision and near miss comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ModelError
from trtbuild.bugreport import controls, environment, matrix
from trtbuild.config import named
from trtbuild.core.spec import Lowering, Toolchain
from trtbuild.reducing.faults import LoweringFault, TensorrtFault
from trtbuild.reducing.reproducer import Reproducer

Say = Callable[[str], None]


def measure(
    found: Reproducer, versions: Mapping[str, Toolchain], about: Mapping[str, Any], folder: Path, install: bool,
    scrub: Callable[[str], str], say: Say,
) -> tuple[list[matrix.Row], int]:  # fmt: skip
    import onnx

    subject = found.subject
    gpu = environment.where(about)
    entries = matrix.in_precisions(
        "the failing graph", found.model, subject.lowering, named.packaged_precisions().values()
    )
    if not isinstance(found.fault, TensorrtFault):
        rows = _ask(found, versions, entries, gpu, folder, install, scrub, say)
        return [*_compared(found, gpu), *matrix.with_ends(rows)], len(subject.neighbours)
    say("looking for near misses that build")
    asking = TensorrtFault(found.prober.ask, found.small.failure, frozenset(), folder, found.profiles, subject.tf32)
    near, tried = controls.passing(found.model, lambda model: asking.answer(model).outcome == "ok")
    for control in near:
        entries.append(matrix.Entry(f"control: {control.how}", subject.precision, control.model, only=subject.version))
    for title, neighbour in subject.neighbours.items():
        model = onnx.load(neighbour.graph)
        entries.append(matrix.Entry(f"control: {title}", subject.precision, model, only=subject.version))
    rows = _ask(found, versions, entries, gpu, folder, install, scrub, say)
    passed = [row for row in rows if not row.graph.startswith("control") or row.outcome == matrix.OK]
    return matrix.with_ends(passed), tried + len(subject.neighbours)


def _ask(
    found: Reproducer, versions: Mapping[str, Toolchain], entries: list[matrix.Entry], gpu: str, folder: Path,
    install: bool, scrub: Callable[[str], str], say: Say,
) -> list[matrix.Row]:  # fmt: skip
    profiles = {**found.subject.profiles, **found.profiles}
    return matrix.ask(entries, versions, profiles, tf32=found.subject.tf32, gpu=gpu, folder=folder, install=install,
                      scrub=scrub, say=say)  # fmt: skip


def _compared(found: Reproducer, gpu: str) -> list[matrix.Row]:
    """Verdicts on values, which no TensorRT has a part in: of the failing graph, other precisions, other cases."""
    import onnxruntime

    subject, by = found.subject, f"onnxruntime {onnxruntime.__version__}"
    says = found.small.failure.words
    rows = [matrix.Row("the failing graph", subject.precision, "-", by, gpu, matrix.DIFFER, says)]
    others = [one for one in named.packaged_precisions().values() if one.precision != subject.precision]
    for other in others if isinstance(found.fault, LoweringFault) else ():
        if other.kind != "none":
            verdict, says = _in_precision(found, other)
            rows.append(matrix.Row("the failing graph", other.precision, "-", by, gpu, verdict, says))
    for title, neighbour in subject.neighbours.items():
        if neighbour.matches:
            rows.append(matrix.Row(f"control: {title}", subject.precision, "-", by, gpu, matrix.MATCH))
    return rows


def _in_precision(found: Reproducer, lowering: Lowering) -> tuple[str, str]:
    """The failing graph in another precision, by the same tolerance: verdict and words."""
    fault = found.fault
    assert isinstance(fault, LoweringFault)
    other = LoweringFault(lowering, found.subject.tolerance, found.feeds)
    try:
        says = other.compare(found.small.model)
    except ModelError as error:
        return matrix.NOT_TRIED, error.what.partition(":")[0]
    if not says:
        return matrix.MATCH, ""
    return matrix.DIFFER if other.relative >= fault.least else matrix.LESS, says
