"""Command-line arguments -> a plan: where every verb that works on variants starts."""

from __future__ import annotations

import argparse
from pathlib import Path

from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import Planned, plan_overrides
from trtbuild.cli import words


def planned(args: argparse.Namespace, *, files: bool = True) -> Planned:
    """Plan the variants that the words name, in the workspace of the current folder."""
    overrides = words.overrides_of(args)
    return plan_overrides(find_workspace(Path.cwd()), overrides, sweep=getattr(args, "multirun", False), files=files)
