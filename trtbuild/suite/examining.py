"""Cases with versions -> results, kept with the workspace or the user, with progress on the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from trtbuild import toolchains
from trtbuild.base.workspace import Workspace
from trtbuild.core.spec import Toolchain
from trtbuild.suite import running
from trtbuild.suite.case import Case
from trtbuild.toolchains import request
from trtbuild.toolchains.request import ToolchainRequest


def examine(
    cases: Sequence[Case], asked: Mapping[str, Toolchain], root: Path | None, *, install: bool = True,
    limit_s: float = running.LIMIT_S,
) -> running.Results:  # fmt: skip
    """Results of these cases with these versions, recorded where this workspace, or this user, keeps them."""

    def interpreter(name: str, toolchain: Toolchain) -> Path:
        want = ToolchainRequest(toolchain.flavour, toolchain.version, toolchain.requirements, name)
        return toolchains.interpreter(want, install=install, note=note)

    return running.run(cases, asked, root=root, folder=folder(root), interpreter=interpreter, progress=_Progress().show,
                       limit_s=limit_s)  # fmt: skip


def folder(root: Path | None) -> Path:
    """Where results are kept: with the workspace, or in the user's cache without one."""
    if root is None:
        return request.cache().parent / "suite"
    Workspace(root).prepare()
    return Workspace(root).private / "suite"


def note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class _Progress:
    """A line that is written over on a terminal, and one every ten seconds elsewhere."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._terminal = sys.stderr.isatty()

    def show(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._terminal:
            print(f"\r{what} {done} of {total}\033[K", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif now - self._last > 10:
            self._last = now
            note(f"{what} {done} of {total}")
