"""Standard output and error that never stop a command: a failed write is remembered, for the exit status."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, TextIO


class Stream(io.FileIO):
    """A descriptor whose first failed write is kept in ``failed``; later writes go on."""

    failed: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:  # closed, full, or its reader has left
            self.failed = self.failed or error
            return memoryview(data).nbytes


def take_over() -> Stream | None:
    """Put such streams in place of Python's own; returns standard output, or None where it was replaced already.

    Characters that a stream's encoding lacks are replaced.  A closed descriptor is opened: otherwise the next file that
    a build opens would get its number, and receive what libraries write to standard error.
    """
    for number in range(3):
        _keep_open(number)
    out = None
    if sys.stdout is sys.__stdout__:
        out = Stream(1, "w", closefd=False)
        sys.stdout = _text(out, sys.stdout, live=out.isatty())
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(Stream(2, "w", closefd=False), sys.stderr, live=True)
    return out


def finish(out: Stream | None) -> OSError | None:
    """Flush both streams; returns the error that kept standard output from being written in full."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return out.failed if out is not None else None


def _keep_open(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        # Standard output is opened read-only: an answer that nobody receives is a failure.
        os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)


def _text(raw: Stream, old: TextIO | None, *, live: bool) -> TextIO:
    encoding = getattr(old, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="replace", line_buffering=live)
