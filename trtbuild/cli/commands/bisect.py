"""``trtbuild bisect``: find the TensorRT version at which something about a variant changed."""

from __future__ import annotations

import argparse

from trtbuild.base.errors import ConfigError
from trtbuild.cli import words
from trtbuild.pipeline import bisect

GROUP = "compare"
HELP = "find the TensorRT version at which a variant's verdict, output, build or engine changed, in few builds"
EXAMPLES = """\
  trtbuild bisect model=segnet precision=int8 tensorrt=rtx-1.4,rtx-1.5,rtx-1.6,rtx-1.7
  trtbuild bisect model=segnet precision=int8 tensorrt=rtx-1.4,rtx-1.7 --what built
  trtbuild bisect model=segnet precision=fp16 tensorrt=rtx-1.4,rtx-1.5,rtx-1.7 --what fusion --scope encoder
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)
    words.install_option(parser)
    parser.add_argument(
        "--what", type=words.OneOf(bisect.WHAT), default=bisect.WHAT[0], metavar="|".join(bisect.WHAT),
        help=f"what to compare (default: {bisect.WHAT[0]})",
    )  # fmt: skip
    parser.add_argument(
        "--scope", default="", type=lambda text: text.strip("/"), metavar="SCOPE",
        help="with --what fusion: the TensorFlow scope whose layers to compare (default: all of them)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    if args.scope and args.what != bisect.FUSION:
        raise ConfigError(f"can only be used with --what {bisect.FUSION}", where="--scope")
    overrides = words.overrides_of(args)
    return bisect.run(overrides, args.what, scope=args.scope, install=args.install, as_json=args.json)
