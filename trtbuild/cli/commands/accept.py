"""``trtbuild accept``: record built variants as the accepted baselines."""

from __future__ import annotations

import argparse

from trtbuild.cli import planning, words
from trtbuild.pipeline import comparison

GROUP = "compare"
HELP = "record a built variant as its accepted baseline, in baselines/ (kept in git)"
EXAMPLES = """\
  trtbuild accept model=segnet precision=int8
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser)
    parser.add_argument("--force", action="store_true", help="accept a variant that fails its thresholds, too")


def run(args: argparse.Namespace) -> int:
    return comparison.accept(planning.planned(args, files=False), force=args.force, as_json=args.json)
