"""Problems of a graph one after another: what is refused is cut out and the rest asked about, until nothing new comes.

Parsing stops before anything is built, and a crash before anything is said, so one answer never has all of them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.checker.advice import LATE
from trtbuild.checker.cut import cut_out, inferred, introduced, speaks_of_types
from trtbuild.checker.exported import Shapes
from trtbuild.core.complaint import Complaint, RefusalStage
from trtbuild.workers.prober import Answer, Question

if TYPE_CHECKING:
    import onnx

ROUNDS = 24
Ask = Callable[[Question], Answer]
_SHARE = 0.6  # of the time that is left, for locating one crash


def ask_through(
    ask: Ask,
    question: Question,
    first: Answer,
    folder: Path,
    deadline: float,
    shapes: Callable[[], Shapes] = dict,
) -> Answer:
    """``first`` (the answer to ``question``), with the complaints about everything that it hid.

    ``shapes`` gives tensors' shapes where the graph's own are not enough.
    """
    import onnx

    if first.outcome in ("ok", "misread") or (first.outcome == "build" and (first.complaints or first.why)):
        return first
    model = onnx.load(question.model, load_external_data=False)
    make_static(model, question.shapes)
    complaints: dict[str, Complaint] = {}
    answer = first
    for i in range(ROUNDS):
        new = _complaints(ask, answer, model, folder, deadline)
        named = {c.node for c in new if c.node and c.node not in complaints}
        complaints |= {c.node: c for c in new if c.node not in complaints}
        if answer.outcome == "ok" or not named or time.monotonic() > deadline:
            break
        cut_out(model, named, _known(model, shapes()), question.shapes)
        if not model.graph.node:
            break
        answer = ask(_saved(model, folder / f"rest{i}.onnx", question))
    return replace(first, complaints=tuple(complaints.values()))


def _complaints(ask: Ask, answer: Answer, model: onnx.ModelProto, folder: Path, deadline: float) -> list[Complaint]:
    """An answer's complaints; where it names no node, the one that a search finds."""
    named = [complaint for complaint in answer.complaints if complaint.node]
    words = (*answer.words, *(complaint.words for complaint in answer.complaints))
    if answer.outcome == "parse" and speaks_of_types(words):
        sources, readers = introduced(model, {name: kind for name, (kind, _) in inferred(model).items()})
        first = next((w for w in words if speaks_of_types([w])), "")
        told = {c.node: c for c in named}
        made = [told.get(n.name) or Complaint(n.name, n.op_type, "parse", first) for n in sources]
        named = [*made, *(c for c in named if c.node not in readers | {n.name for n in sources})]
    if named or answer.outcome in ("ok", "misread") or answer.why:
        return named
    if answer.outcome == "timeout":  # each question of a search would take as long
        late = f"TensorRT {LATE} while {answer.stage or 'starting'}"
        return [Complaint("", "", _stage(answer), late)]
    return [_locate(ask, answer, model, folder, deadline)]


def _stage(answer: Answer) -> RefusalStage:
    return "build" if answer.stage in ("building", "build") else "parse"


def _locate(ask: Ask, answer: Answer, model: onnx.ModelProto, folder: Path, deadline: float) -> Complaint:
    """One of the smallest set of nodes with which TensorRT says the same: dies, or refuses without a name."""
    from trtbuild.graphs.graph import subgraphs
    from trtbuild.graphs.reduction import reduce

    path, stage, wanted = folder / "piece.onnx", _stage(answer), _gist(answer)

    def shows(piece: onnx.ModelProto) -> bool:
        path.write_bytes(piece.SerializeToString())
        said = ask(Question(path, every=False))
        return said.outcome == answer.outcome and _gist(said) == wanted

    words = ", ".join(answer.words) or "no reason given"
    if answer.outcome == "crash":
        words = f"TensorRT crashed while {'building' if stage == 'build' else 'parsing'}: {words}"
    if not shows(model):
        return Complaint("", "", stage, words)
    found = reduce(model, shows, limit_s=max(0.0, deadline - time.monotonic()) * _SHARE)
    nodes = list(found.model.graph.node)
    if not found.minimal:
        words += " (there was too little time to find the smallest set of nodes)"
    guilty = next((node for node in nodes if subgraphs(node)), nodes[-1])  # a loop, where there is one
    if len(nodes) > 1:
        words += f" (together with {', '.join(node.name for node in nodes if node is not guilty)})"
    return Complaint(guilty.name, guilty.op_type, stage, words)


def _gist(answer: Answer) -> str:
    """What was said, without names and numbers, which differ in a part of the graph."""
    said = " ".join((*answer.words, *(complaint.words for complaint in answer.complaints)))
    return re.sub(r"'[^']*'|\[[^]]*\]|\(.*?\)|\S*[/:_\d]\S*", "", said)[:200]


def make_static(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> None:
    """Write concrete shapes over the inputs' dimensions, and drop the outputs', which follow from them."""
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    for value in model.graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.WhichOneof("value") == "dim_param":
                dim.Clear()


def _known(model: onnx.ModelProto, shapes: Shapes) -> dict[str, tuple[int, tuple[int, ...]]]:
    """Types and shapes by inference, else by the exporter; tensors whose size depends on values have none."""
    found = {}
    for name, (kind, shape) in {**shapes, **inferred(model)}.items():
        if None in shape and name in shapes and len(shapes[name][1]) == len(shape):
            kind, shape = shapes[name]
        if None not in shape:
            found[name] = (kind, tuple(d for d in shape if d is not None))
    return found


def _saved(model: onnx.ModelProto, path: Path, like: Question) -> Question:
    path.write_bytes(model.SerializeToString())
    present = {value.name for value in model.graph.input}
    shapes = {name: shape for name, shape in like.shapes.items() if name in present}
    return replace(like, model=path, shapes=shapes, profiles={})
