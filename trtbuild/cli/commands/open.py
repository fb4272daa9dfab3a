"""``trtbuild open``: a variant's report in the browser."""

from __future__ import annotations

import argparse
import json
import os
import sys
import webbrowser

from trtbuild.base.errors import ConfigError
from trtbuild.building.observation import judge_plan
from trtbuild.cli import planning, words

GROUP = "build"
HELP = "open a variant's report in the browser"
EXAMPLES = """\
  trtbuild open model=segnet precision=int8
  trtbuild open model=segnet precision=int8 --page engine
  trtbuild open model=segnet precision=int8 --print     # only its path
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)
    parser.add_argument("--page", default="overview", metavar="NAME", help="which page (default: overview)")
    parser.add_argument("--print", action="store_true", help="print the path instead of opening it")


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError: there is no such report, or no such page."""
    p = planning.planned(args, files=False)
    (roles,) = p.plan.variants.values()
    folder, overrides = p.workspace.root / roles["report"].folder, " ".join(words.overrides_of(args))
    pages = sorted(path.stem for path in folder.glob("*.html"))
    if not pages:
        raise ConfigError("has no report yet", where=next(iter(p.plan.variants)), hint=f"run: trtbuild {overrides}")
    if args.page not in pages:
        raise ConfigError(f"no page '{args.page}'", where="--page", hint=f"available: {', '.join(pages)}")
    path = (folder / f"{args.page}.html").resolve()
    state = next(judgement for step, judgement in judge_plan(p.plan, p.store) if step is roles["report"])
    if state.state != "fresh":
        print(f"note: this report is not up to date ({state.why}); run: trtbuild {overrides}", file=sys.stderr)
    if args.json:
        print(json.dumps({"schema_version": 1, "path": str(path), "fresh": state.state == "fresh"}, indent=1))
    elif args.print or not (_has_display() and webbrowser.open(path.as_uri())):
        print(path)
    return 0


def _has_display() -> bool:
    """Whether a browser can show the page: without a screen Python starts one for text, in this terminal."""
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
