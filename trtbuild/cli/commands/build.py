"""``trtbuild key=value …``: bring variants up to date, print their verdicts, and remember the answer."""

from __future__ import annotations

import argparse

from trtbuild.cli import words
from trtbuild.workers.forks import one_nursery

GROUP = "build"
HELP = "build, validate and report a variant, or every variant of a sweep (-m); the verb can be omitted"
EXAMPLES = """\
  trtbuild model=segnet precision=int8
  trtbuild model=segnet precision=auto auto.max_drop=0.005 device=orin-agx    search the cheapest mix of precisions
  trtbuild -m model=segnet,lenet precision=fp32,fp16,int8 tensorrt=rtx-1.6,rtx-1.7
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser)
    words.install_option(parser)
    words.detail_options(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="with precision=auto: print the precision file, and build nothing of it"
    )


def run(args: argparse.Namespace) -> int:
    """0: within thresholds; 1: a threshold failed; otherwise the exit status of the worst failure."""
    with one_nursery() as nursery:
        nursery.start()  # it imports TensorFlow while this process imports the rest and composes the config
        from trtbuild.cli import building

        return building.run(args)
