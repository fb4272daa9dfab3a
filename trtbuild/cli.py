"""The command line: words to a verb, errors to one line and an exit status.  Imports nothing heavy.

Any word with '=' is a Hydra override; the first plain word is a verb; no verb means build.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

USAGE = """\
usage: trtbuild [VERB] [key=value …] [--json]

  trtbuild model=segnet precision=int8     build, validate, report
  plan     what would run                  explain   why, step by step
  show     what there is: paths, verdicts, metrics
  rerun    STEP_FOLDER: run one step again by hand and compare with its record
  init     DIRECTORY [--from MODEL] [--name NAME]: make a workspace
  step     KIND: run the step of the current folder (what dvc repro calls)

options: --json  one JSON document on stdout;  --version;  --help
exit status: 0 within thresholds · 1 a threshold failed · 2 config · 3 environment · 4 the model or TensorRT said no ·
             70 a bug in trtbuild · 130 interrupted
"""


@dataclass(frozen=True)
class Words:
    """A parsed command line."""

    verb: str
    overrides: tuple[str, ...]
    arguments: tuple[str, ...]
    options: dict[str, str]
    json: bool
    argv: tuple[str, ...]


_VALUE_OPTIONS = {"--from", "--name", "--signature", "--calibration", "--validation"}


def parse_words(argv: Sequence[str]) -> Words:
    from trtbuild.core.names import did_you_mean
    from trtbuild.errors import ConfigError

    overrides, arguments, options, as_json = [], [], {}, False
    verb = ""
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if word == "--json":
            as_json = True
        elif name in _VALUE_OPTIONS:
            if not equals and (value := next(words, "")) == "":
                raise ConfigError("expects a value", where=word)
            options[name] = value
        elif word.startswith("-"):
            hint = did_you_mean(name, ["--json", "--help", "--version", *_VALUE_OPTIONS])
            if name in ("-m", "--multirun"):
                hint = "this version builds one variant at a time"
            raise ConfigError(f"unknown option '{name}'", where="command line", hint=hint)
        elif equals or word.startswith("~"):
            overrides.append(word)
        elif not verb:
            verb = word
        else:
            arguments.append(word)
    allowed = _VALUE_OPTIONS if verb == "init" else set()
    for name in options:
        if name not in allowed:
            raise ConfigError(
                f"'{verb or 'build'}' takes no option {name}", where="command line", hint="only init does"
            )
    if overrides and verb in ("init", "rerun", "step"):
        raise ConfigError(f"'{verb}' takes no overrides", where=overrides[0])
    return Words(verb or "build", tuple(overrides), tuple(arguments), options, as_json, tuple(argv))


def run(argv: Sequence[str]) -> int:
    """One command; returns its exit status, raises TrtbuildError."""
    if not argv or "--help" in argv or "-h" in argv:
        print(USAGE, end="", file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    if "--version" in argv:
        from trtbuild import __version__

        print(f"trtbuild {__version__}")
        return 0
    from trtbuild import noop

    root = noop.find_root(os.getcwd())
    answer = noop.recall(root, argv) if root else None
    if answer is not None:
        for stream, text in zip((sys.stdout, sys.stderr), answer.said, strict=True):
            stream.write(text)
        return answer.status
    words = parse_words(argv)
    return _verb(words.verb)(words)


def _verb(name: str) -> Callable[[Words], int]:
    from trtbuild import verbs
    from trtbuild.core.names import did_you_mean
    from trtbuild.errors import ConfigError

    found = verbs.VERBS.get(name)
    if found is None:
        hint = did_you_mean(name, verbs.VERBS)
        raise ConfigError(f"unknown verb '{name}'", where="command line", hint=hint)
    return found


def main() -> NoReturn:
    """The console script: the only place that exits, and that catches everything."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("trtbuild: interrupted; finished steps are kept, run it again to go on", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nobody to tell
        status = 128 + signal.SIGPIPE
    except Exception as error:
        status = _report(error)
    sys.exit(status)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _report(error: Exception) -> int:
    """One line for the user; only a bug shows its traceback."""
    from trtbuild.errors import PlaceError, TrtbuildError

    if isinstance(error, OSError) and not isinstance(error, TrtbuildError):
        error = PlaceError(error.strerror or str(error), where=str(error.filename or os.getcwd()))
    if isinstance(error, TrtbuildError) and error.exit_status != 70:
        print(f"trtbuild: {error}", file=sys.stderr)
        for line in error.details:
            print(f"  {line}", file=sys.stderr)
        return error.exit_status
    import traceback

    traceback.print_exception(error)
    print("trtbuild: this is a bug in trtbuild; please report it with the lines above", file=sys.stderr)
    return 70
