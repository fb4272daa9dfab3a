"""``trtbuild step``: the step of the current folder, in place; what ``dvc repro`` calls."""

from __future__ import annotations

import argparse
from pathlib import Path

from trtbuild.building import rerun

GROUP = "build"
HELP = "run the step of the current folder; dvc repro calls it"
EXAMPLES = """\
  trtbuild step export
"""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help="the step's kind, as a check")


def run(args: argparse.Namespace) -> int:
    return rerun.run_here(args.kind, Path.cwd())
