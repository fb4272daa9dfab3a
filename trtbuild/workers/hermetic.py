"""A process whose memory looks the same on every run: fixed environment, fixed path lengths, no address randomisation.

TensorRT-RTX numbers its internal tensors by walking containers ordered by address (seen in 1.7.1 on int8 graphs with
dynamic shapes: ``__mye4400`` against ``__mye4352``), so a plan's bytes depend on where the heap is, and so on
the environment's size and on the length of every path the process has seen.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from trtbuild.base.claim import Claim, claim
from trtbuild.base.errors import PlaceError

WORKER = Path(__file__).resolve().with_name("run.py")
# What a GPU driver or a library folder outside the default path may need; nothing else is passed on.
_PASSED = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES")
_FIXED = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    # The builder has a thread and an arena of its own (steps/engine.py); the thread's cache of freed chunks would hand
    # it chunks of the main heap all the same, whose places depend on so little as one more package in the environment.
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def alias(name: str, interpreter: Path, sandbox: Path) -> Claim:
    """A folder with links to environment, package and sandbox, so that paths have one length everywhere.

    Named by the step's key and a digit, because other workspaces and users may be building the same step now.
    """
    for digit in "0123456789abcdef":
        try:
            made = claim(Path("/tmp", f"trtbuild-{name[:15]}{digit}"), mode=0o700)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.ELOOP):
                raise
            continue  # another user's
        if made is not None:
            (made.folder / "env").symlink_to(interpreter.parent.parent)
            (made.folder / "lib").symlink_to(WORKER.parents[2])
            (made.folder / "job").symlink_to(sandbox)
            return made
    raise PlaceError("sixteen builds of one step at once", where="/tmp", hint="wait until they end")


def command(folder: Path, interpreter: Path) -> list[str]:
    python = folder / "env" / "bin" / interpreter.name
    worker = folder / "lib" / WORKER.relative_to(WORKER.parents[2])
    return [str(python), "-s", str(worker), str(folder / "job"), "fixed-addresses"]


def environment() -> dict[str, str]:
    return _FIXED | {name: os.environ[name] for name in _PASSED if name in os.environ}
