"""How a graph fails, and when two graphs fail in the same way, judged by TensorRT's words alone."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from trtbuild.workers.prober import Answer

Kind = Literal["crash", "timeout", "parse", "misread", "build", "mismatch"]
WANTED = ("crash", "parse", "misread", "build", "mismatch")  # what --for takes; "crash" includes a timeout

_APART = re.compile(r"0x[0-9a-fA-F]+|\{[^}]*\}|\[[^\]]*\]|'[^']*'|\"[^\"]*\"|`[^`]*`")
_WORD = re.compile(r"[A-Za-z_][\w/:.\-]*")
_LONGEST = 14  # words of a reason; what follows in a long message is a dump of operands
_TYPE = re.compile(r"(?i)(u?int|b?float|bf|fp)\d+")


@dataclass(frozen=True)
class Failure:
    """``reason`` is compared; ``words`` are TensorRT's own (ours for a mismatch), and ``why`` says what they mean."""

    kind: Kind
    stage: str
    op_type: str
    reason: str
    words: str
    why: str = ""

    def like(self, other: Failure) -> bool:
        """Whether it is the same fault: the same kind, stage, operation and reason."""
        mine = (self.kind, self.stage, self.op_type, self.reason)
        return mine == (other.kind, other.stage, other.op_type, other.reason)


def of_answer(answer: Answer, names: Collection[str]) -> tuple[Failure, ...]:
    """All failures, in order; none for a graph that builds.

    Args:
        names: names of nodes and tensors, which are left out of reasons.
    """
    if answer.outcome == "ok":
        return ()
    said = "; ".join(answer.words)
    kind = answer.outcome
    if kind == "crash" or kind == "timeout":
        return (Failure(kind, answer.stage, "", _ending(said) if kind == "crash" else "", said),)
    if answer.complaints:
        found = (
            Failure(kind, answer.stage, c.op_type, normalised(c.words, names), c.words, answer.why)
            for c in answer.complaints
        )
        return tuple(dict.fromkeys(found))
    return (
        Failure(kind, answer.stage, "", normalised(answer.words[0] if answer.words else "", names), said, answer.why),
    )


def normalised(words: str, names: Collection[str] = ()) -> str:
    """The part of a message that would be the same for another graph: no numbers, names, addresses or paths.

    >>> normalised("In node 3 with name: a/b and operator: Det: INT64 is refused (x.cpp:17)", {"a/b"})
    'In node with name and operator Det INT64 is refused'
    """
    kept = []
    for word in _WORD.findall(_APART.sub(" ", words)):
        word = word.rstrip(":.-")
        own = word in names or "/" in word or (any(c.isdigit() for c in word) and not _TYPE.fullmatch(word))
        if not own and not re.search(r"\.(cpp|h|hpp|cu)\b", word):
            kept.append(word)
    return " ".join(kept[:_LONGEST])


def _ending(said: str) -> str:
    found = re.search(r"SIG[A-Z]+|status \d+", said)
    return found.group() if found else ""


def choose(found: Collection[Failure], wanted: str) -> Failure | None:
    """The first failure of the wanted kind ("" for any kind)."""
    kinds = ("crash", "timeout") if wanted == "crash" else (wanted,)
    return next((failure for failure in found if not wanted or failure.kind in kinds), None)
