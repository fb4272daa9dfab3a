"""The command line: words to a verb, errors to one line and an exit status.  Imports nothing heavy.

Any word with '=' is a Hydra override; the first plain word is a verb; no verb means build.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

USAGE = """\
usage: trtbuild [VERB] [key=value …] [--json]

  trtbuild model=segnet precision=int8     build, validate, report
  trtbuild -m model=a,b precision=fp16,int8   a sweep: every combination, planned as one; also with plan, explain, show
  plan     what would run                  explain   why, step by step
  show     what there is: paths, verdicts, metrics
  diff     OLD NEW: compare two reports; or key=value …: a variant against its accepted baseline
  accept   record a built variant as the accepted baseline
  upgrade  tensorrt=NEW [from=OLD] [model=…] [--push] [--accept]: every model in both versions, go or no-go
  bisect   model=M precision=P tensorrt=A,B,C [--what verdict|output|built]: the version that changed it
  check    model=M … | PATH [--sarif FILE]: does it convert?  every problem, without a build; tensorrt=A,B for several
  reduce   model=M … | FILE.onnx [--for KIND]: the smallest graph that fails alike, as a case of suite/
  bugreport   CASE | model=M … | FILE.onnx [-o DIR]: everything a maintainer asks for, and nothing of yours
  push     its artifacts to a DVC remote   pull      them from one, verified, without building; [--remote NAME]
  rerun    STEP_FOLDER: run one step again by hand and compare with its record
  init     DIRECTORY [--from MODEL] [--name NAME]: make a workspace
  flamegraph  PROFILE.json [--layers LAYERS.json] [--diff OLD.json] -o DIR: layer times by name scope
  toolchain   list | install NAME… | remove NAME… | path NAME: TensorRT versions
  suite    [tensorrt=A,B] [-k EXPR] [--category C] [--list] [--update]: graphs known to fail, against what is expected
  step     KIND: run the step of the current folder (what dvc repro calls)

options: --json  one JSON document on stdout;  --no-install  do not install a missing TensorRT;  --version;  --help
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
    sweep: bool
    argv: tuple[str, ...]
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)  # values of options that may come several times


@dataclass(frozen=True)
class Option:
    """An option of some verbs; it takes a value, as the next word or after '=', unless it is a flag."""

    name: str
    verbs: tuple[str, ...]
    help: str
    short: str = ""
    repeats: bool = False
    flag: bool = False


OPTIONS = (
    Option(
        "--no-install",
        ("build", "upgrade", "bisect", "check", "suite", "reduce", "bugreport"),
        "do not install a TensorRT version that is missing: fail",
        flag=True,
    ),
    Option("--from", ("init",), "the model: SavedModel folder, .keras, .h5, .pb, .onnx"),
    Option("--name", ("init", "reduce", "bugreport"), "what to call it"),
    Option("--signature", ("init",), "the SavedModel's signature"),
    Option("--tags", ("init",), "the tags of the SavedModel's graph, where there are several: A,B"),
    Option("--shape", ("init",), "NAME=null,224,224,3: an input's shape, where the model leaves it open", repeats=True),
    Option("--calibration", ("init",), "calibration data, .npz"),
    Option("--validation", ("init",), "validation data, .npz"),
    Option("--output", ("flamegraph", "bugreport"), "the folder to write", short="-o"),
    Option("--layers", ("flamegraph",), "layer information of the engine (--exportLayerInfo)"),
    Option("--mode", ("flamegraph",), "anchor (default), split or macs: whose a fused layer's time is"),
    Option("--rename", ("flamegraph",), "REGEX=REPLACEMENT on scopes; may come several times", repeats=True),
    Option("--times", ("flamegraph",), "the run's times (--exportTimes), for its true latency"),
    Option("--metadata", ("flamegraph",), "metadata scraped of trtexec's log, for the same"),
    Option("--scopes", ("flamegraph",), "a build's scopes.json"),
    Option("--reformat", ("flamegraph",), "inside (default) their consumer's scope, or apart"),
    Option("--diff", ("flamegraph",), "the old profile that PROFILE is compared with"),
    Option("--diff-layers", ("flamegraph",), "layer information of the old engine"),
    Option("--diff-scopes", ("flamegraph",), "scopes.json of the old build, if it is another one"),
    Option("--title", ("flamegraph",), "the heading"),
    Option("--force", ("accept",), "also what fails its thresholds or is unjudged (takes no value)", flag=True),
    Option("--push", ("upgrade",), "push the models that passed (takes no value)", flag=True),
    Option("--accept", ("upgrade",), "accept the models that passed as new baselines (takes no value)", flag=True),
    Option("--what", ("bisect",), "verdict (default), output or built: what changed"),
    Option("--sarif", ("check",), "also write the findings to this file, as SARIF 2.1.0"),
    Option("--for", ("reduce", "bugreport"), "crash, parse, build or mismatch (default: what fails)"),
    Option(
        "--limit",
        ("suite", "reduce", "bugreport"),
        "seconds: of a stage of a case of the suite (default: 60), of a reduction (default: 300)",
    ),
    Option("--keep-weights", ("bugreport",), "values that the failure needs may be in the report", flag=True),
    Option("--keyword", ("suite",), "words with and, or, not, brackets: cases whose id, title … has them", short="-k"),
    Option("--category", ("suite",), "cases of a category; may come several times", repeats=True),
    Option("--list", ("suite",), "name the cases, and run none (takes no value)", flag=True),
    Option(
        "--update", ("suite",), "write what came out as expected, and show the difference (takes no value)", flag=True
    ),
    Option("--junit", ("suite",), "write JUnit's XML to this file"),
    Option("--html", ("suite",), "write suite.html and suite.json to this folder"),
    Option("--remote", ("push", "pull", "upgrade"), "a remote of DVC's config, instead of the default one"),
)
_PLAIN_VERBS = ("init", "rerun", "step", "flamegraph", "toolchain")  # their arguments are no overrides


