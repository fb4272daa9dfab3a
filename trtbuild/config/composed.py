"""Composed configs, kept for next time: Hydra takes 60 ms per variant, and all are planned before one starts.

They are kept in the workspace's private folder, and dropped as soon as any file that composition reads has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from trtbuild.base import shortcut
from trtbuild.base.files import write_atomic
from trtbuild.base.signatures import everything

MOST = 2000  # entries: a few kilobytes each
MOST_FILES = 10_000  # below search paths: signing them takes 0.1 s; more are a home, say, or a disk
FILE = "composed.json"
# ${oc.env:X}, ${now:...}: resolvers whose value depends on more than files.  OmegaConf's pure ones are excluded.
_RESOLVER = re.compile(rb"\$\{\s*(?!oc\.(?:select|dict|decode|create|deprecated)\b)[\w.]+\s*:")
_CONFIGS = (".yaml", ".yml")

Config = dict[str, object]
Composition = tuple[Config, Config]  # the config by group, the chosen option by group


class Composed:
    """Earlier compositions of these folders, by overrides.

    Composition can read ``beyond`` the folders: from Hydra's search path, and through ``..`` in defaults.
    """

    def __init__(self, private: Path, folders: Sequence[Path]) -> None:
        self._file = private / FILE
        self._folders = [str(folder) for folder in folders]
        self._watched, digest, entries = _read(self._file)
        self._digest = _digest([*self._folders, *self._watched])
        self._entries: dict[str, Composition] = entries if digest == self._digest else {}
        self._beyond = set(self._watched) if self._entries else set()
        self._changed, self._files_decide = False, bool(self._digest)

    def recall(self, overrides: Sequence[str]) -> Composition | None:
        found = self._entries.get("\0".join(overrides))
        return None if found is None else (found[0], found[1])

    def add(self, overrides: Sequence[str], composition: Composition, read: Iterable[str] = ()) -> None:
        """``read``: the files that it was composed from, and the folders that were searched."""
        self.depends_on(read)
        if any(_RESOLVER.search(word.encode()) for word in overrides):
            self._files_decide = False
        elif self._digest:
            self._entries["\0".join(overrides)] = composition
            self._changed = True

    def depends_on(self, read: Iterable[str]) -> None:
        """Note files from which something was composed that is not kept here."""
        more = {path for path in read if os.path.realpath(path) not in self._inside} - self._beyond
        if more:
            self._beyond |= more
            self._files_decide = self._files_decide and _can_be_watched(self._beyond)

    @property
    def other_configs(self) -> tuple[str, ...] | None:
        """Paths beyond the folders that compositions depended on; None if they are too many, or not all."""
        return tuple(sorted(self._beyond)) if self._files_decide else None

    def keep(self) -> None:
        """Write new compositions, but only if a build has made the private folder: a plan does not create it."""
        if not self._changed or not self._file.parent.is_dir():
            return
        # Files beyond the folders were read before they could be signed: next time they are signed first.
        known = self._beyond <= set(self._watched)
        entries = dict(list(self._entries.items())[-MOST:]) if known else {}
        watched = self._watched if known else sorted(self._beyond)
        content = {"digest": self._digest if known else "", "beyond": watched, "entries": entries}
        with contextlib.suppress(OSError, TypeError, ValueError):  # it is only a shortcut
            write_atomic(self._file, shortcut.dumps(content))

    @cached_property
    def _inside(self) -> set[str]:
        return {os.path.realpath(path) for path in everything(self._folders)}


def watched(private: Path) -> list[str]:
    """Paths beyond conf/ that earlier compositions depended on."""
    return _read(private / FILE)[0]


def _read(file: Path) -> tuple[list[str], str | None, dict[str, Composition]]:
    """Watched paths, the digest of everything that was read, and the compositions."""
    content = shortcut.load(str(file))
    if not isinstance(content, dict) or content.keys() != {"digest", "beyond", "entries"}:  # from an older trtbuild
        return [], None, {}
    beyond, digest, entries = content["beyond"], content["digest"], content["entries"]
    if not (isinstance(beyond, list) and all(isinstance(path, str) for path in beyond) and isinstance(entries, dict)):
        return [], None, {}
    if not _can_be_watched(beyond):
        return [], None, {}
    whole = {word: found for word, found in entries.items() if _is_composition(found)}
    return beyond, digest, {word: (found[0], found[1]) for word, found in whole.items()}


def _can_be_watched(paths: Iterable[str]) -> bool:
    """Whether it takes no time to see that nothing below has changed; otherwise configs are composed by every build."""
    return sum(1 for _ in islice(everything(paths), MOST_FILES + 1)) <= MOST_FILES


def _is_composition(found: object) -> bool:
    return isinstance(found, list) and len(found) == 2 and all(isinstance(part, dict) for part in found)


def _digest(paths: Sequence[str]) -> str:
    """Digest of every config file's name and bytes, links followed, and of Hydra's version; "" if more matters."""
    sha = hashlib.sha256("\0".join([version("hydra-core"), version("omegaconf")]).encode())
    for path in everything(paths):
        if not path.endswith(_CONFIGS):
            continue
        try:
            content = Path(path).read_bytes()
        except (FileNotFoundError, IsADirectoryError):  # a link that leads nowhere, or a folder
            content = b""
        except OSError:
            return ""
        if _RESOLVER.search(content):
            return ""
        sha.update(os.fsencode(path) + b"\0" + hashlib.sha256(content).digest())
    return sha.hexdigest()


_readers: dict[int, set[str]] = {}


@contextlib.contextmanager
def reading(read: set[str]) -> Iterator[None]:
    """Add every config file that is opened while the block runs to ``read``.

    Hydra does not report which files it reads: a search path, a package or ``..`` in defaults can lead anywhere.
    """
    _watch_opened_files()
    _readers[id(read)] = read
    try:
        yield
    finally:
        del _readers[id(read)]


@cache
def _watch_opened_files() -> None:
    sys.addaudithook(_opened)  # for good: an audit hook cannot be removed


def _opened(event: str, arguments: tuple[object, ...]) -> None:
    if _readers and event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.endswith(_CONFIGS):
            for read in list(_readers.values()):
                read.add(path)
