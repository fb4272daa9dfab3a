"""One file for each step kind; the file's name is the kind.

Each has VERSION, ``declare(variant, need, **choice) -> Step`` (pure: what to do) and ``run(job)`` (the work, in its
own process; every heavy import is inside it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from trtbuild.core.step import Step


@cache
def kinds() -> list[str]:
    """Every step kind there is: the files of this folder."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


class Declarations(Mapping[str, Callable[..., Step]]):
    """``declare`` of every step kind, imported on first use."""

    def __getitem__(self, kind: str) -> Callable[..., Step]:
        if kind not in kinds():
            raise KeyError(kind)
        declare: Any = import_module(f"trtbuild.steps.{kind}").declare
        return declare  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return iter(kinds())

    def __len__(self) -> int:
        return len(kinds())
