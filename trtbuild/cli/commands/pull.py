"""``trtbuild pull``: fetch just these variants' artifacts from a DVC remote, verified, without building."""

from __future__ import annotations

import argparse

from trtbuild.cli import planning, words
from trtbuild.pipeline import transfer

GROUP = "share"
HELP = "fetch the variants' artifacts from a DVC remote: verified, nothing built, no TensorFlow needed"
EXAMPLES = """\
  trtbuild pull model=segnet precision=int8
  trtbuild pull -m model=segnet precision=fp16,int8 --remote bench
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Declared for ``push`` as well."""
    words.variant_words(parser)
    words.remote_option(parser)


def run(args: argparse.Namespace) -> int:
    return transfer.move(args.verb, planning.planned(args, files=False), args.remote or "", as_json=args.json)
