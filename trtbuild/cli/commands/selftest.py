"""``trtbuild selftest``: build the demonstration models, execute their engines on this GPU, write one file."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.base.files import check_output
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import Planned
from trtbuild.building.run import build_planned
from trtbuild.cli import words
from trtbuild.workers import cluster

GROUP = "share"
HELP = "execute the demonstration models' engines on this GPU, compare, time, and write one file to send back"
EXAMPLES = """\
  trtbuild selftest                                     on a machine with a supported GPU
  trtbuild selftest --prepare out model=segnet          an archive for a device without TensorFlow
  trtbuild selftest --run out/selftest-segnet.zip       there (without trtbuild: python selftest-segnet.zip)
  trtbuild selftest --page selftest-result.json         the result as a page
"""


RESULT = Path("selftest-result.json")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="key=value", help="model=A,B precision=P,Q and further overrides")
    parser.add_argument("--prepare", type=Path, metavar="DIR", help="only build, and write an archive for each model")
    parser.add_argument("--run", type=Path, nargs="+", metavar="ARCHIVE", help="only execute these archives")
    parser.add_argument("--page", type=Path, nargs="+", metavar="RESULT", help="print results as Markdown")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the result (default: selftest-result.json)")
    parser.add_argument("--on", type=words.OneOf(("auto", "engine", "cuda", "cpu")), default="auto", metavar="PLACE",
                        help="what executes: the engine, or the graph on cuda or cpu (default: auto)")  # fmt: skip
    words.install_option(parser)


def run(args: argparse.Namespace) -> int:
    """0: everything ran and was within its limits; 1: something was not; otherwise the error's status."""
    from trtbuild.selftest import execution, page

    chosen = [name for name in ("prepare", "run", "page") if getattr(args, name)]
    if len(chosen) > 1:
        raise ConfigError(f"only one of --{chosen[0]} and --{chosen[1]} at a time", where="selftest")
    _check_words(args, chosen)
    if args.page:
        print("\n".join(map(page.render, page.joined([page.load(path) for path in args.page]))), end="")
        return 0
    if args.run:
        return _execute(args, args.run)
    if args.prepare:
        for path in _prepare(args, args.prepare):
            print(path)
        return 0
    execution.check_place(args.on)
    with tempfile.TemporaryDirectory(prefix="selftest-") as folder:
        return _execute(args, _prepare(args, Path(folder)))


def _check_words(args: argparse.Namespace, chosen: Sequence[str]) -> None:
    """Refuse what would have no effect, and what could not be written when all is done."""
    executes, builds = chosen not in (["prepare"], ["page"]), chosen in ([], ["prepare"])
    if args.words and not builds:
        hint = "python ARCHIVE --precision P,Q chooses among what is in it" if args.run else ""
        raise ConfigError(f"has no effect with --{chosen[0]}", where=args.words[0], hint=hint)
    if not executes:
        for option, given in (("--output", args.output), ("--on", args.on != "auto")):
            if given:
                raise ConfigError(f"has no effect with --{chosen[0]}", where=option)
    if executes:
        check_output(args.output or RESULT)
    if args.prepare:
        check_output(args.prepare, folder=True)


@cluster.held()
def _prepare(args: argparse.Namespace, folder: Path) -> list[Path]:
    from trtbuild.selftest import preparation

    overrides = words.overrides_of(args)
    models, others = _values(overrides, "model", preparation.MODELS)
    precisions, others = _values(others, "precision", preparation.PRECISIONS)
    workspace = find_workspace(Path.cwd())

    def build(p: Planned) -> Mapping[str, TrtbuildError]:
        return build_planned(p, install=args.install).failures

    for model in models:
        preparation.check(workspace, model, others, precisions)
    return [preparation.prepare(workspace, m, others, precisions, folder, build, _note) for m in models]


def _values(overrides: Sequence[str], key: str, default: Sequence[str]) -> tuple[list[str], list[str]]:
    """The values of ``key=A,B`` among the words, and the other words."""
    mine = [word for word in overrides if word.startswith(f"{key}=")]
    if len(mine) > 1:
        raise ConfigError(f"{key}= is given twice", where="command line", hint=f"{key}=A,B")
    values = mine[0].partition("=")[2].split(",") if mine else list(default)
    return values, [word for word in overrides if word not in mine]


def _execute(args: argparse.Namespace, archives: Sequence[Path]) -> int:
    from trtbuild.selftest import execution, standalone

    output = args.output or RESULT
    result = standalone.run(archives, execution.Choice(args.on), output, _note)
    _note(f"result: {output} (as a page: trtbuild selftest --page {output})")
    return standalone.status(result)


def _note(line: str) -> None:
    print(line, file=sys.stderr)
