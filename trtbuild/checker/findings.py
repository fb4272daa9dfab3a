"""Tools' complaints to problems of the user's operations; the same complaint of several versions is one problem."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trtbuild.checker.advice import advise, another_version
from trtbuild.checker.exporting import Exported
from trtbuild.checker.origins import Origins
from trtbuild.checker.result import Problem, Severity, Stage
from trtbuild.probing import Answer, Complaint

CONTRACT_ADVICE = "cast it to float32 before the network, or declare it so"
_STAGES: Mapping[str, Stage] = {"parse": "parse", "build": "build", "contract": "precision"}


class Finder:
    """Makes problems of one exported graph."""

    def __init__(self, exported: Exported, origins: Origins | None) -> None:
        self._exported, self._origins = exported, origins
        self._clean = _cleaner(exported.ops) if exported.ops else None

    @property
    def nodes(self) -> Mapping[str, Mapping[str, str]]:
        """ONNX node -> its TensorFlow operation."""
        return self._exported.nodes

    def unknown(self) -> list[Problem]:
        """Operations that ONNX has no form for."""
        found = []
        for node in self._exported.unknown:
            words = node.reason or f"tf2onnx: TensorFlow operation {node.kind} is not supported"
            found.append(self._problem("export", node.name, node.kind, "", node.kind, words))
        return found

    def refused(self, answers: Mapping[str, Answer]) -> list[Problem]:
        """What the versions refuse, each problem once."""
        merged: dict[tuple[str, ...], Problem] = {}
        for version, answer in answers.items():
            for complaint in answer.complaints or self._whole(answer):
                problem = self._of(complaint, answer)
                key = (problem.stage, problem.op, problem.node, problem.node_type)
                if key in merged:
                    merged[key] = replace(merged[key], versions=(*merged[key].versions, version))
                else:
                    merged[key] = replace(problem, versions=(version,))
        return [self._with_version_advice(problem, answers) for problem in merged.values()]

    @staticmethod
    def _whole(answer: Answer) -> Iterable[Complaint]:
        """A refusal of the whole graph, of which TensorRT names no node."""
        if answer.verdict in ("parse_fail", "build_fail", "refused"):
            words = answer.why or (answer.words[0] if answer.words else "TensorRT gave no reason")
            yield Complaint("", "", answer.stage, words)

    def _of(self, complaint: Complaint, answer: Answer) -> Problem:
        stage = _STAGES.get(complaint.stage, "parse")
        entry = self._exported.nodes.get(complaint.node)
        op, kind = (entry["op"], entry["type"]) if entry else (complaint.node, "")
        problem = self._problem(stage, op, kind, complaint.node, complaint.op_type, complaint.words)
        if complaint.stage == "contract":
            return replace(problem, advice=CONTRACT_ADVICE)
        return replace(problem, words=f"{answer.why}: {complaint.words}") if answer.why else problem

    def _problem(
        self, stage: Stage, op: str, op_type: str, node: str, node_type: str, words: str, severity: Severity = "error"
    ) -> Problem:
        op_type = op_type or self._exported.ops.get(op, "")
        place, note = self._origins.place(op) if self._origins is not None and op else (None, "")
        name = self._clean.name(op) if self._clean is not None and op in self._exported.ops else op
        return Problem(
            stage=stage, severity=severity, op=name if op_type else "", op_type=op_type, words=words,
            advice=advise(op_type, node_type, words, stage=stage), scope=name.rpartition("/")[0],
            layer=self._origins.layer(op) if self._origins is not None else "",
            file=place.file if place else "", line=place.line if place else 0,
            function=place.function if place else "", code=place.code if place else "",
            place_note=note, node=node or op, node_type=node_type, rule=f"{stage}/{op_type or node_type or 'graph'}",
        )  # fmt: skip

    def noticed(self, stage: Stage, severity: Severity, node: str, node_type: str, words: str, advice: str) -> Problem:
        """A finding of our own about an ONNX node, or about the graph where ``node`` is empty."""
        entry = self._exported.nodes.get(node)
        op, kind = (entry["op"], entry["type"]) if entry else (node, "")
        return replace(self._problem(stage, op, kind, node, node_type, words, severity), advice=advice)

    @staticmethod
    def _with_version_advice(problem: Problem, answers: Mapping[str, Answer]) -> Problem:
        """A version among the asked ones that got as far and did not complain of this is the better advice."""
        far = ("ok", "build_fail", "parse_fail") if problem.stage == "parse" else ("ok", "build_fail")
        works = [v for v, answer in answers.items() if answer.verdict in far and v not in problem.versions]
        newer = another_version(works[-1:])
        return replace(problem, advice=f"{newer}; or {problem.advice}") if newer else problem


def _cleaner(ops: Mapping[str, str] | Sequence[str]) -> Any:
    from trtbuild.kit.scopes import Cleaner

    return Cleaner(ops)
