"""Which interpreter runs a TensorRT version: this environment if it has it, else a separate one, made with uv.

An environment lies in the user's cache, named by all that it was made from.  It is made beside its place and renamed,
so what is there is whole; users hold a shared lock on it, and whoever makes or removes it an exclusive one.  The
kernel drops locks with their holders.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ToolchainError
from trtbuild.core.step import Step
from trtbuild.toolchains import health, uvenv
from trtbuild.toolchains.request import ToolchainRequest, cache

STAMP = "toolchain.json"
Note = Callable[[str], None]
# Shared locks on the environments that this process uses; never closed, so that none is removed before it ends.
_HELD: dict[Path, int] = {}
# Errors of failed installs: in a sweep, the next step must not wait for the network again.
_FAILED: dict[Path, ToolchainError] = {}


def wanted(params: Mapping[str, Any]) -> ToolchainRequest:
    """The toolchain that a step's recipe declares."""
    return ToolchainRequest(params["flavour"], params["tensorrt"], tuple(params["requirements"]))


def of_step(step: Step, *, install: bool, note: Note) -> Path:
    """The interpreter that a step runs in."""
    if step.environment == "main":
        return Path(sys.executable)
    return interpreter(wanted(step.params), install=install, note=note)


def interpreter(want: ToolchainRequest, *, install: bool = True, note: Note = lambda line: None) -> Path:
    """The interpreter that has exactly this TensorRT and the pinned requirements; it is kept while this process lives.

    Raises:
        ToolchainError: it is not installed, and may not or cannot be.
    """
    for requirement in want.requirements:
        name, _, pinned = requirement.partition("==")
        if re.fullmatch(rf"{want.flavour}(-cu\d+)?", name) and pinned != want.version:
            what = f"{want.version} is declared, but {requirement} is required"
            raise ToolchainError(what, where="tensorrt.version", hint="make version and requirements agree")
    here, why_not = in_this_environment(want)
    if here:
        return Path(sys.executable)
    folder = want.folder
    if folder in _FAILED:
        raise _FAILED[folder]
    try:
        while not _hold(want):
            if not install:
                broken = flaw(want)
                state = f"is installed, but {broken}" if broken else f"is not installed ({why_not})"
                what = f"{want.title} {state}"
                raise ToolchainError(what, where="tensorrt", hint=f"run: {want.command}")
            make(want, note)
    except ToolchainError as error:
        _FAILED[folder] = error
        raise
    return folder / "bin" / "python"


def in_this_environment(want: ToolchainRequest) -> tuple[bool, str]:
    """Whether the environment that trtbuild runs in has all of it; if not, why."""
    for requirement in want.requirements:
        name, _, pinned = requirement.partition("==")
        try:
            have = version(name)
        except PackageNotFoundError:
            return False, f"this environment has no {name}"
        if have != pinned:
            return False, f"this environment has {name} {have}"
    why = health.flaw(want, Path(sys.executable))
    return (False, f"that of this environment {why}") if why else (True, "")


def installed(want: ToolchainRequest) -> bool:
    """Whether its environment is there and works."""
    return flaw(want) == ""


def flaw(want: ToolchainRequest) -> str | None:
    """Why its environment does not work, "" if it does; None if there is none.

    By its stamp and the packages' own records, and by use whenever its files have changed.
    """
    folder, python = want.folder, want.folder / "bin" / "python"
    try:
        stamp = json.loads((folder / STAMP).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    records = stamp.get("records") if isinstance(stamp, dict) and stamp.get("identity") == want.identity else None
    if not isinstance(records, list) or not all(isinstance(record, str) for record in records):
        return None
    if not python.exists():  # a link, and its target may be gone
        return "has lost its Python"
    lost = next((record for record in records if not (folder / record).is_dir()), None)
    return f"lacks {Path(lost).name}" if lost else health.flaw(want, python)


def _hold(want: ToolchainRequest) -> bool:
    """Take a shared lock for the rest of this process, if the environment is there."""
    folder = want.folder
    if folder not in _HELD:
        if not installed(want):
            return False
        try:
            handle = _open_lock(folder)
        except OSError:  # a cache that somebody else made and keeps: nobody removes anything there
            return True
        fcntl.flock(handle, fcntl.LOCK_SH)
        if not installed(want):  # it was removed meanwhile
            os.close(handle)
            return False
        _HELD[folder] = handle
    return True


def _open_lock(folder: Path) -> int:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return os.open(folder.with_name(f"{folder.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)


@contextlib.contextmanager
def _alone(folder: Path, waiting: Callable[[], None] | None) -> Iterator[int]:
    """Hold a toolchain's lock alone; without ``waiting`` do not wait.

    Raises:
        BlockingIOError: somebody uses it.
    """
    handle = _open_lock(folder)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is None:
                raise
            waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def make(want: ToolchainRequest, note: Note) -> bool:
    """Install it, and check it; returns False when another process did so meanwhile.

    Raises:
        ToolchainError: uv cannot install it, or what was installed is not what was declared.
    """
    uvenv.check_driver(want)
    folder = want.folder
    with _alone(folder, lambda: note(f"wait   for another installation of {want.title}")) as lock:
        if installed(want):
            return False
        note(f"install {want.title} into {folder}")
        for stale in [folder, *folder.parent.glob(f".{folder.name}.*")]:  # of an install that was killed
            shutil.rmtree(stale, ignore_errors=True)
        partial = folder.with_name(f".{folder.name}.{os.getpid()}")
        try:
            records = uvenv.create(want, partial, lock)
            stamp = {"identity": want.identity, "records": records}
            (partial / STAMP).write_text(json.dumps(stamp, indent=1) + "\n", "utf-8")
            partial.rename(folder)
            health.flaw(want, folder / "bin" / "python", lambda: "")  # it has just been tried
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return True


def remove(want: ToolchainRequest) -> bool:
    """Remove its environment; returns False when there is none.

    Raises:
        ToolchainError: a build uses it.
    """
    return remove_folder(want.folder, want.title)


def remove_folder(folder: Path, title: str) -> bool:
    """As :func:`remove`, an environment by its folder."""
    if not folder.exists():
        return False
    try:
        with _alone(folder, None):
            dead = folder.with_name(f".{folder.name}.{os.getpid()}")
            folder.rename(dead)
            shutil.rmtree(dead)
    except BlockingIOError:
        raise ToolchainError("a build is using it", where=title, hint="wait until it ends, then try again") from None
    return True


def environments() -> dict[Path, str]:
    """The folder of every environment in the user's cache, and its version; "" for what a killed install left."""
    found = {}
    for folder in sorted(path for path in cache().glob("*") if path.is_dir()):
        if folder.name.startswith("."):
            if not _is_locked(folder.with_name(folder.name[1:].rpartition(".")[0])):
                found[folder] = ""
        elif (named := re.fullmatch(r"(?:tensorrt-rtx|tensorrt)-([0-9.]+)-[0-9a-f]{12}", folder.name)) is not None:
            found[folder] = named[1]
    return found


def _is_locked(folder: Path) -> bool:
    try:
        with _alone(folder, None):
            return False
    except BlockingIOError:
        return True
