"""``trtbuild bisect``: find the TensorRT version at which something about a variant changed."""

from __future__ import annotations

import argparse

from trtbuild.cli import words
from trtbuild.pipeline import bisect

GROUP = "compare"
HELP = "find the TensorRT version at which a variant's verdict, output or build changed, in few builds"
EXAMPLES = """\
  trtbuild bisect model=segnet precision=int8 tensorrt=rtx-1.4,rtx-1.5,rtx-1.6,rtx-1.7
  trtbuild bisect model=segnet precision=int8 tensorrt=rtx-1.4,rtx-1.7 --what built
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)
    words.install_option(parser)
    parser.add_argument(
        "--what", type=words.one_of(bisect.WHAT), default=bisect.WHAT[0], metavar="|".join(bisect.WHAT),
        help=f"what to compare (default: {bisect.WHAT[0]})",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    return bisect.run(words.overrides_of(args), args.what, install=args.install, as_json=args.json)
