"""A job that exports one case of the suite, runs it in TensorFlow, and exports its neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trtbuild.core.job import Job
from trtbuild.suite import exporting, worker
from trtbuild.suite.case import Case
from trtbuild.suite.collecting import collect


def run(job: Job) -> None:
    cases, folder = collect(worker.root_of(job)), Path(job.out)
    name, *others = job.params["ids"]
    worker.calm()
    about: dict[str, Any] = {"failed": "", "neighbours": {}}
    try:
        about |= _own(cases[name], folder)
    except Exception as error:  # the case's own function, and TensorFlow under it, raise anything
        about["failed"] = f"{type(error).__name__}: {exporting.first_line(error)}"
    for i, other in enumerate(others if not about["failed"] else ()):
        try:
            source, _, lowered, feeds = _graphs(cases[other])
            verdict, _ = exporting.compare_case(cases[other], source, lowered, feeds)
        except Exception:  # one that cannot be exported is no control
            continue
        (folder / f"neighbour{i}.onnx").write_bytes(lowered.SerializeToString())
        about["neighbours"][cases[other].title] = {"file": f"neighbour{i}.onnx", "matches": verdict == "yes"}
    job.write_json("about.json", about)


def _graphs(case: Case) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
    from trtbuild.suite.authoring import forget_layers

    forget_layers()
    source, model = exporting.import_case(case) if case.onnx else exporting.export_case(case)
    feeds = [exporting.feeds_at(case, point) for point in range(len(exporting.points(case)))]
    return source, model, exporting.lower_case(case, model, feeds), feeds


def _own(case: Case, folder: Path) -> dict[str, Any]:
    source, model, lowered, feeds = _graphs(case)
    (folder / "exported.onnx").write_bytes(model.SerializeToString())
    (folder / "lowered.onnx").write_bytes(lowered.SerializeToString())
    given, wanted = _references(case, source, lowered, feeds)
    there = {value.name for value in lowered.graph.input}
    _save(folder / "feeds.npz", {name: value for name, value in given.items() if name in there})
    made = {value.name for value in lowered.graph.output}
    _save(folder / "golden.npz", {n if n in made else f"{n}_output": value for n, value in wanted.items()})
    return exporting.questions(case, lowered)


def _references(
    case: Case, source: Any, lowered: Any, feeds: list[dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and TensorFlow's outputs, at the first point of the profiles where they deviate."""
    from trtbuild.base.errors import TrtbuildError
    from trtbuild.runtimes.onnxruntime import session_of
    from trtbuild.suite.comparing import difference

    golden = case.onnx.with_suffix(".npz") if case.onnx else None
    if golden is not None:
        return exporting.read_golden(golden, case) if golden.is_file() else (feeds[0], {})
    first: tuple[dict[str, Any], dict[str, Any]] = (feeds[0], {})
    for given in feeds:
        try:
            wanted = exporting.run_tensorflow(source, given)
            if given is feeds[0]:
                first = (given, wanted)
            session = session_of(lowered, case.id)
            have = session.run({name: value for name, value in given.items() if name in session.inputs})
        except (exporting._NotHere, TrtbuildError):
            break
        if any(difference(v, have[exporting.output_name(n, have)], case.tolerance) for n, v in wanted.items()):
            return given, wanted
    return first


def _save(path: Path, arrays: dict[str, Any]) -> None:
    """Types that numpy has not (bfloat16) would be read back as mere bytes: float32 holds each of their values."""
    import numpy as np

    np.savez(path, **{n: v.astype(np.float32) if v.dtype.kind == "V" else v for n, v in arrays.items()})
