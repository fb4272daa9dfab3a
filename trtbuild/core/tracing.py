"""Results of pure functions of a variant, shared between all variants that agree in what the function has read.

Each function has a tree: an inner node says what the function asks next, its branches are the answers, and a leaf has
the result.  What a deterministic function asks next depends on the earlier answers only, so following the tree gives
the result that running it would give (verifying traces, with parts of a variant as the keys).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from operator import attrgetter
from typing import Generic, TypeVar, cast

from trtbuild.core.spec import BuildSpec, Names, Variant

R = TypeVar("R")
Answer = Callable[..., object]


# The place of a part of the variant, such as "spec.model", or the arguments of ``ask``.
_Question = str | tuple[object, ...]
_Reader = Callable[[Variant], object]
_Asked = tuple[_Question, _Reader | None, object]  # with how to read it if it is a part, and the answer
_reader = cache(attrgetter)


@dataclass
class _Trace:
    """What is still asked on the way to a result that only one run has come to, and the answers."""

    rest: Sequence[_Asked]
    result: object


@dataclass
class _Node:
    """Runs that have come here ask the same, and got different answers: texts by value, others by identity."""

    asks: _Question
    reader: _Reader | None
    branches: dict[str | int, _Node | _Trace] = field(default_factory=dict)
    answers: list[object] = field(default_factory=list)  # kept, so that no identity is used again


_identity = object.__hash__  # id() would call the audit hook of config/composed.py each time


def _key(answer: object) -> str | int:
    return answer if type(answer) is str else _identity(answer)


def _nothing(*question: object) -> object:
    raise AssertionError(f"it reads the variant only, not {question}")


class Tree(Generic[R]):
    """One function's tree.  ``run(variant, ask)`` must read everything from the two, and change nothing."""

    def __init__(self) -> None:
        self._top: _Node | _Trace | None = None

    def result(self, variant: Variant, run: Callable[[Variant, Answer], R], ask: Answer = _nothing) -> R:
        """What ``run`` returns; it runs only if no earlier run got the same answers.  Errors are not kept."""
        node = self._top
        while type(node) is _Node:
            answer = ask(*node.asks) if node.reader is None else node.reader(variant)
            node = node.branches.get(answer if type(answer) is str else _identity(answer))
        if type(node) is _Trace and _holds(node, variant, ask):
            return cast(R, node.result)
        return self._run(variant, run, ask)

    def _run(self, variant: Variant, run: Callable[[Variant, Answer], R], ask: Answer) -> R:
        answers: dict[_Question, object] = {}

        def asking(*question: object) -> object:
            if question not in answers:
                answers[question] = ask(*question)
            return answers[question]

        result = run(_watched(variant, answers), asking)
        asked = [(asks, _reader(asks) if isinstance(asks, str) else None, got) for asks, got in answers.items()]
        self._top = _with(self._top, asked, result)
        return result


def _holds(trace: _Trace, variant: Variant, ask: Answer) -> bool:
    for asks, reader, known in trace.rest:
        answer = ask(*asks) if reader is None else reader(variant)
        if answer is not known and not (type(answer) is str and answer == known):
            return False
    return True


def _with(node: _Node | _Trace | None, rest: Sequence[_Asked], result: object) -> _Node | _Trace:
    """The tree below a place, with one more run."""
    if node is None or not rest:
        return _Trace(rest, result)
    asks, _, answer = rest[0]
    if isinstance(node, _Trace):
        (asked, reader, known), *others = node.rest
        node = _Node(asked, reader, {_key(known): _Trace(others, node.result)}, [known])
    assert node.asks == asks, "what a function asks next depends on the answers only"
    key = _key(answer)
    if key not in node.branches:
        node.answers.append(answer)
    node.branches[key] = _with(node.branches.get(key), rest[1:], result)
    return node


class _Watched:
    """Mixed into a dataclass whose fields it lacks: the first time that one is read, place and value are noted."""

    _watch: tuple[object, str, dict[_Question, object]]

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):  # not a field
            raise AttributeError(name)
        of, prefix, answers = self._watch
        self.__dict__[name] = answers[prefix + name] = value = getattr(of, name)
        return value


def _unset(name: str) -> property:
    """A field whose default would be found before ``__getattr__`` is asked."""
    return property(lambda self: self.__dict__[name] if name in self.__dict__ else self.__getattr__(name))


class _WatchedNames(_Watched, Names):
    pass


class _WatchedSpec(_Watched, BuildSpec):
    pass


class _WatchedVariant(_Watched, Variant):
    pass


for _class in (_WatchedNames, _WatchedSpec, _WatchedVariant):
    for _field in fields(_class):
        if _field.default is not MISSING:
            setattr(_class, _field.name, _unset(_field.name))


def _watched(variant: Variant, answers: dict[_Question, object]) -> Variant:
    """The variant, with every part that is read from it noted in ``answers``."""
    made = object.__new__(_WatchedVariant)
    spec, names = object.__new__(_WatchedSpec), object.__new__(_WatchedNames)
    spec.__dict__["_watch"] = (variant.spec, "spec.", answers)
    names.__dict__["_watch"] = (variant.names, "names.", answers)
    made.__dict__ |= {"_watch": (variant, "", answers), "spec": spec, "names": names}
    return made
