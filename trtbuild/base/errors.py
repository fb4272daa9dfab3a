"""The tree of errors: one class for each row of the exit-status table.

    TrtbuildError              70  a bug in trtbuild, when nothing below fits
    ├── ThresholdError          1  a verdict keeps a variant from what was asked for: it failed, or is unjudged
    ├── ConfigError             2  a config file, an override or the user's data is wrong
    │   └── DataError           2  calibration or validation arrays do not fit the model
    ├── PlaceError              3  the environment is wrong: workspace, toolchain, device, disk, remote
    │   ├── WorkspaceError      3  no git, no DVC repository, read-only, full disk
    │   ├── ToolchainError      3  the declared TensorRT is not installed, or another version is
    │   ├── RemoteError         3  a DVC remote cannot give or take an object
    │   └── BundleError         3  a bundle is not what its manifest says, or does not belong on this device
    └── ModelError              4  the model, or what a tool makes of it
        ├── SourceError         4  the source model cannot be loaded
        ├── ExportError         4  TensorFlow operations that have no ONNX form
        ├── LowerError          4  the graph cannot be written in the requested precision
        ├── EngineError         4  TensorRT refuses the graph
        └── WorkerDied          4  a step's process crashed (TensorRT's parser does, on some models)

Status 1 of a build (a threshold failed) is a verdict, and 130 (interrupted) is Python's KeyboardInterrupt.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable

from trtbuild.base.text import printable

_ACCESS, _SPACE = "ask its owner for access", "free space"
_MENDING = {errno.EACCES: _ACCESS, errno.EPERM: _ACCESS, errno.EROFS: "mount it writable", errno.ENOSPC: _SPACE,
            errno.EDQUOT: _SPACE}  # fmt: skip


class TrtbuildError(Exception):
    """What went wrong, where, and how to fix it, as one line.

    ``details`` are further lines for the curious (every failing node, say); the first line stands on its own.
    """

    exit_status = 70

    def __init__(self, what: str, *, where: str = "", hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        # Words of other programs and of users' code: their control characters are shown, not sent to the terminal.
        self.what = printable(" ".join(what.split()))
        self.where = printable(where)
        self.hint = printable(" ".join(hint.split()))
        self.details = tuple(map(printable, details))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}{self.what}{hint}"

    def document(self) -> dict[str, object]:
        """The error as ``--json`` has it (docs/json.md)."""
        return {"status": self.exit_status, "what": self.what, "where": self.where, "hint": self.hint,
                "details": list(self.details)}  # fmt: skip


class ThresholdError(TrtbuildError):
    exit_status = 1


class ConfigError(TrtbuildError):
    exit_status = 2
    placed = False  # whether ``where`` has the file and line (config/places.py)


class DataError(ConfigError):
    pass


class PlaceError(TrtbuildError):
    exit_status = 3


class WorkspaceError(PlaceError):
    pass


class ToolchainError(PlaceError):
    pass


class RemoteError(PlaceError):
    pass


class BundleError(PlaceError):
    """``reason``: a word of docs/bundle.md, by which every reader of bundles names the same refusal."""

    def __init__(
        self, what: str, *, where: str = "", hint: str = "", details: tuple[str, ...] = (), reason: str = ""
    ) -> None:
        super().__init__(f"{reason}: {what}" if reason else what, where=where, hint=hint, details=details)
        self.reason = reason


class ModelError(TrtbuildError):
    exit_status = 4


class SourceError(ModelError):
    pass


class ExportError(ModelError):
    pass


class LowerError(ModelError):
    pass


class EngineError(ModelError):
    pass


class WorkerDied(ModelError):
    pass


def error_named(name: str) -> type[TrtbuildError]:
    """The class that a worker's result names; an unknown name is a bug (exit status 70).

    >>> error_named("DataError").exit_status
    2
    """
    found = globals().get(name)
    return found if isinstance(found, type) and issubclass(found, TrtbuildError) else TrtbuildError


def worst_status(errors: Iterable[TrtbuildError]) -> int:
    """The highest exit status; 0 if there is no error."""
    return max((error.exit_status for error in errors), default=0)


def first_line(error: BaseException) -> str:
    """The first line of another tool's error message; the name of its class if the message is empty."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)


def system_error(error: OSError, otherwise: str, *, doing: str = "", kind: type[PlaceError] = PlaceError) -> PlaceError:
    """What the system refused (a full disk, a read-only file system, permission): what, where, and how to mend it.

    >>> str(system_error(PermissionError(13, "Permission denied", "/w/x"), "/w"))
    '/w/x: Permission denied; ask its owner for access'
    """
    what = error.strerror or str(error)
    hint = _MENDING.get(error.errno or 0, "")
    return kind(f"{doing}: {what}" if doing else what, where=place_of(error, otherwise), hint=hint)


def place_of(error: OSError, otherwise: str) -> str:
    """The file that an error is about: of a copy that found the disk full, the new one.

    >>> place_of(OSError(28, "No space left on device", "from", None, "to"), "")
    'to'
    """
    full = error.errno in (errno.ENOSPC, errno.EDQUOT) and error.filename2
    return str(full or error.filename or otherwise)
