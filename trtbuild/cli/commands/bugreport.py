"""``trtbuild bugreport``: reduce a failure, and write a folder and zip file that a maintainer can work with."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.bugreport import folder, report, secrets
from trtbuild.cli.commands.reduce import failure_options, request
from trtbuild.config import named
from trtbuild.core.spec import Toolchain
from trtbuild.reducing import casefile
from trtbuild.reducing.reproducer import Reproducer, reproducer_of


def note(line: str) -> None:
    print(f"bugreport: {line}", file=sys.stderr, flush=True)


GROUP = "convert"
HELP = "write a folder and zip file with everything a maintainer needs, and none of your data"
EXAMPLES = """\
  trtbuild bugreport model=segnet precision=int8 -o report
  trtbuild bugreport detector.onnx
  trtbuild bugreport topk-large
"""


def options(parser: argparse.ArgumentParser) -> None:
    failure_options(parser)
    parser.add_argument("-o", "--output", metavar="DIR", default="", help="the folder to write (default: bug_NAME)")
    parser.add_argument(
        "--keep-weights", action="store_true", help="let the report contain weights that the failure needs"
    )


def run(args: argparse.Namespace) -> int:
    """0: the folder and its zip are written.

    Raises:
        ConfigError: nothing fails, bad words, the folder exists, or it would have to hold the user's own values.
    """
    reduction = request(args, "an .onnx file, or a case of the suite")
    given = args.output
    if given:
        folder.check_free(Path(given))
    with reproducer_of(reduction, note, cases=True) as reproducer, tempfile.TemporaryDirectory() as scratch:
        name = args.name or _name(reproducer)
        target = Path(given or f"bug_{name}")
        folder.check_free(target)
        keep = args.keep_weights
        hidden = secrets.gather(reproducer.subject.secrets, () if keep else _blobs(reproducer))
        made = report.make(
            reproducer, _versions(reproducer.subject.versions), hidden, Path(scratch), install=args.install,
            keep_values=keep, say=note,
        )  # fmt: skip
        leaks = hidden.found(made.files)
        if leaks:
            # A word of the report's own may also be a model's name: only its owner can tell.
            what = f"the report would contain a word that names this machine or model: {leaks[0]}"
            raise ConfigError(what, where="bugreport", hint="if the word is the report's own, rename the file or model")
        folder.write(target, made.files)
    _say(target, made, as_json=args.json)
    return 0


def _name(reproducer: Reproducer) -> str:
    """A name from the fault, not from the user's model."""
    ops = [node.op_type for node in reproducer.model.graph.node]
    failure = reproducer.small.failure
    public = reproducer.subject.case is not None and reproducer.subject.case.packaged
    return reproducer.subject.name if public else casefile.case_id("-".join(ops[:1]) or "graph", failure)


def _versions(requested: Mapping[str, Toolchain]) -> dict[str, Toolchain]:
    """The named versions if there are several, otherwise every version of the flavour."""
    if len(requested) > 1:
        return dict(requested)
    flavour, root = next(iter(requested.values())).flavour, named.root_here()
    every = named.toolchains(root, config.options(root, "tensorrt"))
    return {**{name: spec for name, spec in every.items() if spec.flavour == flavour}, **requested}


def _blobs(reproducer: Reproducer) -> Iterator[bytes]:
    """Bytes that must not be in a report: some from the middle of each of the user's own weights."""
    import onnx

    from trtbuild.reducing.weights import own_values, tensors

    if reproducer.subject.case is not None:
        return
    graph = reproducer.subject.exported.graph
    every = list(tensors(graph))
    for place in own_values(reproducer.subject.exported):
        content = (
            onnx.numpy_helper.to_array(every[place]).tobytes()
            if every[place].data_type != onnx.TensorProto.STRING
            else b""
        )
        if len(content) >= 32 and len(set(content)) > 8:
            middle = len(content) // 2 & ~7
            yield content[middle - 16 : middle + 16]


def _say(target: Path, made: report.Report, *, as_json: bool) -> None:
    reproduced = made.reproduced == 0
    document = {"folder": str(target), "zip": str(folder.archive_of(target)), "title": made.title,
                "reproduced": reproduced, "files": sorted(made.files)}  # fmt: skip
    if as_json:
        print(json.dumps(document, indent=1))
    else:
        print(re.sub(r"\s+", " ", made.title))
        print(f"wrote {target} and {folder.archive_of(target).name}: read report.md before you send it")
    if not reproduced:
        note(f"repro.py did not reproduce the failure here (status {made.reproduced}); the report says so")
