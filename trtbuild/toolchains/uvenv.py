"""A separate environment for one TensorRT version: made with uv, then checked."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from trtbuild.base import lifeline
from trtbuild.base.errors import ToolchainError
from trtbuild.toolchains import health
from trtbuild.toolchains.request import ToolchainRequest


def create(want: ToolchainRequest, folder: Path, lock: int) -> list[str]:
    """Make the environment in ``folder``; returns the installed requirements' metadata folders, relative to it.

    ``lock``: a file descriptor that uv inherits.  If this process is killed, the folder stays until uv ends, too.

    Raises:
        ToolchainError: uv cannot install it, or what was installed is not what was declared.
    """
    _uv(want, folder.parent, lock, "venv", "--relocatable", "--no-python-downloads", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    where = ["--extra-index-url", want.index, "--index-strategy", "unsafe-best-match"] if want.index else []
    words = ["pip", "install", "--compile-bytecode", "--python", python, *where, *want.requirements]
    _uv(want, folder.parent, lock, *words)
    if health.use(want, python)[0]:
        # Its files are hard links to uv's cache: what damages one damages the other.
        _uv(want, folder.parent, lock, *words, "--reinstall", "--no-cache")
    _check(want, python)
    return _records(want, folder)


def check_driver(want: ToolchainRequest) -> None:
    """TensorRT times its kernels while it builds, so without a driver two gigabytes would be fetched for nothing."""
    if want.flavour != "tensorrt":
        return
    import ctypes

    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        what = f"TensorRT {want.version} builds on an NVIDIA GPU, and this machine has no driver (libcuda.so.1)"
        hint = "build on a machine with a GPU, or choose tensorrt=rtx-1.7, which compiles without one"
        raise ToolchainError(what, where="tensorrt", hint=hint) from None


def _uv(want: ToolchainRequest, cwd: Path, lock: int, *words: object) -> None:
    dropped = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_SYSTEM_PYTHON")
    environment = {key: value for key, value in os.environ.items() if key not in dropped}
    # TensorRT's source packages would call pip, which uv's environments lack; with this they list their wheels.
    environment["NVIDIA_TENSORRT_DISABLE_INTERNAL_PIP"] = "1"
    argv = [uv_program(), "--no-progress", *map(str, words)]
    done = lifeline.run(argv, cwd=cwd, env=environment, pass_fds=[lock])
    if done.returncode == 0:
        return
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    place = f"from {want.index} " if want.index else ""
    hint = f"check network and package index, then: {want.command}"
    if want.flavour == "tensorrt" and not want.index:
        hint = "TensorRT's libraries are in NVIDIA's own package index only: set NVIDIA_PIP_INDEX_URL to its address"
    raise ToolchainError(
        f"{want.title} cannot be installed {place}({_reason(lines)})", where="tensorrt", hint=hint,
        details=tuple(lines[:12]),
    )  # fmt: skip


def _reason(lines: Sequence[str]) -> str:
    """The innermost cause of uv's message.

    >>> _reason(["error: Failed to fetch: `https://x/`", "cause: dns error", "cause: Name or service not known"])
    'Name or service not known'
    """
    causes = [line.removeprefix("cause: ") for line in lines if line.startswith("cause: ")]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return ([*errors, *causes] or [*lines[:1], "uv gave no reason"])[-1 if causes else 0]


def uv_program() -> str:
    """The uv that came with us, else the one on PATH."""
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise ToolchainError(
            "uv is not installed, but toolchains are made with it", where="uv", hint="run: pip install uv"
        )
    return found


def _check(want: ToolchainRequest, python: Path) -> None:
    """The exact version, importable, and able to make a builder."""
    why, details = health.use(want, python)
    if not why:
        return
    what = f"{want.title} was installed, but {why}"
    if why.startswith("is "):
        what = f"{want.version} is declared, but {why.removeprefix('is ')} is what its requirements install"
    raise ToolchainError(what, where="tensorrt", hint="see conf/tensorrt and this machine's driver", details=details)


def _records(want: ToolchainRequest, folder: Path) -> list[str]:
    """The installed requirements' metadata folders: gone as soon as somebody upgrades a package in there.

    Raises:
        ToolchainError: uv resolved a requirement to another version than the pinned one.
    """
    site = next((folder / "lib").glob("python*")) / "site-packages"
    found = {re.sub(r"[-_.]+", "-", path.name.removesuffix(".dist-info")).lower(): path
             for path in site.glob("*.dist-info")}  # fmt: skip
    records = []
    for requirement in want.requirements:
        path = found.get(re.sub(r"[-_.]+", "-", requirement).replace("==", "-").lower())
        if path is None:
            raise ToolchainError(f"{requirement} is not what was installed", where="tensorrt.requirements")
        records.append(path.relative_to(folder).as_posix())
    return records
