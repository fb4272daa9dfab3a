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
  trtbuild pull model=segnet precision=int8 --require-signed     # by the key that conf/config.yaml names
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser)
    words.remote_option(parser)
    parser.add_argument("--require-signed", action="store_true",
                        help="accept only what is attested and signed with the config's public_key")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    p = planning.planned(args, files=False)
    key = transfer.required_key(p) if args.require_signed else None
    return transfer.move("pull", p, args.remote or "", as_json=args.json, key=key)
