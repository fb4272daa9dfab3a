"""``trtbuild bundle``: what a device needs of one validated variant, in one folder or archive."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from trtbuild.base.errors import ConfigError, ThresholdError
from trtbuild.base.text import printable
from trtbuild.bundle.artifacts import Artifacts, objection
from trtbuild.bundle.making import make
from trtbuild.bundle.writing import check_target, write_archive, write_folder
from trtbuild.cli import planning, words
from trtbuild.core.verdict import word_of
from trtbuild.documents.bundle import Layout
from trtbuild.loader.bundle import open_bundle
from trtbuild.pipeline import transfer
from trtbuild.remote.transferresult import amount

GROUP = "deploy"
HELP = "put a validated engine and all a device needs to check it into one folder, signed if a key is given"
EXAMPLES = """\
  trtbuild bundle model=segnet precision=int8 -o segnet-int8
  trtbuild bundle model=segnet precision=int8 -o segnet-int8.tar --format tar --key release.pem
  trtbuild bundle model=segnet precision=int8 -o models/segnet --format triton     # models/ is Triton's repository
"""
FORMATS = ("dir", "tar", "triton")
SAMPLES = 2
MOST_SAMPLES = 8  # of the recorded runs' first call


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)
    parser.add_argument("-o", "--output", metavar="PLACE", required=True, help="the folder or archive to write")
    parser.add_argument("--format", type=words.OneOf(FORMATS), default="dir", metavar="FORMAT",
                        help="dir (default), tar, or triton: the folder is a model of a Triton repository")  # fmt: skip
    parser.add_argument("--key", metavar="PRIVATE.pem", help="sign with this Ed25519 key")
    parser.add_argument("--samples", type=_samples, default=SAMPLES, metavar="N",
                        help=f"golden samples for the device's self-test (default: {SAMPLES}; 0: none)")  # fmt: skip
    parser.add_argument("--force", action="store_true",
                        help="bundle what does not pass or is not up to date; the manifest says so")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Raises ThresholdError: the variant fails, and nothing forces it.  ConfigError: it is not built, or unjudged."""
    place = Path(args.output)
    check_target(place, archive=args.format == "tar")
    p = planning.planned(args)
    key = None if args.key is None else transfer.signing_key(p, Path(args.key))
    artifacts = Artifacts.of(p)
    against = objection(artifacts)
    if against and not args.force:
        hint = (
            "build it first"
            if artifacts.state.error
            else "--force bundles it all the same, and says so in the manifest"
        )
        kind = ThresholdError if artifacts.state.word == "fail" else ConfigError
        raise kind(against, where=artifacts.state.id, hint=hint)
    layout: Layout = "triton" if args.format == "triton" else "dir"
    made = make(artifacts, layout=layout, samples=args.samples, forced=against, key=key)
    (write_archive if args.format == "tar" else write_folder)(place, made.contents)
    open_bundle(place, keep=True)  # as a device reads it
    validation = made.manifest["validation"]
    size = sum(facts["size"] for facts in made.manifest["files"].values())
    lines = [f"{args.output}: {made.manifest['name']}, {len(made.contents)} files, {amount(size)}"]
    lines.append(f"  verdict: {word_of(validation['verdict'])}; executed: {'yes' if validation['executed'] else 'no'}")
    lines.append(f"  signed by key {key.id[:16]}…" if key else "  not signed (--key PRIVATE.pem signs it)")
    lines += [f"  forced: {against}"] if against else []
    lines += [f"  note: {note}" for note in made.notes]
    for line in lines:
        print(printable(line), file=sys.stderr)
    if args.json:
        print(json.dumps({"schema_version": 1, "path": str(place.absolute()), "manifest": made.manifest}, indent=1))
    return 0


def _samples(text: str) -> int:
    if not text.isdecimal() or int(text) > MOST_SAMPLES:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {MOST_SAMPLES}, found '{text}'")
    return int(text)
