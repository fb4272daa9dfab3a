"""``trtbuild trend``: a model's metrics, plan size, bytes and latency over the git commits that have records."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from trtbuild.base.files import check_output, write_atomic
from trtbuild.base.workspace import find_workspace
from trtbuild.cli import words
from trtbuild.reports import trend as shown

GROUP = "compare"
HELP = "show metrics, sizes and latency of a model over the git commits that have records"
EXAMPLES = """\
  trtbuild trend model=segnet
  trtbuild trend model=segnet precision=int8 --metric cosine -o trend.html
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)
    says = f"the deviation to show, of the worst output (default: {shown.DEFAULT_METRIC})"
    parser.add_argument("--metric", type=words.OneOf(shown.METRICS), default=shown.DEFAULT_METRIC, help=says)
    parser.add_argument("-o", "--output", metavar="FILE.html", help="also write a page of charts")
    parser.add_argument("--all", action="store_true", help=f"print every commit, not just the newest {shown.SHOWN}")


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError: nothing is recorded of such a variant.  WorkspaceError: there is no history."""
    from trtbuild.pipeline import trend

    if args.output:
        check_output(Path(args.output))
    workspace = find_workspace(Path.cwd())
    made = trend.trend(workspace, trend.wanted(words.overrides_of(args)))
    if args.output:
        _write(Path(args.output), shown.page(made, _templates(workspace.root), args.metric))
    if args.json:
        print(json.dumps(made, indent=1, allow_nan=False))
    else:
        print(*shown.lines(made, args.metric, None if args.all else shown.SHOWN), sep="\n")
    return 0


def _templates(root: Path) -> dict[str, Path]:
    from trtbuild.base import packaged

    return dict(packaged.templates(root))


def _write(path: Path, text: str) -> None:
    """The page, and beside it the script that draws its charts."""
    script = _plotly().read_bytes()
    beside = path.with_name("plotly.min.js")
    if not (beside.is_file() and beside.read_bytes() == script):
        write_atomic(beside, script)
    write_atomic(path, text.encode())
    print(f"written: {path}", file=sys.stderr)


def _plotly() -> Path:
    """The script in plotly's own folder: importing plotly takes longer than everything else here."""
    from importlib.metadata import distribution

    return Path(str(distribution("plotly").locate_file("plotly/package_data/plotly.min.js")))
