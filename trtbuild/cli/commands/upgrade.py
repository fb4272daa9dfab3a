"""``trtbuild upgrade``: build every recorded model in an old and a new TensorRT version, and decide for each."""

from __future__ import annotations

import argparse

from trtbuild.base.errors import ConfigError
from trtbuild.cli import words
from trtbuild.pipeline import upgrade

GROUP = "compare"
HELP = "build every recorded model in two TensorRT versions and compare: go or no-go, and why"
EXAMPLES = """\
  trtbuild upgrade tensorrt=rtx-1.7 from=rtx-1.6
  trtbuild upgrade tensorrt=rtx-1.7 model=segnet,lenet precision=int8 --push --accept
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)
    words.install_option(parser)
    parser.add_argument("--push", action="store_true", help="push the variants that passed")
    parser.add_argument("--accept", action="store_true", help="accept the variants that passed as new baselines")
    words.remote_option(parser)


def run(args: argparse.Namespace) -> int:
    if args.remote and not args.push:
        raise ConfigError("can only be used with --push", where="--remote")
    push_to = (args.remote or "") if args.push else None
    overrides = words.overrides_of(args)
    return upgrade.run(overrides, install=args.install, accept=args.accept, push_to=push_to, as_json=args.json)
