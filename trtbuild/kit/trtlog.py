"""TensorRT's own words: warnings and errors in a file, errors kept, since some are told to the logger only."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make_log(trt: Any, path: Path) -> Any:
    """A TensorRT logger: warnings and errors to ``path``, the rest (with its timings) to stdout; errors are kept.

    Build errors are told to the logger only; some calls log an error and return a plan all the same (RTX 1.7 with a
    foreign runtime platform), so errors count even when the call seems to succeed.
    """
    severities = {
        trt.ILogger.INTERNAL_ERROR: "E",
        trt.ILogger.ERROR: "E",
        trt.ILogger.WARNING: "W",
        trt.ILogger.INFO: "I",
    }

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.file = path.open("w", encoding="utf-8")

        def log(self, severity: Any, message: str) -> None:
            letter = severities.get(severity)
            if letter is None:
                return
            if letter == "I":
                print(f"[I] {message}", flush=True)
                return
            self.file.write(f"[{letter}] {message}\n")
            self.file.flush()
            if letter == "E":
                self.errors.append(" ".join(message.split()))

    return Log()


def use_log(log: Any) -> None:
    """Make Polygraphy create builders with our logger: it keeps its own in a module variable, not an argument."""
    from polygraphy.backend.trt import util

    util.TRT_LOGGER = log
