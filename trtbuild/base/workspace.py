"""Where things are in a workspace: the folder with conf/, build/, git, and DVC's .dvc/."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trtbuild.base.checkout import whole
from trtbuild.base.claim import claimed, sweep
from trtbuild.base.errors import PlaceError, WorkspaceError, system_error
from trtbuild.base.files import inside

_GROUP_FOLDER, _GROUP_FILE = 0o2775, 0o664  # as DVC (dvc_data/hashfile/db/local.py)
PAGES = SEARCHES, SWEEPS, UPGRADES = "build/auto", "build/sweeps", "build/upgrades"  # no record is in these
INIT_HINT = "make one with: trtbuild init DIRECTORY"


@dataclass(frozen=True)
class Workspace:
    root: Path

    @property
    def conf(self) -> Path:
        return self.root / "conf"

    @property
    def private(self) -> Path:
        """Our own scratch: sandboxes, locks, caches of stat signatures.  Safe to delete at any time."""
        return self.root / ".trtbuild"

    @property
    def work(self) -> Path:
        return self.private / "work"

    @property
    def dvc(self) -> Path:
        return self.root / ".dvc"

    @cached_property
    def cache(self) -> Path:
        """DVC's cache folder; ``cache.dir`` in DVC's local, repository, user or system config moves it."""
        file, moved = self._setting("cache", "dir")
        return _place(file, moved) if moved else self.dvc / "cache"

    @cached_property
    def _shared(self) -> bool:
        return self._setting("cache", "shared")[1] == "group"

    def in_cache(self, folder: Path) -> Path:
        """A folder in the cache, made if it is lacking; with ``cache.shared group`` its group can write, as in DVC."""
        if not self._shared or not folder.is_relative_to(self.cache):
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        for each in reversed([folder, *folder.parents]):
            if each.is_relative_to(self.cache) and not each.exists():
                with contextlib.suppress(FileExistsError):  # since a moment ago, and perhaps another user's
                    each.mkdir()
                    each.chmod(_GROUP_FOLDER)
        return folder

    def share(self, file: Path) -> None:
        """Let the group write a file of the cache that is not an object, where DVC would."""
        if self._shared:
            with contextlib.suppress(OSError):  # another user's, who has done it
                file.chmod(_GROUP_FILE)

    @cached_property
    def default_remote(self) -> str:
        """``core.remote`` in the same config files; "" if there is none."""
        return self._setting("core", "remote")[1]

    @property
    def remotes(self) -> list[str]:
        """Names of all remotes in the same config files."""
        sections = (section for file in self._configs() for section in _read_config(file).sections())
        named = (re.fullmatch(r"'?remote \"(.+)\"'?", section) for section in sections)
        return sorted({found[1] for found in named if found})

    def _setting(self, section: str, key: str) -> tuple[Path, str]:
        """A setting of DVC, and the first config file that has it; "" if none has."""
        found = ((file, _read_config(file).get(section, key, fallback="").strip("\"'")) for file in self._configs())
        return next((one for one in found if one[1]), (self.dvc / "config", ""))

    def _configs(self) -> list[Path]:
        home = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
        system = [Path(folder) for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")]
        return [self.dvc / "config.local", self.dvc / "config", *(f / "dvc" / "config" for f in (home, *system))]

    def inside(self, relative: str, *, where: str, replaced: bool = False) -> Path:
        """A workspace path that a config or a record names; links may lead into DVC's cache (``cache.type symlink``).

        Raises:
            ConfigError: as :func:`trtbuild.base.files.inside`.
        """
        return inside(self.root, relative, where=where, replaced=replaced, beside=[self.cache])

    def prepare(self) -> None:
        """Make the private folder, which git ignores.

        Raises:
            WorkspaceError: the workspace cannot be written.
        """
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            ignore = self.private / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", "utf-8")
            for folder in (self.root, self.work):  # another user may have made the second
                if not os.access(folder, os.W_OK):
                    raise PermissionError(13, "Permission denied", str(folder))
        except OSError as error:
            raise not_writable(error, self.root) from None

    def page_folder(self, parent: str, name: str) -> Path:
        """Make a folder of pages in one of PAGES, which git ignores: it has the records that they show."""
        folder = self.root / parent / name
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder.parent / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")
        return folder

    @contextlib.contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """A folder for work in progress, of this process alone; what killed processes left there is removed."""
        self.prepare()
        sweep(self.work)
        with claimed(self.work, name) as folder:
            yield folder


def not_writable(error: OSError, root: Path) -> PlaceError:
    """The error for a workspace that another user owns, on a read-only mount or a full disk."""
    return system_error(error, str(root), doing="the workspace cannot be written", kind=WorkspaceError)


def find_workspace(start: Path) -> Workspace:
    """The nearest folder at or above ``start`` that has a .dvc folder; it must be in a git repository, as DVC requires.

    Raises:
        WorkspaceError: there is none, git is missing and .dvc/config does not say ``no_scm = true``, or the checkout
            is incomplete.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / ".dvc").is_dir():
            if not (_in_git(folder) or _no_scm(folder)):
                raise WorkspaceError("not in a git repository", where=str(folder), hint="run: git init")
            if not (folder / "conf").is_dir():
                whole(folder / "conf", "conf")
            return Workspace(folder)
    if _in_git(start):
        whole(start / ".dvc", ".dvc")
        raise WorkspaceError("no DVC repository here or above", where=str(start), hint=INIT_HINT)
    raise WorkspaceError("no git or DVC repository here or above", where=str(start), hint=INIT_HINT)


def workspace_here() -> Workspace | None:
    """The workspace of the current folder, or None: reductions, suites and trainings run anywhere."""
    try:
        return find_workspace(Path.cwd())
    except (WorkspaceError, OSError):  # OSError: the folder is gone or unreadable
        return None


def _in_git(folder: Path) -> bool:
    return any((parent / ".git").exists() for parent in (folder, *folder.parents))


def _no_scm(folder: Path) -> bool:
    return _read_config(folder / ".dvc" / "config").get("core", "no_scm", fallback="false").lower() == "true"


def _place(config: Path, said: str) -> Path:
    """The folder that a DVC config names, relative to its own.

    Raises:
        WorkspaceError: it cannot be a path.
    """
    try:
        return (config.parent / Path(said).expanduser()).resolve()
    except (ValueError, RuntimeError, OSError):  # a NUL, the home of no user or a circle of links, too long a name
        what, hint = f"cache.dir is not the path of a folder: {said!r:.80}", "set it with: dvc cache dir FOLDER"
        raise WorkspaceError(what, where=str(config), hint=hint) from None


def _read_config(file: Path) -> configparser.ConfigParser:
    """One of DVC's config files; a missing one counts as empty.

    Raises:
        WorkspaceError: it is not in DVC's format.
    """
    config = configparser.ConfigParser(interpolation=None, strict=False)
    hint = "restore it with git, or set it with: dvc config"
    try:
        config.read_string(file.read_text("utf-8"), file.name)
    except (FileNotFoundError, NotADirectoryError):
        return config
    except OSError as error:
        raise WorkspaceError(f"cannot be read: {error.strerror}", where=str(file)) from None
    except UnicodeDecodeError:
        raise WorkspaceError("not a DVC config: not UTF-8 text", where=str(file), hint=hint) from None
    except configparser.Error as error:
        what = error.message.splitlines()[0].removesuffix(f": {file.name!r}")
        raise WorkspaceError(f"not a DVC config: {what}", where=str(file), hint=hint) from None
    return config
