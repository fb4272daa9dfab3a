"""``trtbuild init``: make a workspace, or add a model to one."""

from __future__ import annotations

import argparse
from pathlib import Path

from trtbuild.building import newworkspace

GROUP = "share"
HELP = "make a workspace with git, DVC and conf/, or add a model to one"
EXAMPLES = """\
  trtbuild init my-robot --from path/to/saved_model
  trtbuild init . --from detector.onnx --calibration calibration.npz --validation validation.npz
"""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIRECTORY", help="a new folder, or an existing workspace")
    parser.add_argument("--from", dest="model", metavar="MODEL", help="a SavedModel, .keras, .h5, .pb or .onnx")
    parser.add_argument("--name", help="name of the model (default: the file's name)")
    parser.add_argument("--signature", help="the SavedModel's signature (default: serving_default)")
    parser.add_argument("--tags", metavar="A,B", help="the tags of the SavedModel's graph, if it has several")
    parser.add_argument(
        "--shape", action="append", default=[], metavar="NAME=null,224,224,3",
        help="shape of an input that the model leaves open; can be repeated",
    )  # fmt: skip
    parser.add_argument("--calibration", metavar="FILE.npz", help="calibration data")
    parser.add_argument(
        "--validation", metavar="FILE.npz", help="validation data, with labels if a task metric is judged"
    )


def run(args: argparse.Namespace) -> int:
    given = {"--from": args.model, "--name": args.name, "--signature": args.signature, "--tags": args.tags,
             "--calibration": args.calibration, "--validation": args.validation}  # fmt: skip
    named = {name: value for name, value in given.items() if value is not None}
    newworkspace.init(Path(args.directory), named, args.shape)
    return 0
