"""What git holds of past records: the changes of build/ along the first parents, and the bytes of its blobs.

One ``git log`` and one ``git cat-file`` read everything, however many commits there are.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trtbuild.base.errors import WorkspaceError

_ABSENT = re.compile(r"0+")
_MARK = "\x01"
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "GIT_NO_LAZY_FETCH": "1"}


@dataclass(frozen=True)
class Commit:
    """``changes``: the new blob of every path that changed against the first parent, None where it is gone."""

    hash: str
    time: int  # of the committer, in seconds since 1970
    subject: str
    changes: Mapping[str, str | None]


def commits(root: Path, folder: str) -> list[Commit]:
    """The commits of the current branch that changed something in a folder, oldest first; paths are relative to root.

    Raises:
        WorkspaceError: root is not in a git repository, or git cannot be run.
    """
    if not _git(root, ["rev-list", "--max-count=1", "--all"]).strip():
        return []
    out = _git(
        root,
        [
            "-c", "core.quotePath=false", "-c", "log.showSignature=false", "log", "--first-parent", "-m", "--raw", "-z",
            "--no-abbrev", "--no-renames", "--relative", "--reverse", f"--format={_MARK}%H%x00%ct%x00%s", "HEAD", "--",
            folder,
        ],
    )  # fmt: skip
    return list(_parsed(out.decode("utf-8", "replace").split("\0")))


def committed(root: Path, folder: str) -> dict[str, tuple[int, str]]:
    """Every path in a folder of HEAD: when it was last committed, and its blob; nothing where git has no history."""
    try:
        log = commits(root, folder)
    except WorkspaceError:
        return {}
    last = {path: (commit.time, blob) for commit in log for path, blob in commit.changes.items()}
    return {path: (time, blob) for path, (time, blob) in last.items() if blob is not None}


def git_blob(content: bytes) -> str:
    """The name by which git knows these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _parsed(words: Sequence[str]) -> Iterable[Commit]:
    i = 0
    while i < len(words):
        word = words[i].lstrip("\n")
        if not word.startswith(_MARK):
            i += 1
            continue
        changes: dict[str, str | None] = {}
        name, time, subject = word.removeprefix(_MARK), words[i + 1], words[i + 2]
        i += 3
        while i + 1 < len(words) and (entry := words[i].lstrip("\n")).startswith(":"):
            blob = entry.split(" ")[3]
            changes[words[i + 1]] = None if _ABSENT.fullmatch(blob) else blob
            i += 2
        yield Commit(name, int(time), subject.rstrip("\n"), changes)


def blobs(root: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The content of blobs; those that a partial clone does not have are left out."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    out, found, place = _git(root, ["cat-file", "--batch"], "".join(f"{name}\n" for name in wanted)), {}, 0
    for _ in wanted:
        end = out.index(b"\n", place)
        name, *about = out[place:end].decode().split(" ")
        place = end + 1
        if about[0] == "blob":
            size = int(about[1])
            found[name] = out[place : place + size]
            place += size + 1
    return found


def is_shallow(root: Path) -> bool:
    return _git(root, ["rev-parse", "--is-shallow-repository"]).strip() == b"true"


def _git(root: Path, words: Sequence[str], given: str = "") -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "--no-pager", *words], input=given.encode(), capture_output=True, check=False,
            env={**os.environ, **_ENVIRONMENT},
        )  # fmt: skip
    except FileNotFoundError:
        raise WorkspaceError("git is not installed", where=str(root), hint="install git") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
        what, hint = lines[-1].removeprefix("fatal: "), "past records are read from git's history"
        raise WorkspaceError(what, where=str(root), hint=hint)
    return done.stdout
