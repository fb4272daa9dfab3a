"""An assignment of precisions to operations -> the few scopes of a precision file that say the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache


@dataclass(eq=False)
class _Scope:
    path: str
    parts: dict[str, _Scope] = field(default_factory=dict)
    precision: str = ""  # of the operation with this very name


def shortest(precisions: Mapping[str, str], base: str) -> dict[str, str]:
    """The fewest and shortest scopes that give every operation its precision where the longest scope decides.

    Args:
        precisions: operation's name -> precision; base: that of operations in no scope.

    >>> shortest({"net/stem/Conv2D": "fp16", "net/neck/Conv2D": "fp16", "net/head/Conv2D": "int8"}, "fp16")
    {'net/head': 'int8'}
    >>> shortest({f"net/{name}/Conv2D": "int8" for name in "abc"} | {"net/stem/Conv2D": "fp16"}, "fp16")
    {'net': 'int8', 'net/stem': 'fp16'}
    """
    root = _Scope("")
    for name, precision in precisions.items():
        scope = root
        for part in name.split("/"):
            scope = scope.parts.setdefault(part, _Scope(f"{scope.path}/{part}".lstrip("/")))
        scope.precision = precision
    known = sorted({*precisions.values(), base})

    @cache
    def lines(scope: _Scope, around: str) -> tuple[tuple[str, str], ...]:
        """The fewest lines for a scope within a scope of precision ``around``; a line of its own costs one."""
        best: tuple[tuple[str, str], ...] | None = None
        for own in (around, *(one for one in known if one != around)):
            if scope.precision not in ("", own) or (scope is root and own != base):
                continue
            written = ((scope.path, own),) * (own != around)
            below = tuple(line for part in scope.parts.values() for line in lines(part, own))
            if best is None or _length((*written, *below)) < _length(best):
                best = (*written, *below)
        assert best is not None, "a scope can always take the precision of its operation"
        return best

    return dict(lines(root, base))


def possible(
    wanted: Iterable[tuple[str, str]], changed: Mapping[str, Collection[str]], base: str
) -> dict[str, str]:  # fmt: skip
    """Operation -> its precision, or the base where it cannot be in that; without those that have no choice at all.

    Args:
        wanted: operations with the precision of their group; changed: precision -> operations that can be in it.

    >>> possible([("up/ConvTranspose", "int8"), ("enc/Conv2D", "int8")], {"int8": {"enc/Conv2D"}}, "fp16")
    {'enc/Conv2D': 'int8'}
    """
    with_choice = {name for names in changed.values() for name in names}
    return {op: p if op in changed.get(p, ()) else base for op, p in wanted if op in with_choice}


def _length(lines: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Fewer lines are better, then shorter paths."""
    return len(lines), sum(path.count("/") + 1 for path, _ in lines)


def common(names: Iterable[str]) -> str:
    """The longest path of whole components that all names begin with; "" if there is none.

    >>> common(["net/block_1/conv/Conv2D", "net/block_1/add"])
    'net/block_1'
    """
    split = [name.split("/") for name in names]
    shared = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return "/".join(shared)