def parse_words(argv: Sequence[str]) -> Words:
    """Raises ConfigError for an option that is unknown, without a value, given twice, or of another verb."""
    from trtbuild.base.errors import ConfigError

    named = {word: option for option in OPTIONS for word in (option.name, option.short) if word}
    overrides, arguments, as_json, sweep = [], [], False, False
    given: dict[Option, list[str]] = {}
    verb = ""
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        option = named.get(name)
        if word == "--json":
            as_json = True
        elif option is not None and option.flag:
            if equals:
                raise ConfigError("takes no value", where=word)
            given.setdefault(option, []).append("")
        elif word in ("-m", "--multirun"):
            sweep = True
        elif option is not None:
            if not equals and ((value := next(words, "")) == "" or value.partition("=")[0] in named):
                raise ConfigError("expects a value", where=word)
            given.setdefault(option, []).append(value)
        elif word.startswith("-"):
            raise _unknown_option(name, verb)
        elif (equals or word.startswith("~")) and verb not in _PLAIN_VERBS:
            overrides.append(word)
        elif not verb:
            verb = word
        else:
            arguments.append(word)
    for option, values in given.items():
        if (verb or "build") not in option.verbs:
            hint = f"only {' and '.join(option.verbs)} {'does' if len(option.verbs) == 1 else 'do'}"
            raise ConfigError(f"'{verb or 'build'}' takes no option {option.name}", where="command line", hint=hint)
        if len(values) > 1 and not option.repeats:
            raise ConfigError("is given twice", where=option.name)
    if verb in _PLAIN_VERBS and verb != "flamegraph":
        overrides += [word for word in arguments if "=" in word or word.startswith("~")]
    if sweep and verb in _PLAIN_VERBS:
        raise ConfigError(f"'{verb}' works on one thing", where="-m")
    if overrides and verb in _PLAIN_VERBS:
        raise ConfigError(f"'{verb}' takes no overrides", where=overrides[0])
    single = {option.name: values[0] for option, values in given.items() if not option.repeats}
    lists = {option.name: tuple(values) for option, values in given.items() if option.repeats}
    return Words(verb or "build", tuple(overrides), tuple(arguments), single, as_json, sweep, tuple(argv), lists)


def _unknown_option(name: str, verb: str) -> Exception:
    """The nearest option of the verb, if one is known; of any verb else."""
    from trtbuild.base.errors import ConfigError
    from trtbuild.base.names import did_you_mean

    own = [option.name for option in OPTIONS if verb in option.verbs]
    hint = did_you_mean(name, ["--json", "--help", "--version", *(own or (option.name for option in OPTIONS))])
    return ConfigError(f"unknown option '{name}'", where="command line", hint=hint)


def _own_options(argv: Sequence[str]) -> str:
    """The options of the verb among the words, for its --help."""
    own = [option for option in OPTIONS if set(option.verbs) & set(argv)]
    if not own:
        return ""
    names = [f"{option.short}, {option.name}" if option.short else option.name for option in own]
    lines = (f"  {name:<16} {option.help}\n" for name, option in zip(names, own, strict=True))
    return "\noptions of this verb, each with a value:\n" + "".join(lines)


def run(argv: Sequence[str]) -> int:
    """One command; returns its exit status, raises TrtbuildError."""
    if not argv or "--help" in argv or "-h" in argv:
        print(USAGE + _own_options(argv), end="", file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    if "--version" in argv:
        from trtbuild import __version__

        print(f"trtbuild {__version__}")
        return 0
    from trtbuild.cli import noop

    root = noop.find_root(os.getcwd())
    answer = noop.recall(root, argv) if root else None
    if answer is not None:
        for stream, text in zip((sys.stdout, sys.stderr), answer.said, strict=True):
            stream.write(text)
        return answer.status
    words = parse_words(argv)
    return _verb(words.verb)(words)


def _verb(name: str) -> Callable[[Words], int]:
    from trtbuild.base.errors import ConfigError
    from trtbuild.base.names import did_you_mean
    from trtbuild.cli import verbs

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
    from trtbuild.base.errors import PlaceError, TrtbuildError

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
