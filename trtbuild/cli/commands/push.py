"""``trtbuild push``: send just these variants' artifacts to a DVC remote."""

from __future__ import annotations

from trtbuild.cli.commands.pull import options, run

__all__ = ["EXAMPLES", "GROUP", "HELP", "options", "run"]

GROUP = "share"
HELP = "send the variants' artifacts to a DVC remote, verified"
EXAMPLES = """\
  trtbuild push model=segnet precision=int8
  trtbuild push -m model=segnet precision=fp16,int8 --remote bench
"""
