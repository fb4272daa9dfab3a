"""What a workspace refers to: digests in every record of branches, tags, stashes and working trees, and more.

Digests are taken from the text of ``dvc.lock`` and ``*.dvc`` files, damaged ones included: too many are
better than too few.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trtbuild.base.errors import WorkspaceError
from trtbuild.base.workspace import Workspace
from trtbuild.store.tracking import LOCK_FILE

_TREES = 200  # of one command line
_HEADS = ("HEAD", "ORIG_HEAD", "MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_HEAD")
_NEVER = {".git", ".dvc", ".trtbuild"}  # folders that hold no records


@dataclass(frozen=True)
class _Kind:
    """Files that refer to something, by git's pathspecs and by name; and how what they refer to is written."""

    specs: tuple[str, ...]
    named: Callable[[Path], bool]
    pattern: str  # without groups: git's extended regular expressions and Python's agree


_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])(\.dir)?")
_RECORDS = _Kind(
    (f":(top,glob)**/{LOCK_FILE}", ":(top,glob)**/?*.dvc"),
    lambda path: path.name == LOCK_FILE or path.suffix == ".dvc",
    r"[0-9a-f]{32,}(\.dir)?",
)
_BASELINES = _Kind(
    (":(top,glob)**/baselines/**/*.json",),
    lambda path: path.suffix == ".json" and "baselines" in path.parts,
    r'"(id|(onnx_)?sha256)": ?"[^"]*"',
)
_VERSIONS = _Kind(
    (":(top,glob)**/conf/tensorrt/*.yaml",),
    lambda path: path.suffix == ".yaml" and path.parent.name == "tensorrt",
    r"^ *version:.*$",
)
_KINDS = (_RECORDS, _BASELINES, _VERSIONS)


@dataclass
class References:
    """``reports``: ids of accepted variants, and the sha256 of their engines; ``versions``: of TensorRT, in configs."""

    digests: set[str] = field(default_factory=set)
    reports: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)  # what cannot be known

    def add(self, kind: _Kind, text: bytes) -> None:
        """Take what the text of one or more files refers to."""
        if kind is _RECORDS:
            self.digests |= digests_in(text)
        elif kind is _BASELINES:
            self.reports |= set(re.findall(r'"(?:id|(?:onnx_)?sha256)": ?"([^"]*)"', text.decode(errors="replace")))
        else:
            self.versions |= {found.decode() for found in re.findall(rb"""^ *version: *["']?([0-9.]+)""", text, re.M)}

    def add_versions(self, text: bytes) -> None:
        """Take the TensorRT version that a config file names."""
        self.add(_VERSIONS, text)


def digests_in(text: bytes) -> set[str]:
    """Every digest that stands in a text, as DVC names objects."""
    return {found[0].decode() for found in _DIGEST.finditer(text)}


def references(workspace: Workspace, superseded: Iterable[Path] = ()) -> References:
    """All of a workspace's; records in the folders ``superseded`` of its working tree do not count.

    Raises:
        WorkspaceError: git cannot be asked, so that nobody knows what is needed.
    """
    found, trees = References(), [workspace.root]
    if _in_git(workspace.root):
        trees += _in_repository(workspace, found)
    else:
        found.notes.append("no git repository: only what the working tree refers to is known")
    for root in dict.fromkeys(trees):
        for kind, text in _in_files(root, frozenset(superseded)):
            found.add(kind, text)
    return found


def _in_git(root: Path) -> bool:
    return any((parent / ".git").exists() for parent in (root, *root.parents))


def _in_repository(workspace: Workspace, found: References) -> Iterator[Path]:
    """Take what commits and the index refer to; yields the same workspace in other working trees."""
    root = workspace.root
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        found.notes.append("a shallow clone: what only branches that were not fetched refer to is not known")
    trees = list(dict.fromkeys(_trees(root)))
    where = [["--cached"], *(trees[i : i + _TREES] for i in range(0, len(trees), _TREES))]
    for kind in _KINDS:
        for words in where:
            found.add(kind, _grep(root, kind, words).encode("utf-8", "surrogateescape"))
    prefix = _git(root, "rev-parse", "--show-prefix").rstrip("\n")
    for line in _working_trees(root):
        if line.startswith("worktree ") and (tree := Path(line.removeprefix("worktree "), prefix)).is_dir():
            yield tree


def _trees(root: Path) -> Iterator[str]:
    """Trees, or commits: of every branch, tag, remote branch and stash, and of every HEAD and operation in progress."""
    for line in _git(root, "for-each-ref", "--format=%(objectname) %(tree)%(*tree) %(refname)").splitlines():
        name, tree, ref = line.split(" ", 2)
        # A tag of a tag or of a tree has none here; one of a file has none at all.
        yield from [tree] if tree else _git(root, "rev-parse", "-q", "--verify", f"{name}^{{tree}}").split()
        if ref == "refs/stash":  # older ones, their index and their untracked files, too
            yield from _git(root, "log", "-g", "--format=%H %P", "refs/stash").split()
    heads = [line.removeprefix("HEAD ") for line in _working_trees(root) if line.startswith("HEAD ")]
    yield from _git(root, "rev-parse", "--revs-only", *_HEADS, *(head for head in heads if head.strip("0"))).split()


def _working_trees(root: Path) -> list[str]:
    return _git(root, "worktree", "list", "--porcelain").splitlines()


def _grep(root: Path, kind: _Kind, where: list[str]) -> str:
    words = ["grep", "-a", "-h", "-o", "-E", "--no-line-number", "--no-column", "--color=never", "-e", kind.pattern]
    return _git(root, *words, *where, "--", *kind.specs)


def _git(root: Path, *words: str) -> str:
    """What git prints; nothing if it finds nothing."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, env=os.environ | {"LC_ALL": "C"}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="surrogateescape",
        )  # fmt: skip
    except OSError as error:
        raise WorkspaceError(f"git cannot be run: {error.strerror}", where=str(root), hint="install git") from None
    wrong = [line for line in done.stderr.splitlines() if line.startswith(("error", "fatal"))]
    if wrong or done.returncode not in (0, 1):
        what = wrong[0] if wrong else f"exit status {done.returncode}"
        raise WorkspaceError(f"git {words[0]}: {what}", where=str(root), hint="nothing was deleted: mend it first")
    return done.stdout if done.returncode == 0 else ""


def _in_files(root: Path, superseded: frozenset[Path]) -> Iterator[tuple[_Kind, bytes]]:
    """The files of a working tree that refer to something, tracked or not, also behind links."""
    seen: set[str] = set()
    for parent, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen or Path(parent) in superseded:
            folders[:] = []
            continue
        seen.add(real)
        folders[:] = [name for name in folders if name not in _NEVER]
        for path in (Path(parent, name) for name in names):
            for kind in _KINDS:
                if kind.named(path) and path.is_file():
                    yield kind, path.read_bytes()
