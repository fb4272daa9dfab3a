"""The four stages of a case with one TensorRT version, each with its own result; TensorRT's answer is two of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypedDict

from trtbuild.core.parserwarnings import meaning
from trtbuild.workers.prober import Answer

StageName = Literal["exports", "parses", "builds", "matches"]
StageResult = Literal["yes", "no", "crash", "timeout", "untested"]
STAGES: tuple[StageName, ...] = ("exports", "parses", "builds", "matches")
MOST_WORDS = 600
# What TensorRT adds to any failure where there is no driver: it says nothing about the graph.
_AFTERSHOCK = re.compile(r";? ?\[checkMacros\.cpp::catchCudaError::\d+\] Error Code 1: Cuda Runtime \([^)]*\)")


class _Result(TypedDict):
    result: StageResult


class StageDocument(_Result, total=False):
    """A stage in records and in ``suite.json``."""

    says: str
    node: str
    kind: str


@dataclass(frozen=True)
class Stage:
    """``says``: the tool's own words where the result is not yes; ``node``: the ONNX node they are about.

    ``kind``: of the problem where TensorRT refuses: "parse", "misread" or "build".
    """

    result: StageResult
    says: str = ""
    node: str = ""
    kind: str = ""

    def document(self) -> StageDocument:
        """Without what it does not say."""
        said: StageDocument = {"result": self.result}
        if self.says:
            said["says"] = self.says
        if self.node:
            said["node"] = self.node
        if self.kind:
            said["kind"] = self.kind
        return said


Stages = dict[StageName, Stage]
UNREACHED = Stage("untested")


def stages_of(found: Mapping[StageName, StageDocument]) -> Stages:
    """Stages as they are kept in a record."""
    return {name: Stage(**said) for name, said in found.items()}


def of_answer(answer: Answer) -> Stages:
    """What TensorRT said of a graph, as the stages ``parses`` and ``builds``."""
    says, node = _words(answer)
    if answer.outcome == "ok":
        return {"parses": Stage("yes"), "builds": Stage("yes", _warned(answer))}
    if answer.outcome == "crash" or answer.outcome == "timeout":
        died = Stage(answer.outcome, says)
        return {"parses": Stage("yes"), "builds": died} if answer.stage == "building" else {"parses": died}
    refused = Stage("no", says, node, answer.outcome)
    return {"parses": refused} if answer.outcome == "parse" else {"parses": Stage("yes"), "builds": refused}


def _warned(answer: Answer) -> str:
    """What TensorRT warned of on the way to an engine, or may compute differently without a warning."""
    said = [(one, found[0]) for one in answer.warnings if (found := meaning(one))]
    return shorten("; ".join(dict.fromkeys(f"{one.op_type} {one.node}: {what}".lstrip(": ") for one, what in said)))


def _words(answer: Answer) -> tuple[str, str]:
    node = answer.complaints[0] if answer.complaints else None
    # What it means where that is known, and TensorRT's own words, which a bug report needs.
    own = f"{node.op_type}: {node.words}" if node is not None and node.op_type else "; ".join(answer.words)
    said = _AFTERSHOCK.sub("", " ".join(f"{answer.why}: {own}".split()) if answer.why else " ".join(own.split()))
    return shorten(said), node.node if node is not None else ""


def shorten(words: str) -> str:
    """One line of at most 600 characters."""
    words = " ".join(words.split())
    return words if len(words) <= MOST_WORDS else f"{words[: MOST_WORDS - 1]}…"


def overall(stages: Stages) -> str:
    """One word for a table: "ok", or the first stage that is not yes and how.

    >>> overall({"exports": Stage("yes"), "parses": Stage("crash")})
    'parses: crash'
    """
    for name in STAGES:
        result = stages.get(name, UNREACHED).result
        if result not in ("yes", "untested"):
            return f"{name}: {result}"
    return "ok"
