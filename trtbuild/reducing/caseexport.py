"""A job that exports one case of the suite, runs it in TensorFlow, and exports its neighbours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.core.job import Job
from trtbuild.reducing.suitecase import ExportedCase
from trtbuild.suite import examination, worker
from trtbuild.suite.case import Case
from trtbuild.suite.collection import collect

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

    Feeds = dict[str, Array]
    Source = examination.Traced | None


def run(job: Job) -> None:
    cases, folder = collect(worker.root_of(job)), Path(job.out)
    name, *others = job.params["ids"]
    worker.calm()
    exported: ExportedCase = {"failed": "", "shapes": {}, "profiles": {}, "neighbours": {}}
    try:
        _export(cases[name], folder, exported)
    except Exception as error:  # the case's own function, and TensorFlow under it, raise anything
        exported["failed"] = f"{type(error).__name__}: {examination.first_line(error)}"
    for i, other in enumerate(others if not exported["failed"] else ()):
        try:
            source, _, lowered, feeds = _graphs(cases[other])
            result, _ = examination.compare_case(cases[other], source, lowered, feeds)
        except Exception:  # a case that cannot be exported is not a control
            continue
        (folder / f"neighbour{i}.onnx").write_bytes(lowered.SerializeToString())
        exported["neighbours"][cases[other].title] = {"file": f"neighbour{i}.onnx", "matches": result == "yes"}
    job.write_json("exported.json", exported)


def _graphs(case: Case) -> tuple[Source, onnx.ModelProto, onnx.ModelProto, list[Feeds]]:
    from trtbuild.suite.authoring import forget_layers

    forget_layers()
    source, model = examination.import_case(case) if case.onnx else examination.export_case(case)
    feeds = [examination.feeds_at(case, point) for point in range(len(examination.points(case)))]
    return source, model, examination.lower_case(case, model, feeds), feeds


def _export(case: Case, folder: Path, exported: ExportedCase) -> None:
    source, model, lowered, feeds = _graphs(case)
    (folder / "exported.onnx").write_bytes(model.SerializeToString())
    (folder / "lowered.onnx").write_bytes(lowered.SerializeToString())
    given, wanted = _references(case, source, lowered, feeds)
    there = {value.name for value in lowered.graph.input}
    _save(folder / "feeds.npz", {name: value for name, value in given.items() if name in there})
    made = {value.name for value in lowered.graph.output}
    _save(folder / "golden.npz", {n if n in made else f"{n}_output": value for n, value in wanted.items()})
    about = examination.questions(case, lowered)
    exported["shapes"], exported["profiles"] = about["shapes"], about["profiles"]


def _references(case: Case, source: Source, lowered: onnx.ModelProto, feeds: list[Feeds]) -> tuple[Feeds, Feeds]:
    """Inputs and TensorFlow's outputs, at the first point of the profiles where they deviate."""
    from trtbuild.base.errors import TrtbuildError
    from trtbuild.runtimes.onnxruntime import session_of
    from trtbuild.suite.comparison import difference

    golden = case.onnx.with_suffix(".npz") if case.onnx else None
    if golden is not None:
        return examination.read_golden(golden, case) if golden.is_file() else (feeds[0], {})
    first: tuple[Feeds, Feeds] = (feeds[0], {})
    for given in feeds:
        try:
            wanted = examination.run_tensorflow(source, given)
            if given is feeds[0]:
                first = (given, wanted)
            session = session_of(lowered, case.id)
            have = session.run({name: value for name, value in given.items() if name in session.inputs})
        except (examination._NotHere, TrtbuildError):
            break
        if any(difference(v, have[examination.output_name(n, have)], case.tolerance) for n, v in wanted.items()):
            return given, wanted
    return first


def _save(path: Path, arrays: Feeds) -> None:
    """Types unknown to numpy (bfloat16) would be read back as mere bytes; float32 holds each of their values."""
    import numpy as np

    from trtbuild.arrays.arrayfile import write_npz

    write_npz(path, {n: v.astype(np.float32) if v.dtype.kind == "V" else v for n, v in arrays.items()}, texts=True)
