"""The verb suite: which cases, which versions, what came of them, and whether that was expected."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtbuild import toolchains
from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.base.files import write_atomic
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import find_workspace
from trtbuild.config import suiteversions as versions
from trtbuild.core.spec import Toolchain
from trtbuild.suite import document as documents
from trtbuild.suite import proposing, running
from trtbuild.suite.case import Case
from trtbuild.suite.collecting import OWN, choose, collect
from trtbuild.suite.identity import machine_class

if TYPE_CHECKING:
    from trtbuild.cli.main import Words


def run(words: Words) -> int:
    """0: everything as expected; 1: something is not.

    Raises:
        ConfigError: words, cases or expectations are wrong.  PlaceError: a version or a worker cannot be had.
    """
    if words.arguments:
        raise ConfigError(f"expects no '{words.arguments[0]}'", where="suite", hint="choose cases with -k EXPR")
    root = workspace_root()
    if root is None and Path(OWN).is_dir():
        _note(f"{OWN}/ is not read: no workspace (git and DVC) is here or above")
    everything = collect(root)
    categories = [part for given in words.lists.get("--category", ()) for part in given.split(",")]
    chosen = choose(everything.values(), words.options.get("--keyword", ""), categories)
    if "--list" in words.options:
        return _list(chosen, as_json=words.json)
    if not chosen:
        raise ConfigError("no case matches", where="suite", hint="see them with: trtbuild suite --list")
    asked = versions.asked(root or packaged_conf().parent, words.overrides)
    limit_s = _seconds(words.options.get("--limit", str(running.LIMIT_S)))
    results = examine(chosen, asked, root, install="--no-install" not in words.options, limit_s=limit_s)
    machine = machine_class()
    wanted = {name: proposing.expectations(name, root, machine) for name in asked}
    made = documents.make(chosen, asked, results, wanted, machine)
    _write(made, results, words, root)
    print(*documents.lines(made), sep="\n", file=sys.stderr)
    _note(f"{results.made_anew} result(s) are new, the rest were recorded" if results.made_anew else "nothing to do")
    if "--update" in words.options:
        made["proposed"] = _update(chosen, everything, asked, results, root, machine)
        print(made["proposed"], end="", file=sys.stderr if words.json else sys.stdout)
    if words.json:
        print(json.dumps(made, indent=1))
    return int(made["failures"] > 0)


def examine(
    cases: Sequence[Case], asked: Mapping[str, Toolchain], root: Path | None, *, install: bool = True,
    limit_s: float = running.LIMIT_S,
) -> running.Results:  # fmt: skip
    """Results of these cases with these versions, recorded where this workspace, or this user, keeps them."""

    def interpreter(name: str, toolchain: Toolchain) -> Path:
        want = toolchains.Wanted(toolchain.flavour, toolchain.version, toolchain.requirements, name)
        return toolchains.interpreter(want, install=install, note=_note)

    return running.run(cases, asked, root=root, folder=folder(root), interpreter=interpreter, progress=_Progress().show,
                       limit_s=limit_s)  # fmt: skip


def workspace_root() -> Path | None:
    try:
        return find_workspace(Path.cwd()).root
    except TrtbuildError:
        return None


def folder(root: Path | None) -> Path:
    """Where results are kept: with the workspace, or in the user's cache without one."""
    if root is None:
        return toolchains.cache().parent / "suite"
    from trtbuild.base.workspace import Workspace

    Workspace(root).prepare()
    return Workspace(root).private / "suite"


def _list(cases: Sequence[Case], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"cases": [documents.about(case) for case in cases]}, indent=1))
        return 0
    width = max((len(case.id) for case in cases), default=0)
    for case in cases:
        print(f"{case.id:<{width}}  {case.category:<22} {case.title}")
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise ConfigError(f"expected seconds, found '{text}'", where="--limit")
    return seconds


def _write(made: Mapping[str, Any], results: running.Results, words: Words, root: Path | None) -> None:
    if "--junit" in words.options:
        from trtbuild.suite.junit import to_xml

        write_atomic(Path(words.options["--junit"]), to_xml(made))
    if "--html" in words.options:
        from trtbuild.base.packaged import templates
        from trtbuild.suite.page import render_all

        target = Path(words.options["--html"])
        for name, text in render_all(made, results, templates(root or Path.cwd())).items():
            write_atomic(target / name, text.encode())
        _note(f"written: {target / 'suite.html'}")


def _update(
    chosen: Sequence[Case], everything: Mapping[str, Case], asked: Mapping[str, Toolchain], results: running.Results,
    root: Path | None, machine: str,
) -> str:  # fmt: skip
    """Write the proposed expectations; what changed, as a unified diff."""
    changed = ""
    for version, toolchain in asked.items():
        found = {case.id: results.stages(case.id, version) for case in chosen}
        title = f"{toolchain.flavour} {toolchain.version}"
        for path, text in proposing.proposals(version, title, found, everything, root, machine).items():
            changed += proposing.difference(path, text)
            write_atomic(path, text.encode())
    if not changed:
        _note("the expectations are up to date")
    return changed


def _note(line: str) -> None:
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
            _note(f"{what} {done} of {total}")
