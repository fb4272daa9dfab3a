"""``trtbuild suite``: run cases in TensorRT versions, and compare the results with the expected ones."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.base.files import write_atomic
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import workspace_here
from trtbuild.cli import words
from trtbuild.config import checks, named
from trtbuild.core.spec import Toolchain
from trtbuild.suite import document as documents
from trtbuild.suite import proposal
from trtbuild.suite.case import Case
from trtbuild.suite.collection import OWN, choose, collect
from trtbuild.suite.identity import machine_class
from trtbuild.suite.results import LIMIT_S, Results, examine, note

GROUP = "convert"
HELP = "run over 680 graphs known to trouble TensorRT, and your own, and compare with the expected results"
EXAMPLES = """\
  trtbuild suite -k "resize and not cubic"
  trtbuild suite tensorrt=rtx-1.6,rtx-1.7 --html suite-pages
  trtbuild suite target=sm89 --category quantised
"""


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)
    words.install_option(parser)
    parser.add_argument("-k", "--keyword", default="", metavar="EXPR", help="words with and, or, not and parentheses")
    parser.add_argument("--category", action="append", default=[], help="choose a category of cases; can be repeated")
    parser.add_argument("--list", action="store_true", help="list the cases without running them")
    parser.add_argument("--update", action="store_true", help="record the results as expected, and show what changed")
    parser.add_argument("--junit", metavar="FILE", help="write a JUnit XML report to this file")
    parser.add_argument("--html", metavar="DIR", help="write suite.html and suite.json to this folder")
    words.limit_option(parser, LIMIT_S, "a stage of a case")


def run(args: argparse.Namespace) -> int:
    """0: everything as expected; 1: something is not.

    Raises:
        ConfigError: wrong words, cases or expectations.  PlaceError: a version or a worker is not available.
    """
    overrides = words.overrides_of(args)
    workspace = workspace_here()
    root = workspace.root if workspace else None
    if root is None and Path(OWN).is_dir():
        note(f"{OWN}/ is ignored: there is no workspace (git and DVC) here or above")
    everything = collect(root)
    categories = [part for given in args.category for part in given.split(",")]
    chosen = choose(everything.values(), args.keyword, categories)
    if args.list:
        return _list(chosen, as_json=args.json)
    if not chosen:
        raise ConfigError("no case matches", where="suite", hint="see them with: trtbuild suite --list")
    conf = root or packaged_conf().parent
    given = named.values(overrides, named.AIMS, "tensorrt and target are; choose cases with -k and --category")
    aimed = named.target(conf, given.get("target"))
    asked = named.toolchains(conf, named.versions(given))
    for case in chosen:
        checks.check_devices(conf, asked, aimed, case.precision, case.lowering.forms)
    limit_s = args.limit or LIMIT_S
    results = examine(chosen, asked, root, aimed[1], install=args.install, limit_s=limit_s)
    machine = machine_class()
    wanted = {name: proposal.expectations(name, root, machine) for name in asked}
    made = documents.make(chosen, asked, results, wanted, machine)
    _write(made, results, args, root)
    print(*documents.lines(made), sep="\n", file=sys.stderr)
    note(f"{results.made_anew} result(s) are new, the rest were recorded" if results.made_anew else "nothing to do")
    if args.update:
        made["proposed"] = _update(chosen, everything, asked, results, root, machine)
        print(made["proposed"], end="", file=sys.stderr if args.json else sys.stdout)
    if args.json:
        print(json.dumps(made, indent=1))
    return int(made["failures"] > 0)


def _list(cases: Sequence[Case], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"cases": [documents.about(case) for case in cases]}, indent=1))
        return 0
    width = max((len(case.id) for case in cases), default=0)
    for case in cases:
        print(f"{case.id:<{width}}  {case.category:<22} {case.title}")
    return 0


def _write(made: documents.SuiteDocument, results: Results, args: argparse.Namespace, root: Path | None) -> None:
    if args.junit:
        from trtbuild.suite.junit import to_xml

        write_atomic(Path(args.junit), to_xml(made))
    if args.html:
        from trtbuild.base.packaged import templates
        from trtbuild.suite.page import render_all

        target = Path(args.html)
        for name, text in render_all(made, results, templates(root or Path.cwd())).items():
            write_atomic(target / name, text.encode())
        note(f"written: {target / 'suite.html'}")


def _update(
    chosen: Sequence[Case], everything: Mapping[str, Case], asked: Mapping[str, Toolchain], results: Results,
    root: Path | None, machine: str,
) -> str:  # fmt: skip
    """Write the proposed expectations; what changed, as a unified diff."""
    changed = ""
    for version, toolchain in asked.items():
        found = {case.id: results.stages(case.id, version) for case in chosen}
        title = f"{toolchain.flavour} {toolchain.version}"
        for path, text in proposal.proposals(version, title, found, everything, root, machine).items():
            changed += proposal.difference(path, text)
            write_atomic(path, text.encode())
    if not changed:
        note("the expectations are up to date")
    return changed
