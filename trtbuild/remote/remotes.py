"""One DVC remote, through DVC's own configuration and transports: sizes, downloads, uploads, run-cache entries."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

from trtbuild.base.errors import RemoteError, WorkspaceError
from trtbuild.base.text import did_you_mean
from trtbuild.base.workspace import Workspace
from trtbuild.remote.parallel import in_parallel

if TYPE_CHECKING:
    from dvc.fs import FileSystem

_MOST_JOBS = 8  # at once; more are no faster over ssh, whose servers allow ten sessions
_SILENCE_S = 120.0  # longer than a transport's own time-outs and retries
_EXTRAS = ("ssh", "s3")  # trtbuild's own extras; DVC's other transports have packages of their own
_REFUSED = ("PermissionError", "PermissionDenied", "NoCredentialsError", "PartialCredentialsError", "AuthError")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_UNTRUSTED = ("HostKeyNotVerifiable",)
T = TypeVar("T")


class TamperedError(RemoteError):
    """The remote can be used, but something on it is not what its record says."""


@dataclass(frozen=True)
class Remote:
    """``fs`` is DVC's file system of the remote, ``root`` the remote's folder in it; paths below are relative to it.

    Every method raises RemoteError, one line that names the remote, when it cannot be reached or refuses.
    """

    name: str
    url: str
    fs: FileSystem
    root: str
    _last: list[float] = field(default_factory=lambda: [0.0])  # when data was last transferred, by the monotonic clock

    def __str__(self) -> str:
        return f"remote '{self.name}' ({self.url})"

    def size(self, path: str) -> int | None:
        """Size in bytes; None when there is no such file."""
        with self._named():
            try:
                return int(self.fs.info(self._full(path))["size"])
            except (FileNotFoundError, NotADirectoryError):
                return None

    def fetch(self, path: str, file: Path) -> bool:
        """Download into ``file``; False when the remote has no such file.  The bytes are not verified here."""
        with self._named():
            try:
                self.fs.get_file(self._full(path), str(file), callback=self._progress())
            except (FileNotFoundError, NotADirectoryError):
                file.unlink(missing_ok=True)
                return False
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                raise WorkspaceError("the disk is full", where=str(file.parent), hint="free space") from None
        return True

    def send(self, file: Path, path: str) -> None:
        """Upload under a temporary name, then rename (DVC's ssh transport, too; object stores are atomic)."""
        with self._named():
            if self.fs.protocol == "local":  # DVC's leaves its temporary file on a full disk
                _copy(file, Path(self._full(path)))
                return
            self.fs.put_file(str(file), self._full(path), callback=self._progress())

    def write(self, content: bytes, path: str) -> None:
        """Upload a small file; the workspace may be another user's, and is not written."""
        with tempfile.NamedTemporaryFile(prefix="trtbuild-") as file:
            file.write(content)
            file.flush()
            self.send(Path(file.name), path)

    def read(self, path: str) -> bytes:
        with self._named():
            return bytes(self.fs.cat_file(self._full(path)))

    @property
    def lists(self) -> bool:
        """Whether its folders can be listed; over HTTP they cannot, so that DVC has no run cache there either."""
        return self.fs.protocol not in ("http", "https")

    def files(self, folder: str) -> list[str]:
        """Names of the files in a folder, oldest first where the remote gives their age, without temporary ones."""
        dated = [(_age(entry), name) for name, entry in self._listed(folder).items()]
        return [name for _, name in sorted(dated) if not name.startswith(".")]

    def sizes(self, folder: str) -> dict[str, int]:
        """Size in bytes of every file in a folder, by name; of a remote that lists."""
        sizes = {name: entry.get("size") for name, entry in self._listed(folder).items()}
        return {name: size for name, size in sizes.items() if isinstance(size, int)}

    def _listed(self, folder: str) -> dict[str, Mapping[str, object]]:
        if not self.lists:
            return {}
        with self._named():
            try:
                found = self.fs.ls(self._full(folder), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
        return {entry["name"].rstrip("/").rpartition("/")[2]: entry for entry in found}

    def there(self) -> bool:
        """Whether the remote's own folder exists: an absent mount or bucket looks like a remote without objects."""
        with self._named():
            return bool(self.fs.exists(self.root))

    def each(self, items: Iterable[T], work: Callable[[T], None], silence_s: float = _SILENCE_S) -> None:
        """Do ``work`` for every item, several at a time; the first error stops it and is raised.

        The threads are daemons: after an interrupt nobody waits for the object in transit.

        Raises:
            RemoteError: nothing was transferred for ``silence_s``; a broken network may never report an error.
        """
        self._last[0] = time.monotonic()
        ended = in_parallel(int(min(self.fs.jobs, _MOST_JOBS)), items, work)
        for waiting in ended:
            if waiting and time.monotonic() - self._last[0] > silence_s:
                ended.close()
                what, hint = f"nothing was transferred for {silence_s:g} s", "check the network, then run it again"
                raise RemoteError(what, where=str(self), hint=hint)
            if not waiting:
                self._last[0] = time.monotonic()

    def _progress(self) -> object:
        """A callback that notes transferred bytes; a local folder copies faster without it."""
        if self.fs.protocol == "local":
            return None
        from fsspec.callbacks import Callback

        return Callback(hooks={"seen": lambda size, value, **_: self._last.__setitem__(0, time.monotonic())})

    def _full(self, path: str) -> str:
        return str(self.fs.join(self.root, *path.split("/")))

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        # Transports are plug-ins (asyncssh, botocore, aiohttp, …) whose errors have no base class in common.
        try:
            yield
        except WorkspaceError:
            raise
        except Exception as error:
            raise _as_remote_error(error, str(self)) from error


def open_remote(workspace: Workspace, name: str = "") -> Remote:
    """The named remote in DVC's config, or the default one (``core.remote``).  It does not connect yet.

    Raises:
        RemoteError: it is not configured, its transport is not installed, or it is a cloud-versioned one.
    """
    from dvc.config import Config, ConfigError, RemoteNotFoundError
    from dvc.fs import RemoteMissingDepsError, get_cloud_fs

    where = str(workspace.dvc / "config")
    try:
        config = Config(str(workspace.dvc))
        known = sorted(config["remote"])
        name = name or config["core"].get("remote", "")
        if not name:
            there = f"or name one with --remote ({', '.join(known)})" if known else ""
            hint = f"run: dvc remote {'default NAME' if known else 'add -d NAME URL'} {there}"
            raise RemoteError("no default remote is configured", where=where, hint=hint)
        cls, options, root = get_cloud_fs(config, name=name)
        if options.get("worktree") or options.get("version_aware"):
            what = f"remote '{name}' is cloud-versioned, which push and pull do not support"
            raise RemoteError(what, where=where, hint="use dvc push and dvc pull, or a plain remote")
        return Remote(name, _without_password(config["remote"][name]["url"]), cls(**options), root)
    except RemoteNotFoundError:
        hint = did_you_mean(name, known) or "run: dvc remote add"
        raise RemoteError(f"there is no remote '{name}'", where=where, hint=hint) from None
    except (ImportError, RemoteMissingDepsError):
        scheme = urlsplit(config["remote"][name]["url"]).scheme
        package = f"trtbuild[{scheme}]" if scheme in _EXTRAS else f"dvc[{scheme}]"
        what = f"the transport of remote '{name}' ({scheme}) is not installed"
        raise RemoteError(what, where=where, hint=f"run: pip install '{package}'") from None
    except ConfigError as error:
        raise RemoteError(str(error), where=where, hint="see: dvc remote list") from None


def answers(remote: Remote, seconds: float) -> bool:
    """Whether the remote's folder exists; a build must not wait minutes for a silent host.

    Raises:
        RemoteError: it refuses, or does not answer in time.
    """
    answer: list[bool | BaseException] = []

    def ask() -> None:
        try:
            answer.append(remote.there())
        except BaseException as error:
            answer.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer:
        raise RemoteError(f"no answer within {seconds:g} s", where=str(remote), hint="check the network")
    if isinstance(answer[0], BaseException):
        raise answer[0]
    return answer[0]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _as_remote_error(error: BaseException, where: str) -> RemoteError:
    """A one-line error, refused or unreachable, with the transport's own words."""
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and inner not in chain:
        chain.append(inner)
    kinds = {cls.__name__ for link in chain for cls in type(link).__mro__}
    words = next((text for link in chain if (text := str(link).strip())), type(error).__name__)
    message = words.splitlines()[0][:300]
    if kinds & set(_UNTRUSTED):
        return RemoteError(f"its host key is not known: {message}", where=where, hint="connect once with ssh")
    if kinds & set(_REFUSED) or "Forbidden" in message or "AccessDenied" in message:
        return RemoteError(f"it refuses: {message}", where=where, hint="check user, key and permissions of the remote")
    if any(isinstance(link, OSError) and link.errno in _FULL for link in chain):
        hint = "free space there, then run the same again: what has arrived is kept"
        return RemoteError("no space left on the device", where=where, hint=hint)
    hint = "check that it is up, then run the same again: what has arrived is kept"
    return RemoteError(f"it cannot be used: {message}", where=where, hint=hint)


def _age(entry: Mapping[str, object]) -> float:
    """Seconds since the epoch of a listed file's last change; 0 when the remote does not say."""
    stamp = entry.get("mtime") or entry.get("LastModified") or entry.get("last_modified")
    if isinstance(stamp, datetime):
        return stamp.timestamp()
    return float(stamp) if isinstance(stamp, (int, float)) else 0.0


def _without_password(url: str) -> str:
    parts = urlsplit(str(url))
    if parts.password is None:
        return str(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.netloc.rpartition('@')[2]}"))
