"""The console script: the remembered answer, or else a verb; an error becomes one line and an exit status."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from trtbuild.cli import streams

if TYPE_CHECKING:
    from trtbuild.base.errors import TrtbuildError


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
        _say_versions(as_json="--json" in argv)
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
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # one that came while this was imported, too
            status = run(sys.argv[1:])
        finally:
            _ignore_signals()
    except KeyboardInterrupt:
        _ignore_signals()
        status = _interrupted()
    except BrokenPipeError as error:
        status = _unwritten(error)
    except Exception as error:
        status = _report(error)
    if (failed := streams.finish(out)) is not None:
        status = _unwritten(failed)
    sys.exit(status)


def _ignore_signals() -> None:
    """The command has ended, and only says how: nothing is left to stop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _interrupted() -> int:
    from trtbuild.base.errors import TrtbuildError

    error = TrtbuildError("interrupted", hint="finished steps are kept; run it again to continue")
    error.exit_status = 130
    print(f"trtbuild: {error}", file=sys.stderr)
    _document(error)
    return error.exit_status


def _unwritten(error: OSError) -> int:
    """The exit status when the work was done but its output could not be written."""
    if isinstance(error, BrokenPipeError):  # the reader (head, say) has read enough and closed the pipe
        return 128 + signal.SIGPIPE
    hint = "finished work is kept: run it again with another output"
    print(f"trtbuild: stdout: cannot be written: {error.strerror or error}; {hint}", file=sys.stderr)
    return 3


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _say_versions(*, as_json: bool) -> None:
    """What a bug report needs: this package first, then all that makes artifacts."""
    import json
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from trtbuild import __version__, config, toolchains

    tools = {**config.installed(), "dvc": version("dvc"), "python": platform.python_version()}
    for runtime in ("tensorrt", "tensorrt-rtx"):  # in this environment; others are toolchains
        with contextlib.suppress(PackageNotFoundError):
            tools[runtime] = version(runtime)
    said = {"trtbuild": __version__, **dict(sorted(tools.items()))}
    installed = sorted({folder.name.rpartition("-")[0] for folder, known in toolchains.environments().items() if known})
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    if as_json:
        print(json.dumps({"schema_version": 1, "versions": said, "toolchains": installed, "system": system}, indent=1))
    else:
        print(*(f"{tool} {version}" for tool, version in said.items()), *installed, system, sep="\n")


def _document(error: TrtbuildError) -> None:
    """With --json, an error is one document, too."""
    if "--json" in sys.argv:
        import json

        print(json.dumps({"schema_version": 1, "error": error.document()}, indent=1))


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "the current folder, which is gone"


def _report(error: Exception) -> int:
    """One line for the user; only a bug shows its traceback."""
    from trtbuild.base.errors import TrtbuildError, system_error

    if isinstance(error, OSError) and not isinstance(error, TrtbuildError):
        error = system_error(error, _here())
    if isinstance(error, TrtbuildError) and error.exit_status != 70:
        print(f"trtbuild: {error}", file=sys.stderr)
        for line in error.details:
            print(f"  {line}", file=sys.stderr)
        _document(error)
        return error.exit_status
    import traceback

    traceback.print_exception(error)
    print("trtbuild: this is a bug in trtbuild; please report it with the lines above", file=sys.stderr)
    _document(TrtbuildError(f"{type(error).__name__}: {error}", hint="this is a bug in trtbuild; please report it"))
    return 70
