"""Folders of reports and verdicts that a newer one has superseded."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from trtbuild.base.errors import TrtbuildError
from trtbuild.base.workspace import PAGES, Workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.config import GROUPS
from trtbuild.core.step import KEY, KEY_LENGTH
from trtbuild.store.history import committed, git_blob
from trtbuild.store.tracking import LOCK_FILE, read_yaml

KINDS = ("report", "validate")
_FOLDER = re.compile(rf"(?:report|validate)(?:-[^/\"'\\\s]*)?-{KEY}")


def superseded(workspace: Workspace) -> list[Path]:
    """Folders of reports and verdicts of which there is a newer one with the same name, apart from the digest.

    Those stay that the present config asks for, that the page of a sweep links to, and whose verdict a kept report has.
    """
    pages = (page for folder in PAGES for page in workspace.root.glob(f"{folder}/*/*.json"))
    linked = {name for page in pages for name in _named_in(page)}
    by_kind = {kind: _alike(workspace.root, kind) for kind in KINDS}
    kept = set[Path]()
    for kind in KINDS:
        for alike in by_kind[kind].values():
            kept |= {alike[-1], *(folder for folder in alike if folder.name in linked)}
        if kind == "report":
            kept |= set(_planned(workspace, by_kind[kind].values()))
            linked |= {name for folder in kept for name in _named_in(folder / "params.yaml")}
    return [folder for names in by_kind.values() for alike in names.values() for folder in alike if folder not in kept]


def _alike(root: Path, kind: str) -> dict[tuple[str, str], list[Path]]:
    """Recorded folders of a kind by model and name without the digest, the newest last."""
    named = defaultdict[tuple[str, str], list[Path]](list)
    for lock in root.glob(f"build/*/{kind}-*/{LOCK_FILE}"):
        folder = lock.parent
        if _FOLDER.fullmatch(folder.name):
            named[folder.parent.name, folder.name[: -KEY_LENGTH - 1]].append(folder)
    several = any(len(folders) > 1 for folders in named.values())
    known = committed(root, "build") if several else {}
    return {name: sorted(folders, key=lambda f: _age(root, f, known)) for name, folders in named.items()}


def _age(root: Path, folder: Path, known: Mapping[str, tuple[int, str]]) -> tuple[int, int, Path]:
    """When its record was committed, otherwise written: git gives every file of a clone the time of the checkout."""
    lock = folder / LOCK_FILE
    written = lock.stat().st_mtime_ns
    time, blob = known.get(lock.relative_to(root).as_posix(), (0, ""))
    when = time if blob and blob == git_blob(lock.read_bytes()) else written // 10**9
    return when, written, folder


def _planned(workspace: Workspace, reports: Iterable[list[Path]]) -> list[Path]:
    """Of reports of the same name, the one that the present config asks for, if it does."""
    found = []
    for alike in reports:
        words = _words(alike[-1] / "params.yaml") if len(alike) > 1 else []
        if words:
            try:
                plan = plan_overrides(workspace, words, sweep=False, files=False).plan
            except TrtbuildError:  # an option that is gone since
                continue
            found += [workspace.root / roles[kind].folder for roles in plan.variants.values() for kind in KINDS]
    return found


def _words(params: Path) -> list[str]:
    """The overrides that name a report's variant."""
    try:
        content = read_yaml(params)
    except TrtbuildError:
        return []
    inner = content.get("params") if isinstance(content, dict) else None
    variant = inner.get("variant") if isinstance(inner, Mapping) else None
    named = variant if isinstance(variant, Mapping) else {}
    return [f"{group}={named[group]}" for group in GROUPS if isinstance(named.get(group), str)]


def _named_in(file: Path) -> set[str]:
    try:
        return set(_FOLDER.findall(file.read_text("utf-8", "replace")))
    except OSError:
        return set()
