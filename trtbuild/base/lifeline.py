"""Programs that die with whoever started them, and with everything that they started in turn.

Each has a supervisor (supervisor.py), which holds the end of a pipe that the kernel closes with this process, however
that dies.  Standard library only, since a training process may start them.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_SUPERVISOR = str(Path(__file__).with_name("supervisor.py"))


def run(
    command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (), timeout_s: float | None = None, merged: bool = False,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """As subprocess.run with captured text and no input; the command dies with this process, and at the limit.

    Args:
        merged: whether stderr goes to stdout.

    Raises:
        FileNotFoundError: there is no such program.  subprocess.TimeoutExpired: with the bytes that it had written.
    """
    # Into files: a pipe ends only when nobody holds it any more, a killed supervisor's orphans included.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process, lifeline = start(
            command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT if merged else err, pass_fds=pass_fds
        )
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired as expired:
            expired.output = _text(out).encode()
            raise
        finally:
            os.close(lifeline)  # if it still runs, it is ended now
            process.wait()
        return subprocess.CompletedProcess(list(command), process.returncode, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def start(
    command: Sequence[str], *, env: Mapping[str, str] | None, pass_fds: Sequence[int] = (), **options: Any
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command without input, in a session of its own, with subprocess.Popen's ``options``.

    Raises FileNotFoundError: there is no such program.

    Returns:
        The supervisor, which ends last, and as the command did; and a descriptor: once it is closed, all of it ends.
    """
    if shutil.which(command[0], path=None if env is None else env.get("PATH")) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    watch, lifeline = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", _SUPERVISOR, str(watch), *command], stdin=subprocess.DEVNULL,
            env=env, pass_fds=[watch, *pass_fds], start_new_session=True, **options,
        )  # fmt: skip
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(watch)
    return process, lifeline
