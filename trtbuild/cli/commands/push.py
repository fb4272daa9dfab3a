"""``trtbuild push``: send just these variants' artifacts to a DVC remote, attested if a key is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from trtbuild.cli import planning, words
from trtbuild.pipeline import transfer

GROUP = "share"
HELP = "send the variants' artifacts to a DVC remote, verified"
EXAMPLES = """\
  trtbuild push model=segnet precision=int8
  trtbuild push -m model=segnet precision=fp16,int8 --remote bench
  trtbuild push model=segnet precision=int8 --key release.pem     # with a signed attestation of every step
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser)
    words.remote_option(parser)
    parser.add_argument("--key", metavar="PRIVATE.pem", help="also send attestations signed with this Ed25519 key")


def run(args: argparse.Namespace) -> int:
    p = planning.planned(args, files=False)
    key = None if args.key is None else transfer.signing_key(p, Path(args.key))
    return transfer.move("push", p, args.remote or "", as_json=args.json, key=key)
