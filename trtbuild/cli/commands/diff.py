"""``trtbuild diff``: two reports by name, or the variants that overrides name against their accepted baselines."""

from __future__ import annotations

import argparse
from pathlib import Path

from trtbuild.base.errors import ConfigError, TrtbuildError, worst_status
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.cli import words
from trtbuild.pipeline import comparison

GROUP = "compare"
HELP = "compare two reports (folders, report.json files or variant ids), or a variant with its accepted baseline"
EXAMPLES = """\
  trtbuild diff segnet-fp16-rtx-1.7-onnxruntime segnet-int8-rtx-1.7-onnxruntime
  trtbuild diff model=segnet precision=int8
  trtbuild diff old/report.json new/report.json -o diff.html
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser)
    parser.add_argument("-o", "--output", metavar="FILE.html", help="also write the comparison as a page")
    parser.add_argument("--all", action="store_true", help="show every scope that differs, and every class")


def run(args: argparse.Namespace) -> int:
    reports, overrides = words.split_overrides(args.words)
    if reports and (overrides or args.multirun):
        what = f"reports and overrides cannot be combined: {' '.join(overrides) or '-m'}"
        raise ConfigError(what, where="diff", hint="trtbuild diff OLD NEW, or trtbuild diff key=value …")
    errors: list[TrtbuildError] = []
    if reports or not overrides:
        made = comparison.diff_sides(reports, Path.cwd())
    else:
        p = plan_overrides(find_workspace(Path.cwd()), overrides, sweep=args.multirun, files=False)
        made, errors = comparison.diff_accepted(p)
    if args.output and made:
        comparison.write_page(made, Path(args.output), Path.cwd())
    comparison.say(made, errors, as_json=args.json, several=args.multirun, whole=args.all)
    return worst_status(errors)
