"""Problems of a graph one after the other: what is refused is cut out and the rest asked again, until nothing is new.

A parse stops before anything is built, and a crash before anything is said; so one answer is never all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtbuild.checker.exporting import cut_out
from trtbuild.probing import Answer, Complaint, Question

ROUNDS = 8
Ask = Callable[[Question], Answer]
_SHARE = 0.6  # of the time that is left, for locating one crash


def ask_through(ask: Ask, question: Question, first: Answer, folder: Path, deadline: float) -> Answer:
    """``first`` (the answer to ``question``), with the complaints of all that it kept from being looked at."""
    import onnx

    if first.verdict in ("ok", "refused", "build_fail"):
        return first
    model = onnx.load(question.model, load_external_data=False)
    make_static(model, question.shapes)
    complaints: dict[str, Complaint] = {}
    answer = first
    for i in range(ROUNDS):
        new = _complaints(ask, answer, model, folder, deadline)
        new = [c for c in new if c.node not in complaints]
        complaints |= {c.node: c for c in new}
        named = {c.node for c in new if c.node}
        if answer.verdict in ("ok", "build_fail") or not named or time.monotonic() > deadline:
            break
        if cut_out(model, named, _known(model), question.shapes) is None:
            break
        answer = ask(_saved(model, folder / f"rest{i}.onnx", question))
    return replace(first, complaints=tuple(complaints.values()))


def _complaints(ask: Ask, answer: Answer, model: Any, folder: Path, deadline: float) -> list[Complaint]:
    if answer.verdict in ("crash", "timeout"):
        return _locate(ask, answer, model, folder, deadline)
    return list(answer.complaints)


def _locate(ask: Ask, answer: Answer, model: Any, folder: Path, deadline: float) -> list[Complaint]:
    """The smallest set of nodes at which TensorRT dies, or runs out of time, in the same way."""
    from trtbuild.kit.reduction import reduce

    path = folder / "piece.onnx"

    def dies(piece: Any) -> bool:
        path.write_bytes(piece.SerializeToString())
        return ask(Question(path, every=False)).verdict == answer.verdict

    stage = "build" if answer.stage == "building" else "parse"
    words = f"TensorRT crashed while {'building' if stage == 'build' else 'parsing'}"
    if answer.verdict == "timeout":
        words = f"TensorRT did not answer in time while {answer.stage or 'starting'}"
        return [Complaint("", "", stage, words)]  # each question of a search would take as long
    if not dies(model):
        return [Complaint("", "", stage, f"{words}; with fixed shapes it does not ({', '.join(answer.words)})")]
    found = reduce(model, dies, limit_s=max(0.0, deadline - time.monotonic()) * _SHARE)
    nodes = list(found.model.graph.node)
    several = f", in these {len(nodes)} nodes together" if len(nodes) > 1 else ""
    few = "" if found.minimal else " (the time was too short for a smaller set)"
    said = f"{words}{several}{few}: {', '.join(answer.words)}"
    return [Complaint(node.name, node.op_type, stage, said) for node in nodes]


def make_static(model: Any, shapes: Mapping[str, Sequence[int]]) -> None:
    """Write concrete shapes over the inputs' dimensions, and drop the outputs', which follow from them."""
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.WhichOneof("value") == "dim_param":
                dim.Clear()


def _known(model: Any) -> dict[str, tuple[int, tuple[int, ...]]]:
    from trtbuild.kit.reduction import tensor_values

    return {
        name: (value.type.tensor_type.elem_type, tuple(d.dim_value for d in value.type.tensor_type.shape.dim))
        for name, value in tensor_values(model).items()
    }


def _saved(model: Any, path: Path, like: Question) -> Question:
    path.write_bytes(model.SerializeToString())
    present = {value.name for value in model.graph.input}
    shapes = {name: shape for name, shape in like.shapes.items() if name in present}
    return replace(like, model=path, shapes=shapes, profiles={})
