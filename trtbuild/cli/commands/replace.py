"""``trtbuild replace``: a retrained model in place of the old one, under the same config."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.base.workspace import find_workspace
from trtbuild.building.replacement import replace
from trtbuild.cli import words

GROUP = "share"
HELP = "put a retrained model in place of the old one: files and models.dvc; the config stays"
EXAMPLES = """\
  trtbuild replace model=segnet --from runs/42/saved_model
"""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="model=NAME", help="the model to replace")
    parser.add_argument(
        "--from", dest="model", metavar="MODEL", required=True, help="the retrained model, of the same kind"
    )


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError: the model does not fit the config; nothing is changed then."""
    overrides = words.overrides_of(args)
    names = [word.partition("=")[2] for word in overrides if word.startswith("model=")]
    if len(names) != 1 or len(overrides) != 1:
        raise ConfigError("expects one model", where="replace", hint="trtbuild replace model=NAME --from MODEL")
    path = replace(find_workspace(Path.cwd()), names[0], Path(args.model))
    print(
        f"replaced  {path}; next: trtbuild model={names[0]} precision=… (what changed: trtbuild explain)",
        file=sys.stderr,
    )
    return 0
