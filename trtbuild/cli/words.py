"""Command-line words -> a verb and its arguments, as the files in ``commands/`` declare them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn, Protocol, cast

from trtbuild.base.errors import ConfigError
from trtbuild.base.text import did_you_mean

BUILD = "build"  # the verb when the words do not name one
GROUPS = {
    "build": "build", "compare": "compare and upgrade", "convert": "does it convert?", "deploy": "deploy",
    "share": "share and set up",
}  # fmt: skip
LONGEST_S = 86_400.0


class Command(Protocol):
    """A file of ``commands/``, whose name is the verb's."""

    GROUP: str  # a key of GROUPS
    HELP: str  # one line
    EXAMPLES: str  # command lines, with what each does where that is not plain

    def options(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments that the verb takes."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Run the verb; returns the exit status, raises TrtbuildError."""
        ...


def verbs() -> list[str]:
    """Every verb: the file system is the registry."""
    folder = Path(__file__).with_name("commands")
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def command(verb: str) -> Command:
    return cast(Command, import_module(f"trtbuild.cli.commands.{verb}"))


def split_verb(argv: Sequence[str]) -> tuple[str, list[str]]:
    """The verb, wherever it stands, and the other words.

    Raises:
        ConfigError: neither the first word nor any other is a verb.
    """
    known = verbs()
    plain = [i for i, word in enumerate(argv) if not is_override(word) and not word.startswith("-")]
    for i in plain:
        if argv[i] in known:
            return argv[i], [*argv[:i], *argv[i + 1 :]]
    if plain and plain[0] == 0:
        raise ConfigError(f"unknown verb '{argv[0]}'", where="command line", hint=did_you_mean(argv[0], known))
    return BUILD, list(argv)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of the verb among these words, and the verb itself as ``verb``.

    Raises:
        ConfigError: a word that the verb does not take, an option without its value, or an option given twice.
    """
    verb, words = split_verb(argv)
    parser = parser_of(verb)
    args, rest = parser.parse_known_intermixed_args(words, argparse.Namespace(verb=verb, argv=tuple(argv)))
    if rest:
        raise _unknown(rest[0], verb, parser)
    return args


def parser_of(verb: str) -> Parser:
    declared = command(verb)
    shown = "" if verb == BUILD else f" {verb}"
    parser = Parser(prog=f"trtbuild{shown}", description=f"{declared.HELP[0].upper()}{declared.HELP[1:]}.",
                    epilog=f"examples:\n{declared.EXAMPLES.rstrip()}")  # fmt: skip
    declared.options(parser)
    return parser


class Parser(argparse.ArgumentParser):
    """argparse with the package's errors, no abbreviations, and no repeated options."""

    def __init__(self, *, prog: str = "trtbuild", description: str = "", epilog: str = "") -> None:
        super().__init__(
            prog=prog, description=description, epilog=epilog, allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        self.register("action", None, _Once)

    def error(self, message: str) -> NoReturn:
        where, what = "command line", message
        if found := re.fullmatch(r"argument (?:\S+/)?(\S+): (.*)", message):
            where, what = found[1], found[2]
        if found := re.fullmatch(r"the following arguments are required: (.*)", what):
            where, what = self.prog.removeprefix("trtbuild "), f"expects {found[1]}"
        plainer = {
            "expected one argument": "expects a value", "expected at least one argument": "expects a value",
            "ignored explicit argument": "takes no value",
        }  # fmt: skip
        what = next((better for words, better in plainer.items() if what.startswith(words)), what)
        what, _, hint = what.partition("; ")
        raise ConfigError(what, where=where, hint=hint or f"see {self.prog} --help")


class _Once(argparse.Action):
    """Stores a value; giving an option twice is a mistake, and neither value is used."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object,
        option_string: str | None = None,
    ) -> None:  # fmt: skip
        if option_string and getattr(namespace, self.dest, None) is not self.default:
            raise ConfigError("is given twice", where=option_string)
        setattr(namespace, self.dest, values)


def _unknown(word: str, verb: str, parser: argparse.ArgumentParser) -> ConfigError:
    """The error for a leftover word: it names the verb's nearest option, or the verbs that do take the word."""
    if not word.startswith("-"):
        hint = f"see trtbuild {verb} --help"
        return ConfigError(f"unexpected word '{word}'", where=verb, hint=hint)
    name = word.partition("=")[0]
    takers = [other for other in verbs() if other != verb and name in options_of(other)]
    if takers:
        hint = f"only {' and '.join(takers)} {'does' if len(takers) == 1 else 'do'}"
        return ConfigError(f"'{verb}' takes no option {name}", where="command line", hint=hint)
    hint = did_you_mean(name, [*parser._option_string_actions, "--version"])
    return ConfigError(f"unknown option '{name}'", where="command line", hint=hint)


def options_of(verb: str) -> list[str]:
    return list(parser_of(verb)._option_string_actions)


def is_override(word: str) -> bool:
    """Whether a word is an override in Hydra's grammar: ``key=value``, or ``~key`` to delete."""
    return word.startswith("~") or ("=" in word and not word.startswith("-"))


def split_overrides(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Plain words and overrides."""
    split: tuple[list[str], list[str]] = ([], [])
    for word in words:
        split[is_override(word)].append(word)
    return split


# Arguments that several verbs share.


def variant_words(parser: argparse.ArgumentParser, *, multirun: bool = True) -> None:
    """Overrides that name a variant, or with ``-m`` every variant of a sweep."""
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="a config override, in Hydra's syntax")
    if multirun:
        parser.add_argument("-m", "--multirun", action="store_true", help="sweep over every combination of values")
    json_option(parser)


def json_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout")


def install_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-install",
        dest="install",
        action="store_false",
        help="fail instead of installing a missing TensorRT version",
    )


def detail_options(parser: argparse.ArgumentParser) -> None:
    """How much a build reports while it runs: ``detail`` is a Detail of workers/status.py."""
    chosen = parser.add_mutually_exclusive_group()
    for flags, detail, help in (
        (("-q", "--quiet"), "quiet", "report failures and verdicts only"),
        (("-v", "--verbose"), "every", "also report each fresh step"),
    ):
        chosen.add_argument(*flags, dest="detail", action="store_const", const=detail, default="usual", help=help)


def remote_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--remote", metavar="NAME", help="the DVC remote to use instead of the default one")


def limit_option(parser: argparse.ArgumentParser, default_s: float, of_what: str) -> None:
    parser.add_argument(
        "--limit", type=seconds, metavar="SECONDS", help=f"time limit for {of_what} (default: {default_s:g})"
    )


def seconds(text: str) -> float:
    """A time limit in seconds: more than zero, less than a day."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < LONGEST_S:
        raise argparse.ArgumentTypeError(f"expected seconds between 0 and {LONGEST_S:g}, found '{text}'")
    return value


@dataclass(frozen=True)
class OneOf:
    """The type of an option with few values; a wrong one is told the nearest that is not hidden."""

    valid: Sequence[str]
    hidden: Sequence[str] = ()

    def __call__(self, text: str) -> str:
        if text not in self.valid and text not in self.hidden:
            raise argparse.ArgumentTypeError(f"unknown value '{text}'; {did_you_mean(text, self.valid)}")
        return text


def overrides_of(args: argparse.Namespace) -> list[str]:
    """The words of a verb that takes only overrides.

    Raises:
        ConfigError: a word is not an override.
    """
    plain, overrides = split_overrides(args.words)
    if plain:
        hint = "overrides look like key=value"
        raise ConfigError(f"unexpected word '{plain[0]}'", where=args.verb, hint=hint)
    return overrides


def one_argument(args: argparse.Namespace, what: str) -> tuple[str, list[str]]:
    """A path or name with its own overrides, or "" and the overrides that name a variant.

    Raises:
        ConfigError: nothing is given, or more than one path or name.
    """
    plain, overrides = split_overrides(args.words)
    if len(plain) > 1 or not (plain or overrides):
        hint = f"see trtbuild {args.verb} --help"
        raise ConfigError(f"expects a model from the config, or {what}", where=args.verb, hint=hint)
    return (plain[0] if plain else ""), overrides


def overview() -> str:
    """The text of ``trtbuild --help``: every verb, by group."""
    lines = ["usage: trtbuild [VERB] [KEY=VALUE …] [OPTION …]", "",
             "  trtbuild model=segnet precision=int8           build, validate, report",
             "  trtbuild -m model=a,b precision=fp16,int8      sweep: every combination, as one plan"]  # fmt: skip
    for group, title in GROUPS.items():
        lines += ["", f"{title}:"]
        for verb in verbs():
            declared = command(verb)
            if group == declared.GROUP:
                lines.append(f"  {verb:<11} {declared.HELP}")
    lines += ["", "see also: trtbuild VERB --help, trtbuild --version",
              "exit status: 0 within thresholds · 1 a threshold failed · 2 config · 3 environment ·",
              "             4 the model or TensorRT said no · 70 a bug in trtbuild · 130 interrupted"]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)
