"""The graph in which a subject fails: TensorRT is asked first, then values are compared, as in a conversion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.core.spec import Target, Toolchain
from trtbuild.reducing import graphvalues
from trtbuild.reducing.failure import WANTED, Failure, choose
from trtbuild.reducing.faults import Ask, Fault, LoweringFault, SourceFault, TensorrtFault, all_names
from trtbuild.reducing.sourceparts import worst_part
from trtbuild.reducing.subject import Subject
from trtbuild.toolchains.request import ToolchainRequest
from trtbuild.workers.prober import Prober

if TYPE_CHECKING:
    import onnx

AS_BAD = 0.5  # share of the whole graph's relative error that a part must have to show the same fault
QUESTION_S = 60.0  # for one question to TensorRT


@dataclass(frozen=True)
class FailingGraph:
    """``model`` shows ``fault``; ``whole`` is the graph that it is a part of, if any.

    ``others``: further failures of that graph.
    """

    fault: Fault
    model: onnx.ModelProto
    whole: onnx.ModelProto | None = None
    others: tuple[Failure, ...] = ()


@contextmanager
def prober(
    name: str, toolchain: Toolchain, target: Target, *, install: bool, limit_s: float = QUESTION_S
) -> Iterator[Prober]:
    """A process of one TensorRT version that compiles for a target; it is installed if that is allowed.

    Raises:
        ToolchainError: the version is not installed.
    """
    with Prober(interpreter(name, toolchain, install=install), toolchain.flavour, toolchain.version,
                supported=toolchain.compute_capabilities, limit_s=limit_s,
                compute_capabilities=target.compute_capabilities) as made:  # fmt: skip
        yield made


def interpreter(name: str, toolchain: Toolchain, *, install: bool) -> Path:
    """The Python in which a version is installed; raises ToolchainError if there is none."""
    from trtbuild import toolchains
    from trtbuild.checker.options import note

    want = ToolchainRequest(toolchain.flavour, toolchain.version, tuple(toolchain.requirements), name)
    return toolchains.interpreter(want, install=install, note=note)


def wanted_kind(words: str) -> str:
    if words and words not in WANTED:
        from trtbuild.base.text import did_you_mean

        raise ConfigError(f"'{words}' is not a kind of failure", where="--for", hint=did_you_mean(words, WANTED))
    return words


def find(subject: Subject, ask: Ask, wanted: str, folder: Path) -> FailingGraph:
    """The first failure of the ``wanted`` kind ("" for any kind).

    Raises:
        ConfigError: it does not fail, or not in that way, so there is nothing to reduce.
        ToolchainError: it fails because there is no GPU.
    """
    target = Failure("build", "", "", "", "")
    fault = TensorrtFault(ask, target, all_names(subject.model), folder, subject.profiles, subject.lowering.tf32)
    failures = () if wanted == "mismatch" else fault.look(subject.model)
    lacking = next((failure.why for failure in failures if failure.why), "")
    if lacking:
        raise ToolchainError(f"{lacking}: that is not a fault of the graph", where=f"tensorrt={subject.version}",
                             hint="ask on a machine with a GPU, or choose another version")  # fmt: skip
    chosen = choose(failures, wanted)
    if chosen is not None:
        fault.target = fault.seen = chosen
        return FailingGraph(fault, subject.model, others=tuple(f for f in failures if f != chosen))
    if wanted == "mismatch" or (not wanted and subject.compare):
        found = _mismatch(subject, folder)
        if found is not None:
            return found
    raise _nothing(subject, wanted, failures)


def _mismatch(subject: Subject, folder: Path) -> FailingGraph | None:
    if subject.golden:
        source = SourceFault(subject.feeds, subject.golden, subject.tolerance)
        if source.shows(subject.exported):
            part = None
            if subject.source is not None:
                part = worst_part(subject.exported, subject.source, subject.feeds, subject.tolerance, folder)
            if part is None:
                return FailingGraph(source, subject.exported)
            return FailingGraph(part[1], part[0], subject.exported)
    if subject.lowering.plain:
        return None
    feeds = subject.feeds or graphvalues.random_feeds(subject.exported, subject.shapes)
    tensors = graphvalues.everything(subject.exported, feeds) or feeds
    lowering = LoweringFault(subject.lowering, subject.tolerance, tensors, scoped=subject.scoped)
    if not lowering.compare(subject.exported):  # raises if it cannot be compared, which is not a match
        return None
    lowering.shows(subject.exported)
    lowering.least = AS_BAD * lowering.relative
    return FailingGraph(lowering, subject.exported)


def _nothing(subject: Subject, wanted: str, failures: tuple[Failure, ...]) -> ConfigError:
    if failures:
        kinds = ", ".join(dict.fromkeys(failure.kind for failure in failures))
        what, hint = f"it does not fail in that way, but has: {kinds}", f"write --for {failures[0].kind}, or omit it"
    else:
        compared = "; its values are within the tolerance" if subject.golden or not subject.lowering.plain else ""
        asked = "it parses and builds" if wanted != "mismatch" else "no deviation is found"
        version = f" with tensorrt={subject.version}" if wanted != "mismatch" else ""
        what = f"nothing fails: {asked}{version}{compared if wanted != 'mismatch' else ''}"
        hint = "choose the version and precision in which it fails"
        if wanted == "mismatch" and not subject.golden and subject.lowering.plain:
            what = "an ONNX file in float32 has nothing to be compared with"
            hint = "write precision=fp16, bf16 or int8, or name a model with model=NAME"
    return ConfigError(what, where=subject.name, hint=hint)
