"""The console script: the remembered answer, or else a verb; an error becomes one line and an exit status."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from trtbuild.cli import streams


def run(argv: Sequence[str]) -> int:
    """One command; returns its exit status, raises TrtbuildError."""
    from trtbuild.cli import noop

    root = noop.find_root(os.getcwd())
    answer = noop.recall(root, argv) if root else None
    if answer is not None:
        for stream, text in zip((sys.stdout, sys.stderr), answer.output, strict=True):
            stream.write(text)
        return answer.status
    from trtbuild.cli import words

    if "--version" in argv:
        print("\n".join(_versions()))
        return 0
    if not argv or list(argv) in (["--help"], ["-h"]):
        print(words.overview(), end="", file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    args = words.parse(argv)
    return words.command(args.verb).run(args)


def main() -> NoReturn:
    """The entry point: the only place that exits, and that catches everything."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, _interrupt)
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for verbs that run graphs in this process
    out = streams.take_over()
    try:
        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # another one has nothing left to stop
            signal.signal(number, signal.SIG_IGN)
        status, what = 130, "interrupted; finished steps are kept; run it again to continue"
        print(f"trtbuild: {what}", file=sys.stderr)
        _document(status, what)
    except BrokenPipeError as error:
        status = _unwritten(error)
    except Exception as error:
        status = _report(error)
    if (failed := streams.finish(out)) is not None:
        status = _unwritten(failed)
    sys.exit(status)


def _unwritten(error: OSError) -> int:
    """The exit status when the work was done but its output could not be written."""
    if isinstance(error, BrokenPipeError):  # the reader (head, say) has read enough and closed the pipe
        return 128 + signal.SIGPIPE
    hint = "finished work is kept: run it again with another output"
    print(f"trtbuild: stdout: cannot be written: {error.strerror or error}; {hint}", file=sys.stderr)
    return 3


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _versions() -> list[str]:
    """What a bug report needs: this package first, then all that makes artifacts."""
    import platform
    from importlib.metadata import version

    from trtbuild import __version__, config

    tools = {**config.installed(), "dvc": version("dvc"), "python": platform.python_version()}
    lines = [f"{tool} {tools[tool]}" for tool in sorted(tools)]
    return [f"trtbuild {__version__}", *lines, f"{platform.system()} {platform.release()} {platform.machine()}"]


def _document(status: int, what: str, where: str = "", hint: str = "", details: Sequence[str] = ()) -> None:
    """With --json, an error is one document, too."""
    if "--json" in sys.argv:
        import json

        error = {"status": status, "what": what, "where": where, "hint": hint, "details": list(details)}
        print(json.dumps({"schema_version": 1, "error": error}, indent=1))


def _report(error: Exception) -> int:
    """One line for the user; only a bug shows its traceback."""
    from trtbuild.base.errors import PlaceError, TrtbuildError

    if isinstance(error, OSError) and not isinstance(error, TrtbuildError):
        error = PlaceError(error.strerror or str(error), where=str(error.filename or os.getcwd()))
    if isinstance(error, TrtbuildError) and error.exit_status != 70:
        print(f"trtbuild: {error}", file=sys.stderr)
        for line in error.details:
            print(f"  {line}", file=sys.stderr)
        _document(error.exit_status, error.what, error.where, error.hint, error.details)
        return error.exit_status
    import traceback

    traceback.print_exception(error)
    print("trtbuild: this is a bug in trtbuild; please report it with the lines above", file=sys.stderr)
    _document(70, f"{type(error).__name__}: {error}", hint="this is a bug in trtbuild; please report it")
    return 70
