"""``trtbuild step``: run the step of the current folder in place, as ``dvc repro`` does."""

from __future__ import annotations

import argparse
from pathlib import Path

from trtbuild.building import rerun

GROUP = "build"
HELP = "run the step of the current folder (called by dvc repro)"
EXAMPLES = """\
  trtbuild step export
"""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="the kind that the step must have")


def run(args: argparse.Namespace) -> int:
    return rerun.run_here(args.kind, Path.cwd())
