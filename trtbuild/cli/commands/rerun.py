"""``trtbuild rerun``: run one recorded step again by hand, with its log on the terminal."""

from __future__ import annotations

import argparse
from pathlib import Path

from trtbuild.building import rerun as by_hand

GROUP = "build"
HELP = "run one step again by hand, with its log on the terminal, and compare it with its record"
EXAMPLES = """\
  trtbuild rerun build/segnet/engine-int8-rtx-1.7-0a1b2c3d
"""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="STEP_FOLDER", help="the step's folder, build/MODEL/STEP")


def run(args: argparse.Namespace) -> int:
    return by_hand.rerun(Path(args.folder))
