"""One check, from captured graphs to a result: freeze, export, ask every version; the order is decided only here."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from trtbuild.base.errors import ExportError, LowerError, TrtbuildError, first_line
from trtbuild.base.thread import in_thread
from trtbuild.checker import options, pieces, shapes
from trtbuild.checker.advice import LATE
from trtbuild.checker.capture import Capture
from trtbuild.checker.exported import ExportedGraph
from trtbuild.checker.finder import Finder
from trtbuild.checker.options import Options
from trtbuild.checker.origins import Origins
from trtbuild.checker.probers import Probers
from trtbuild.checker.problem import Problem, settled
from trtbuild.checker.result import Result
from trtbuild.core.parserwarnings import advice
from trtbuild.workers.prober import Answer, Question

_ORDER = ("ok", "misread", "build", "parse", "timeout", "crash")


def guarded(work: Callable[[], Result], precision: str, *, raise_on_error: bool) -> Result:
    """Run a check in a thread of its own; what goes wrong becomes the result's ``error``, unless requested otherwise.

    TensorFlow and Keras keep default graph, device, name scope, strategy and counters per thread: none of the user's
    applies in there, and none is changed by it.
    """
    started = time.monotonic()
    try:
        return replace(in_thread(work), seconds=time.monotonic() - started)
    except Exception as error:  # a training goes on, whatever the checker does
        if raise_on_error:
            raise
        said, status = _say(error)
        return Result(precision=precision, seconds=time.monotonic() - started, error=said, exit_status=status)


def _say(error: Exception) -> tuple[str, int]:
    if isinstance(error, TrtbuildError) and error.exit_status != 70:
        return str(error), error.exit_status
    return f"a fault of the checker: {type(error).__name__}: {first_line(error)}", 70


def check(captures: Sequence[Callable[[], Capture]], how: Options) -> Result:
    """Check every graph; problems come in the order of graphs, and of stages in each.

    Raises:
        TrtbuildError: a version that cannot be asked, a graph that cannot be read.
    """
    problems: list[Problem] = []
    outcomes: dict[str, str] = {}
    titles = []
    versions = options.toolchains(how)
    with closing(Probers(versions, how, note=options.note)) as probers:
        for make in captures:
            with quiet():
                capture = make()
            titles.append(capture.title)
            with _folder() as folder:
                found, answers = _check_one(capture, how, probers, Path(folder))
            problems += found
            _worst(outcomes, answers)
        raise_failed(probers)
    ordered = {name: outcomes.get(name, "not asked") for name in versions}
    return Result(*settled(problems, ordered), how.lowering.precision, tuple(titles), lowering=how.lowering)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="trt-checker-", ignore_cleanup_errors=True)


def _worst(outcomes: dict[str, str], answers: dict[str, Answer]) -> None:
    for version, answer in answers.items():
        old = outcomes.get(version, "ok")
        outcomes[version] = max(old, answer.outcome, key=_ORDER.index)


def raise_failed(probers: Probers) -> None:
    for error in probers.failed.values():
        raise error


def _check_one(
    capture: Capture, how: Options, probers: Probers, folder: Path
) -> tuple[list[Problem], dict[str, Answer]]:
    from trtbuild.checker import frozen, subgraph, usage
    from trtbuild.checker.exported import export

    origins = Origins(capture.graph, capture.layers, capture.loaded)
    strings = usage.strings(capture, origins)
    if tables := usage.tables(capture, origins):
        return [*strings, *tables], {}
    part = subgraph.cut_out(capture.graph, capture.inputs, capture.outputs, initialised=capture.initialised)
    problems = [*strings, *usage.problems(part, origins)]
    chosen = shapes.choose(part.shapes, how.profiles)
    problems += usage.shape_problems(part, chosen, origins)
    if chosen.unranked:
        return problems, {}
    silent: list[Problem] = []
    try:
        with quiet():
            stand_in = frozen.freeze(part)
            silent = usage.silent(stand_in.graph_def, origins)
            exported = export(stand_in, how.opset, chosen.concrete, folder)
    except ExportError as error:
        return [*problems, *silent, usage.export_failed(error)], {}
    finder = Finder(exported, origins)
    unknown = finder.unknown()
    problems += [*usage.told_once(silent, unknown), *unknown]
    found, answers = check_onnx(exported, finder, chosen, how, probers, folder)
    return [*problems, *found], answers


def check_onnx(
    exported: ExportedGraph, finder: Finder, chosen: shapes.Shapes, how: Options, probers: Probers, folder: Path,
    *, ready: bool = False,
) -> tuple[list[Problem], dict[str, Answer]]:  # fmt: skip
    """Write the graph in the requested precision, look at its constants, and ask every version.

    ``ready``: a file exported by somebody else may compute in any precision.
    """
    from trtbuild.checker import precision, trained
    from trtbuild.graphs import misreadings

    if exported.model is None:
        return [], {}
    problems = (
        []
        if ready
        else [*trained.problems(exported.model, how, finder), *precision.refuse_low(exported.model, how, finder)]
    )
    problems += trained.untrained(finder, exported.doubts)
    problems += precision.pitfalls(exported.model, how, finder)
    present = {value.name for value in exported.model.graph.input}
    try:
        path, notes = precision.written(exported.model, how, folder, finder)
    except LowerError as error:
        # No version is asked then, so what all of them would misread is looked up here.
        misread = [
            finder.noticed("misread", "error", c.node, c.op_type, c.words, advice(c.words))
            for c in misreadings.misread(exported.model)
        ]
        return [*problems, *misread, finder.noticed("precision", "error", "", "", error.what, error.hint)], {}
    concrete = {**chosen.concrete, **exported.extra}
    question = Question(
        path, {name: shape for name, shape in concrete.items() if name in present},
        {} if exported.static else {n: p for n, p in chosen.profiles.items() if n in present},
        tf32=how.lowering.tf32,
    )  # fmt: skip
    refused, answers = _ask(question, exported, finder, how, probers, folder)
    return [*problems, *notes, *refused, *precision.slower_than_fp16(how, answers)], answers


def _ask(
    question: Question, exported: ExportedGraph, finder: Finder, how: Options, probers: Probers, folder: Path
) -> tuple[list[Problem], dict[str, Answer]]:
    """First the whole graph in all versions at once; then, version by version, what a refusal hid."""
    deadline = time.monotonic() + how.limit_s
    answers = {}
    for version, answer in probers.ask(question).items():

        def ask(one: Question, version: str = version) -> Answer:
            return probers.ask_one(version, one)

        answers[version] = pieces.ask_through(ask, question, answer, folder, deadline, exported.shapes)
    found = [*finder.refused(answers), *finder.warned(answers)]
    return [replace(p, rule=f"{p.stage}/timeout") if LATE in p.words else p for p in found], answers


@contextmanager
def quiet() -> Iterator[None]:
    """No log or warning of ours reaches the user's handlers, which are afterwards as they were.

    tf2onnx calls ``logging.warning``, which gives a root logger without handlers one.
    """
    root, exporter = logging.getLogger(), logging.getLogger("tf2onnx")
    handlers, propagate = list(root.handlers), exporter.propagate
    exporter.propagate = False
    if not handlers:
        root.addHandler(logging.NullHandler())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.propagate = propagate
        root.handlers[:] = handlers
