"""What a check found: problems with their places, and the outcome; values only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from trtbuild.core.spec import Lowering

Stage = Literal["export", "precision", "parse", "misread", "build"]
Severity = Literal["error", "warning", "note"]
SCHEMA_VERSION = 2
# Fake quantisation, all of which goes in one rewrite, and the advice on it.
FAKE_QUANTISATION = (
    "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel",
    "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4", "QuantizeV2", "Dequantize",
)  # fmt: skip
QAT = "give it 8 bits, float32 and a range that is a constant of the trained model, as int8 has"


@dataclass(frozen=True)
class Problem:
    """One finding.

    ``op`` and ``op_type`` are TensorFlow's, ``node`` and ``node_type`` ONNX's; each is empty where there is none.
    ``file`` and ``line`` are where the operation was made in the user's code; where that is not known ``file`` is empty
    and ``place_note`` says why.  ``words`` are the tool's own, ``versions`` those of TensorRT that have the problem
    (all that were asked, where it is the exporter's).  ``also`` are further operations of the same type and place, of
    which the same is said.
    """

    stage: Stage
    severity: Severity
    op: str
    op_type: str
    words: str
    advice: str
    scope: str = ""
    layer: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    code: str = ""
    place_note: str = ""
    node: str = ""
    node_type: str = ""
    versions: tuple[str, ...] = ()
    rule: str = ""
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """TensorFlow's operation, or ONNX's node where there is none."""
        return self.op or self.node

    @property
    def where(self) -> str:
        """``file:line``, or why there is none."""
        return f"{self.file}:{self.line}" if self.file else self.place_note


@dataclass(frozen=True)
class Findings:
    """True when nothing speaks against the conversion: no problem of severity "error", and the check ran to its end.

    ``error`` is why there was no check: nothing registered, a TensorRT that is missing, a fault of the checker.
    ``outcomes``: by version, "ok" where no error holds for it; else "crash", "timeout", the stage of an error, or
    "not asked" (nothing was left).
    """

    problems: tuple[Problem, ...] = ()
    outcomes: Mapping[str, str] = field(default_factory=dict)
    precision: str = "fp32"
    graphs: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""
    exit_status: int = 0  # of ``error``, as the command line has it
    lowering: Lowering | None = None  # what ``precision`` is in conf; None where there was no check

    def __bool__(self) -> bool:
        return not self.error and not self.errors

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps the network from converting."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def late(self) -> bool:
        """The only thing against it is that TensorRT did not answer within ``limit_s``."""
        return bool(self.errors) and all(problem.rule.endswith("/timeout") for problem in self.errors)

    @property
    def by_version(self) -> dict[str, tuple[Problem, ...]]:
        """The problems of each version that was asked; those of the exporter count for all."""
        return {v: tuple(p for p in self.problems if not p.versions or v in p.versions) for v in self.outcomes}

    def _lowering(self) -> dict[str, object] | None:
        if self.lowering is None:
            return None
        left_out = ("precision", "calibration", "qat")
        return {key: value for key, value in asdict(self.lowering).items() if key not in left_out}

    def document(self) -> dict[str, object]:
        return {
            "schema_version": SCHEMA_VERSION, "converts": bool(self), "error": self.error,
            "precision": self.precision, "lowering": self._lowering(),
            "outcomes": dict(self.outcomes), "graphs": list(self.graphs),
            "seconds": round(self.seconds, 3), "problems": [asdict(problem) for problem in self.problems],
        }  # fmt: skip


def settled(problems: Iterable[Problem], outcomes: Mapping[str, str]) -> tuple[tuple[Problem, ...], dict[str, str]]:
    """Problems with the versions they hold for, each once, and outcomes that are "ok" where no error holds.

    What TensorRT never saw (an operation that was cut out before) fails all the same.
    """
    told = tuple(p if p.versions else replace(p, versions=tuple(outcomes)) for p in problems)
    found = dict(outcomes)
    for problem in told:
        for version in problem.versions:
            if problem.severity == "error" and found.get(version) == "ok":
                found[version] = problem.stage
    return _each_once(told), found


def _each_once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Operations of one type in one place with the same complaint are one problem, as is all fake quantisation."""
    merged: dict[tuple[object, ...], Problem] = {}
    for problem in problems:
        where = (problem.severity, problem.file, problem.line, problem.place_note)
        if problem.stage == "export" and problem.severity == "error" and problem.op_type in FAKE_QUANTISATION:
            key: tuple[object, ...] = (*where, QAT)
            problem = replace(problem, advice=QAT)
        else:
            words = problem.words.replace(problem.node or problem.op, "") if problem.name else problem.words
            key = (*where, problem.stage, problem.op_type or problem.node_type, problem.rule, words, problem.versions)
        first = merged.setdefault(key, problem)
        if first is not problem:
            also = tuple(dict.fromkeys(name for name in (*first.also, problem.name) if name not in ("", first.name)))
            versions = tuple(dict.fromkeys((*first.versions, *problem.versions)))
            merged[key] = replace(first, also=also, versions=versions)
    return tuple(merged.values())
