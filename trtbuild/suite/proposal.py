"""Where expectations are stored, packaged and in a workspace, and the changes that a run proposes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from trtbuild.suite import expectation
from trtbuild.suite.case import PACKAGED, Case
from trtbuild.suite.collection import OWN
from trtbuild.suite.expectation import Expectation
from trtbuild.suite.stage import Stages


def own_file(root: Path, version: str) -> Path:
    """``suite/expected/VERSION.yaml`` of a workspace: its own cases, and packaged ones that it expects otherwise."""
    return expectation.file_of(root / OWN / "expected", version)


def expectations(version: str, root: Path | None, machine: str) -> dict[str, Expectation]:
    """Of all cases; the workspace's file goes before the packaged one."""
    found = expectation.read(expectation.file_of(expectation.PACKAGED, version), machine)
    return found if root is None else found | expectation.read(own_file(root, version), machine)


def proposals(
    version: str,
    title: str,
    found: Mapping[str, Stages],
    everything: Mapping[str, Case],
    root: Path | None,
    machine: str,
) -> dict[Path, str]:
    """Files that would change, with their new text.

    Packaged cases are written to the packaged file in a checkout of trtbuild's source; an installed package stays as
    it is, and the workspace's own file then says what differs.
    """
    packaged_file = expectation.file_of(expectation.PACKAGED, version)
    packaged = {name for name, case in everything.items() if case.packaged}
    parts: dict[Path, tuple[dict[str, Stages], set[str]]] = {}
    own = {name: stages for name, stages in found.items() if name not in packaged}
    if in_checkout():
        parts[packaged_file] = ({n: s for n, s in found.items() if n in packaged}, packaged)
    else:
        known = expectation.read(packaged_file, machine)
        own |= {n: s for n, s in found.items() if n in packaged and known.get(n) != expectation.describe(s)}
    if root is not None and own:
        names = set(everything)
        parts[own_file(root, version)] = (own, names if not in_checkout() else names - packaged)
    proposed = {
        path: expectation.propose(path, title, machine, part, names) for path, (part, names) in parts.items() if part
    }
    return {path: text for path, text in proposed.items() if text != _text(path)}


def in_checkout() -> bool:
    """Whether this package is a working copy, and not installed."""
    return (PACKAGED.parents[2] / "pyproject.toml").is_file()


def difference(path: Path, text: str) -> str:
    """A unified diff from what the file says to ``text``."""
    shown = _shown(path)
    old, new = _text(path).splitlines(keepends=True), text.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, f"a/{shown}", f"b/{shown}"))


def _shown(path: Path) -> str:
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix().lstrip("/")


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.is_file() else ""
