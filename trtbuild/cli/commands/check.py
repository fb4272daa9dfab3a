"""``trtbuild check``: a model from the config, or a file, against TensorRT versions, without a build."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from trtbuild import config
from trtbuild.base.checkout import whole
from trtbuild.base.errors import ConfigError
from trtbuild.base.files import write_atomic
from trtbuild.base.workspace import Workspace, find_workspace
from trtbuild.checker import engine
from trtbuild.checker import options as settings
from trtbuild.checker.options import Options
from trtbuild.checker.result import Result
from trtbuild.cli import words
from trtbuild.config import named
from trtbuild.core.spec import Onnx, Variant

GROUP = "convert"
HELP = "test whether a model or file converts: every failing operation, with its line and advice, without a build"
EXAMPLES = """\
  trtbuild check model=segnet precision=int8 tensorrt=rtx-1.6,rtx-1.7
  trtbuild check path/to/saved_model precision=fp16
  trtbuild check detector.onnx --sarif findings.sarif
"""
# What can be chosen for a path, besides precision.KEY.
OF_A_PATH = ("precision", *named.AIMS, "opset", "signature")


def options(parser: argparse.ArgumentParser) -> None:
    words.variant_words(parser, multirun=False)
    words.install_option(parser)
    parser.add_argument("--sarif", metavar="FILE", help="also write the findings to this file, as SARIF 2.1.0")


def run(args: argparse.Namespace) -> int:
    """0: it converts; 4: it does not; otherwise the status of the error that prevented the check."""
    install = args.install
    if args.sarif:
        _refuse_target(Path(args.sarif))
    name, overrides = words.one_argument(args, "one path")
    if name:
        path = Path(name)
        keys = [word for word in overrides if word.startswith("precision.")]
        given = named.values((word for word in overrides if word not in keys), OF_A_PATH)
        how, signature = _options_of_path(path, given, keys, install), given.get("signature")
        result = engine.guarded(lambda: _of_path(path, how, signature), how.lowering.precision, raise_on_error=True)
    else:
        workspace = find_workspace(Path.cwd())
        variant, how = _variant(workspace, overrides, install)
        work = lambda: _of_variant(workspace, variant, how)  # noqa: E731
        result = engine.guarded(work, how.lowering.precision, raise_on_error=True)
    if args.sarif:
        content = json.dumps(result.to_sarif(), indent=1) + "\n"
        write_atomic(Path(args.sarif), content.encode())
    if args.json:
        print(result.to_json())
    else:
        print(result)
        print(f"checked in {result.seconds:.1f} s", file=sys.stderr)
    return 0 if result else 4


def _refuse_target(path: Path) -> None:
    """Refuse a target that cannot be written, before the check: its result would be lost."""
    if path.is_dir():
        raise ConfigError("is a folder", where=f"--sarif {path}", hint="give the name of a file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f"cannot write to {folder}", where=f"--sarif {path}")


def _options_of_path(path: Path, given: Mapping[str, str], keys: Sequence[str], install: bool) -> Options:
    opset = given.get("opset", str(settings.OPSET))
    if not opset.isdecimal():
        raise ConfigError(f"'{opset}' is not a number", where="opset")
    if path.suffix == ".onnx" and "opset" in given:
        raise ConfigError("an ONNX file has its own opset", where=f"opset={opset}")
    if "signature" in given and path.suffix in (".onnx", ".keras", ".h5"):
        raise ConfigError("only a SavedModel has signatures", where=f"signature={given['signature']}")
    root = named.root_here()
    lowering = named.precision(root, given.get("precision", "fp32"), keys)
    aimed = named.target(root, given.get("target"))
    return Options(named.versions(given), lowering, int(opset), install=install, target=aimed)


def _of_path(path: Path, how: Options, signature: str | None) -> Result:
    if path.suffix == ".onnx":
        from trtbuild.checker import onnxfile

        return onnxfile.check(path, how)
    from trtbuild.checker import models

    return engine.check([lambda: models.of_path(path, signature)], how)


def _variant(workspace: Workspace, overrides: Sequence[str], install: bool) -> tuple[Variant, Options]:
    """The config's variant, with the versions that ``tensorrt=A,B`` names."""
    rest = [word for word in overrides if not word.startswith("tensorrt=")]
    given = [word.partition("=")[2].split(",") for word in overrides if word.startswith("tensorrt=")]
    names = given[-1] if given else [named.default_option(workspace.root, "tensorrt")]
    config.check_choices(workspace.root, [f"tensorrt={name}" for name in names])
    variant = config.load_variant(workspace.root, [*rest, f"tensorrt={names[0]}"])
    spec = variant.spec
    how = Options(
        versions=tuple(names), lowering=variant.lowering, opset=spec.model.export.opset, install=install,
        profiles={n: [list(s) for s in i.shapes] for n, i in spec.model.inputs.items() if None in i.shape},
        target=(variant.names.target, spec.target),
    )  # fmt: skip
    return variant, how


def _of_variant(workspace: Workspace, variant: Variant, how: Options) -> Result:
    from trtbuild.checker import onnxfile
    from trtbuild.checker.models import of_source
    from trtbuild.core.recipes import input_params, source_params

    model = variant.spec.model
    source = source_params(model)
    path = _present(workspace, source["path"]) if "path" in source else None
    sys.path.append(str(workspace.root))  # a workspace's own factories are importable
    if isinstance(model.source, Onnx):
        assert path is not None
        return onnxfile.check_source(path, source["path"], input_params(model), how)
    return engine.check([lambda: of_source(source, path, input_params(model), variant.names.model)], how)


def _present(workspace: Workspace, name: str) -> Path:
    """The model's file; one that is missing here is pulled from DVC's remote, as in a build."""
    from trtbuild.remote.models import bring_models
    from trtbuild.store import Store
    from trtbuild.store.usage import in_use

    path, store = workspace.root / name, Store(workspace)
    tracked = None if path.exists() else store.models.tracked_by(name)
    if tracked is not None:
        with in_use(workspace):
            error = bring_models([tracked], store)[tracked]
        if error is not None:
            raise error
    whole(path, name)
    if not path.exists():
        raise ConfigError("no such file or folder", where=name, hint="the config names it; check the path")
    return path
