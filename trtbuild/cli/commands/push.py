"""``trtbuild push``: the artifacts of just these variants to a DVC remote."""

from __future__ import annotations

import argparse

from trtbuild.cli import planning, words
from trtbuild.pipeline import transfer

GROUP = "share"
HELP = "the variant's artifacts to a DVC remote, verified"
EXAMPLES = """\
  trtbuild push model=segnet precision=int8
  trtbuild push -m model=segnet precision=fp16,int8 --remote bench
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser)
    words.remote_option(parser)


def run(args: argparse.Namespace) -> int:
    return transfer.move("push", planning.planned(args, files=False), args.remote or "", as_json=args.json)
