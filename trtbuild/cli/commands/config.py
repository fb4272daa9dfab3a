"""``trtbuild config``: the composed config of a variant, each value with where it comes from."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from trtbuild.base.text import printable
from trtbuild.base.workspace import find_workspace
from trtbuild.cli import words
from trtbuild.config.origins import Setting, settings
from trtbuild.config.places import placing

GROUP = "build"
HELP = "show the composed config of a variant: each value, and the file or word that sets it"
EXAMPLES = """\
  trtbuild config model=segnet precision=int8
  trtbuild config model=segnet calibration=entropy calibration.bins=1024 --json
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)


def run(args: argparse.Namespace) -> int:
    root, overrides = find_workspace(Path.cwd()).root, words.overrides_of(args)
    with placing(root, overrides):
        found = settings(root, overrides)
    if args.json:
        print(json.dumps({"schema_version": 1, "settings": [asdict(setting) for setting in found]}, indent=1))
    else:
        print("\n".join(printable(line) for line in lines(found)))
    return 0


def lines(found: list[Setting]) -> list[str]:
    """A heading for each group, its values below it, and origins in a column of their own."""
    left = []
    for setting in found:
        group, dot, key = setting.key.partition(".")
        left.append(f"{'  ' * bool(dot)}{key or group}: {_text(setting.value)}")
    width = min(60, max(map(len, left), default=0))
    return [f"{text:<{width}}  {setting.origin}" for text, setting in zip(left, found, strict=True)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
