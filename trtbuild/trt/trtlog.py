"""TensorRT's own words: warnings and errors in a file and kept, since some reach only the logger."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trtbuild.core.complaint import Complaint, RefusalStage

if TYPE_CHECKING:
    from types import ModuleType


# Logged at the lowest level, before each node and each constant is imported.
_NODE = re.compile(r"[Pp]arsing node: (?P<node>.*?) ?\[(?P<kind>\w+)\]$|Importing initializer: (?P<constant>.*)$")


class Log(Protocol):
    """A TensorRT logger that keeps what it is given; ``node``: name and type of the node that the parser is at."""

    errors: list[str]
    warnings: list[Complaint]
    node: tuple[str, str]


def make_log(trt: ModuleType, path: Path, wanted: Callable[[str], bool] = lambda message: False) -> Log:
    """A TensorRT logger: warnings and errors to ``path``, the rest (with its timings) to stdout; both are kept.

    Of the rest, ``path`` has what is ``wanted`` too.

    Build errors reach only the logger; some calls log an error and still return a plan (RTX 1.7 with a
    foreign runtime platform), so errors count even when the call seems to succeed.
    """
    severities = {
        trt.ILogger.INTERNAL_ERROR: "E",
        trt.ILogger.ERROR: "E",
        trt.ILogger.WARNING: "W",
        trt.ILogger.INFO: "I",
    }

    class FileLog(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []
            self.warnings: list[Complaint] = []  # with the node that the parser is at
            self.node = ("", "")
            self.file = path.open("w", encoding="utf-8")

        def log(self, severity: object, message: str) -> None:
            letter = severities.get(severity)
            if letter in (None, "I") and wanted(message):
                self.file.write(f"[{letter or 'V'}] {message}\n")
                self.file.flush()
            if letter is None:
                if at := _NODE.search(message):
                    self.node = (at["constant"] or at["node"] or "", at["kind"] or "Constant")
                return
            if letter == "I":
                print(f"[I] {message}", flush=True)
                return
            self.file.write(f"[{letter}] {message}\n")
            self.file.flush()
            if letter == "E":
                self.errors.append(" ".join(message.split()))
            elif letter == "W":
                stage: RefusalStage = "parse" if self.node[1] else "build"
                self.warnings.append(Complaint(*self.node, stage, " ".join(message.split())))

    return FileLog()


def use_log(log: Log) -> None:
    """Make Polygraphy create builders with our logger: it keeps its own in a module variable, not an argument."""
    from polygraphy.backend.trt import util

    util.TRT_LOGGER = log
