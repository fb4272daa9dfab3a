"""``trtbuild show``: what exists of a variant: folders, states, outputs, verdict, metrics."""

from __future__ import annotations

import argparse
import json

from trtbuild.base.errors import ConfigError
from trtbuild.building.states import variant_states
from trtbuild.building.summary import markdown, show_document
from trtbuild.cli import planning, words
from trtbuild.core import warning

GROUP = "build"
HELP = "show what exists of a variant: folders, states, verdict, metrics"
EXAMPLES = """\
  trtbuild show model=segnet precision=int8
  trtbuild show -m model=segnet precision=fp16,int8 --json
  trtbuild show -m model=segnet precision=fp16,int8 --markdown     # the comment of a CI job
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser)
    parser.add_argument("--markdown", action="store_true", help="print the report.md of every variant, for a comment")


def run(args: argparse.Namespace) -> int:
    if args.markdown and args.json:
        raise ConfigError("only one of --markdown and --json at a time", where="show")
    p = planning.planned(args)
    states = variant_states(p)
    if args.markdown:
        print(markdown(states, p.invalid), end="")
        return 0
    document = show_document(p, states)
    if args.json:
        print(json.dumps(document, indent=1))
        return 0
    for entry in document["variants"]:
        why = f": {entry['unjudged']}" if entry["unjudged"] else ""
        print(entry["error"] or f"{entry['id']}: {entry['verdict']}{why}")
        for line in warning.lines(entry["warnings"]):
            print(f"  {line}")
        for kind, step in entry["steps"].items():
            print(f"  {kind:<12} {step['state']:<8} {step['folder']}")
        for output, numbers in (entry["metrics"].get("deviation") or {}).items():
            shown = ", ".join(f"{k} {v:.4g}" for k, v in numbers.items() if isinstance(v, float))
            print(f"  {output}: {shown}")
    return 0
