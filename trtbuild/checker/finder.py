"""Turns tools' complaints into problems of the user's operations; several versions' same complaint is one problem."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from trtbuild.checker.advice import advise, another_version
from trtbuild.checker.exported import ExportedGraph
from trtbuild.checker.origins import Origins
from trtbuild.checker.problem import Problem, Severity, Stage
from trtbuild.core.complaint import NEAR, Complaint, nearest, readers_of
from trtbuild.core.parserwarnings import SEED, UNUSED, advice, meaning
from trtbuild.workers.prober import Answer

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import Cleaner, NodeEntry

INPUT_ADVICE = "cast it to float32 before the network, or declare it so"
_INPUT = re.compile(r"input '(.+?)' is ")
# "(IConvolutionLayer NAME: …", "… failed. NAME has no runners that …"
_LAYER = re.compile(r"\(I\w+Layer ([^\s:]+):|(?<!\S)(\S+) has no runners")


class Finder:
    """Makes problems of one exported graph."""

    def __init__(self, exported: ExportedGraph, origins: Origins | None) -> None:
        self._exported, self._origins = exported, origins
        self._clean = _cleaner(exported.ops) if exported.ops else None

    @property
    def nodes(self) -> dict[str, NodeEntry]:
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
                # The exporter turns some operations into several nodes, and each may be refused: that is one problem.
                key = (problem.stage, problem.op or problem.node, problem.rule)
                if key not in merged:
                    merged[key] = replace(problem, versions=(version,))
                    continue
                known = merged[key]
                versions = tuple(dict.fromkeys((*known.versions, version)))
                words = known.words if problem.words in known.words or len(versions) > 1 else (
                    f"{known.words}; {problem.words}"
                )  # fmt: skip
                merged[key] = replace(known, versions=versions, words=words)
        return [self._with_version_advice(problem, answers) for problem in merged.values()]

    def warned(self, answers: Mapping[str, Answer]) -> list[Problem]:
        """What the versions warn of, or may compute differently without a warning, each once.

        Seeds are left out, and unused inputs of TensorFlow graphs: those are problems of their own (checker/usage.py).
        """
        merged: dict[tuple[str, ...], Problem] = {}
        known_otherwise = (SEED,) if self._origins is None else (SEED, UNUSED)
        for version, answer in answers.items():
            for complaint in answer.warnings:
                said = meaning(complaint)
                if said is None or said[0] in known_otherwise:
                    continue
                op, kind = self._origin(complaint.node)
                problem = self._problem(
                    complaint.stage, op, kind, complaint.node, complaint.op_type, said[0], "warning"
                )
                problem = replace(problem, advice=said[1] or problem.advice, versions=(version,))
                known = merged.setdefault((problem.op or problem.node, problem.words), problem)
                if version not in known.versions:
                    merged[known.op or known.node, known.words] = replace(known, versions=(*known.versions, version))
        return list(merged.values())

    @staticmethod
    def _whole(answer: Answer) -> Iterable[Complaint]:
        """A refusal of the whole graph, where TensorRT names no node."""
        if answer.outcome == "misread":
            yield from (Complaint("", "", "misread", words) for words in answer.words)  # one for each input
        elif answer.outcome == "parse" or answer.outcome == "build":
            words = answer.words[0] if answer.words else "TensorRT gave no reason"
            yield Complaint("", "", answer.outcome, words)

    def _of(self, complaint: Complaint, answer: Answer) -> Problem:
        stage = complaint.stage
        node = self._in_words(complaint.words) if stage == "build" else ""
        kind_of_node = complaint.op_type if node in ("", complaint.node) else ""
        node = node or complaint.node
        op, kind = self._origin(node)
        if stage == "build" and kind == "Identity":
            op, kind = self._runnerless(complaint.words) or (op, kind)
        problem = self._problem(stage, op, kind, node, kind_of_node, complaint.words)
        if stage == "misread" and complaint.node:
            return replace(problem, advice=advice(complaint.words))
        if stage == "misread":
            name = _INPUT.match(complaint.words)
            entry = self._exported.entries.get(name[1], "") if name else ""
            return replace(self._problem(stage, entry, "", "", "", complaint.words), advice=INPUT_ADVICE)
        return replace(problem, words=f"{answer.why}: {complaint.words}") if answer.why else problem

    def _runnerless(self, words: str) -> tuple[str, str] | None:
        """The operation of a layer that the parser named after its kind, where the node has the name of an Identity."""
        ops = self._exported.ops
        for layer in (m[2] for m in _LAYER.finditer(words) if m[2]):
            op, kind = self._named_after(layer), re.sub(r"_\d+$", "", layer)
            alike = [op] if op else [name for name, of in ops.items() if of.startswith(kind)]
            if len(alike) == 1:
                return alike[0], ops[alike[0]]
        return None

    def _in_words(self, words: str) -> str:
        """The one node of the graph that TensorRT names itself; layers have the names of nodes, some with a number."""
        model = self._exported.model
        said = [m[1] or m[2] for m in _LAYER.finditer(words)] if model is not None else []
        present = {node.name for node in model.graph.node} if model is not None and said else set()
        found = {name for layer in said for name in (layer, re.sub(r"_\d+$", "", layer)) if name in present}
        return found.pop() if len(found) == 1 else ""

    def _origin(self, node: str) -> tuple[str, str]:
        """Name and type of the TensorFlow operation that a node came from; the node's own name where there is none."""
        entry = self._exported.nodes.get(node) or nearest(self._readers, self._exported.nodes, node)
        if entry is not None:
            return entry["op"], entry["type"]
        op = self._named_after(node) or next(filter(None, map(self._named_after, self._siblings(node))), "")
        return (op, self._exported.ops[op]) if op else (node, "")

    def _named_after(self, node: str) -> str:
        """The operation whose name is in front of the exporter's own: ``OPERATION_Unique``, ``OPERATION__12``."""
        parts = re.split(r"(_)", node)
        heads = ("".join(parts[:i]) for i in range(len(parts) - 1, 0, -1))
        return next((head for head in heads if head in self._exported.ops), "")

    def _siblings(self, node: str) -> list[str]:
        """Nodes around it that the exporter named itself, nearest first."""
        around: dict[str, set[str]] = {}
        for maker, readers in self._readers.items():
            for reader in readers:
                around.setdefault(maker, set()).add(reader)
                around.setdefault(reader, set()).add(maker)
        waiting, seen = [node], {node: None}
        for _ in range(NEAR):
            waiting = [name for one in waiting for name in sorted(around.get(one, ())) if name not in seen]
            waiting = [name for name in dict.fromkeys(waiting) if name not in self._exported.nodes]
            seen |= dict.fromkeys(waiting)
        return list(seen)[1:]

    @cached_property
    def _readers(self) -> dict[str, list[str]]:
        """Node -> nodes that read its results."""
        return readers_of([] if self._exported.model is None else self._exported.model.graph.node)

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
        op, kind = self._origin(node)
        return replace(self._problem(stage, op, kind, node, node_type, words, severity), advice=advice)

    def operation(self, stage: Stage, severity: Severity, op: str, words: str, advice: str) -> Problem:
        """A finding of our own about a TensorFlow operation."""
        return replace(self._problem(stage, op, "", "", "", words, severity), advice=advice)

    @staticmethod
    def _with_version_advice(problem: Problem, answers: Mapping[str, Answer]) -> Problem:
        """A version that was asked, got as far and did not complain about this is the better advice."""
        far = ("ok", "build", "parse") if problem.stage == "parse" else ("ok", "build")
        works = [v for v, answer in answers.items() if answer.outcome in far and v not in problem.versions]
        newer = another_version(works[-1:])
        return replace(problem, advice=f"{newer}; or {problem.advice}") if newer else problem


def _cleaner(ops: Mapping[str, str] | Sequence[str]) -> Cleaner:
    from trtbuild.graphs.scopes import Cleaner

    return Cleaner(ops)
