"""``trtbuild help VERB``: what a verb does, and its arguments."""

from __future__ import annotations

import argparse

from trtbuild.base.errors import ConfigError
from trtbuild.base.text import did_you_mean
from trtbuild.cli import words

GROUP = "share"
HELP = "show what a verb does and its arguments, with examples"
EXAMPLES = """\
  trtbuild help upgrade
"""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="VERB", help="the verb; without it, all verbs are listed by group")


def run(args: argparse.Namespace) -> int:
    if args.name is None:
        print(words.overview(), end="")
        return 0
    if args.name not in words.verbs():
        raise ConfigError(f"unknown verb '{args.name}'", where="help", hint=did_you_mean(args.name, words.verbs()))
    words.parser_of(args.name).print_help()
    return 0
