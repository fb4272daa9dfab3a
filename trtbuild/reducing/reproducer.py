"""One reduction from end to end: the subject, its fault, the small graph, and values to run that with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError
from trtbuild.base.workspace import Workspace, find_workspace, workspace_here
from trtbuild.reducing import failinggraph, graphvalues, smallgraph
from trtbuild.reducing.failure import Failure
from trtbuild.reducing.faults import Fault, LoweringFault, SourceFault, TensorrtFault
from trtbuild.reducing.smallgraph import Say, SmallGraph
from trtbuild.reducing.subject import Subject, of_file
from trtbuild.workers.prober import Prober, Profiles

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array


@dataclass(frozen=True)
class ReductionRequest:
    """What to reduce: a name (an ONNX file or, for ``bugreport``, a case of the suite), or "" and a variant.

    ``kind``: the kind of failure, "" for the first one.
    """

    verb: str
    name: str
    overrides: Sequence[str]
    kind: str = ""
    limit_s: float = smallgraph.LIMIT_S
    install: bool = True


@dataclass(frozen=True)
class Reproducer:
    """``model`` is what TensorRT is given; ``feeds`` and ``golden`` are its inputs and the outputs it should have.

    ``reference``: what computed ``golden``; "" if nothing can, and then ``unable`` says why.
    """

    subject: Subject
    small: SmallGraph
    fault: Fault
    model: onnx.ModelProto
    feeds: Mapping[str, Array]
    golden: Mapping[str, Array]
    reference: str
    unable: str
    profiles: Profiles
    others: tuple[Failure, ...]
    prober: Prober
    workspace: Workspace | None


def subject_of(request: ReductionRequest, folder: Path, workspace: Workspace | None, *, cases: bool) -> Subject:
    """What the request names.

    Raises:
        ConfigError: there is no such thing.
    """
    if not request.name:
        from trtbuild.reducing.configmodel import of_model

        return of_model(workspace or find_workspace(Path.cwd()), request.overrides, install=request.install)
    name = request.name
    if name.endswith(".onnx"):
        return of_file(Path(name), request.overrides)
    if not cases:
        hint = f"trtbuild {request.verb} model=NAME …, or trtbuild {request.verb} FILE.onnx"
        raise ConfigError(f"'{name}' is not an .onnx file", where=request.verb, hint=hint)
    from trtbuild.reducing import suitecase

    root = workspace.root if workspace else None
    return suitecase.of_case(suitecase.find(name, root), request.overrides, root, folder)


@contextmanager
def reproducer_of(request: ReductionRequest, say: Say, *, cases: bool) -> Iterator[Reproducer]:
    """Reduce what is requested; TensorRT's process remains for further questions.

    Raises:
        ConfigError: nothing fails.  PlaceError: the version is not here.  ModelError: it has no graph, or fails now and
            then.
    """
    workspace = workspace_here()
    wanted = failinggraph.wanted_kind(request.kind)
    with tempfile.TemporaryDirectory(prefix="trtbuild-reduce-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        subject = subject_of(request, folder, workspace, cases=cases)
        version = subject.versions[subject.version]
        with failinggraph.prober(subject.version, version, subject.target, install=request.install) as prober:
            found = failinggraph.find(subject, prober.ask, wanted, folder)
            say(f"{found.fault.target.kind} with tensorrt={subject.version}: {found.fault.seen.words}")
            feeds = subject.feeds if subject.case is not None else {}  # a user's data do not belong in a report
            small = smallgraph.shrink(
                found.model, found.fault, subject.shapes, feeds, whole=found.whole, limit_s=request.limit_s, say=say
            )
            yield _with_values(subject, small, found, prober, workspace)


def _with_values(
    subject: Subject, small: SmallGraph, found: failinggraph.FailingGraph, prober: Prober, workspace: Workspace | None
) -> Reproducer:
    fault, model, unable = found.fault, small.model, ""
    profiles = fault.profiles if isinstance(fault, TensorrtFault) else {}
    if isinstance(fault, LoweringFault):
        feeds = fault.feeds(model)
        golden, reference = graphvalues.outputs_of(model, feeds), "ONNX Runtime, of the graph in float32"
        model = fault.lowered(model)
    elif isinstance(fault, SourceFault):
        feeds, golden, reference = dict(fault.feeds), dict(fault.golden), "TensorFlow"
    else:
        shapes = {name: points[1] for name, points in profiles.items()}
        feeds, golden, unable = _random_run(model, shapes, small.indices)
        reference = "ONNX Runtime" if golden else ""
    present = {value.name for value in model.graph.input}
    feeds = {name: value for name, value in feeds.items() if name in present}
    kept = {name: points for name, points in profiles.items() if name in present}
    return Reproducer(
        subject, small, fault, model, feeds, golden, reference, unable, kept, found.others, prober, workspace
    )


def _random_run(
    model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]], indices: Mapping[str, Array]
) -> tuple[dict[str, Array], dict[str, Array], str]:
    """Random inputs and ONNX Runtime's outputs for them, or why there are none."""
    drawn = graphvalues.random_feeds(model, shapes)
    first = ""
    for feeds in [*graphvalues.tame(drawn), {**drawn, **indices}]:
        golden, unable = graphvalues.runs(model, feeds)
        if golden:
            return feeds, golden, ""
        first = first or unable
    return drawn, {}, first
