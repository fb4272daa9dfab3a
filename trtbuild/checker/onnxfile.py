"""Checks a ready-made ONNX file: no TensorFlow, no export; problems are about its own nodes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.checkout import whole
from trtbuild.base.errors import ConfigError, SourceError
from trtbuild.checker import engine, options, shapes, usage
from trtbuild.checker.exported import ExportedGraph
from trtbuild.checker.finder import Finder
from trtbuild.checker.options import OPSET, Options
from trtbuild.checker.probers import Probers
from trtbuild.checker.problem import Problem, settled
from trtbuild.checker.result import Result

if TYPE_CHECKING:
    import onnx

    from trtbuild.core.recipes import InputParams


def check(path: Path, how: Options, *, ready: bool = True) -> Result:
    """``ready``: whatever precision it computes in is intended.

    Raises ConfigError for a file that is missing, SourceError for one that is not an ONNX model.
    """
    from trtbuild.graphs.graph import input_dims

    versions = options.toolchains(how)
    with closing(Probers(versions, how, note=options.note)) as probers:
        model = load(path)
        own = [*_undeclared(model), *usage.random_nodes(model)]
        chosen = shapes.choose(input_dims(model), how.profiles)
        with tempfile.TemporaryDirectory(prefix="trt-checker-", ignore_cleanup_errors=True) as folder:
            _beside(model, path, Path(folder))
            exported = ExportedGraph(model, {}, {})
            problems, answers = engine.check_onnx(
                exported, Finder(exported, None), chosen, how, probers, Path(folder), ready=ready
            )
        engine.raise_failed(probers)
    outcomes = {name: answers[name].outcome if name in answers else "not asked" for name in versions}
    found = settled([*own, *problems], outcomes)
    return Result(*found, how.lowering.precision, (str(path),), lowering=how.lowering)


def load(path: Path) -> onnx.ModelProto:
    """The model without its external data; every node gets a name, since a refusal can only point at a name."""
    import onnx

    from trtbuild.graphs.graph import open_dims
    from trtbuild.sources import largemodel, wiring

    whole(path)
    if largemodel.is_one(path):
        raise SourceError("a zip archive, not an ONNX model", where=str(path), hint=largemodel.HINT)
    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise ConfigError(error.strerror or str(error), where=str(path)) from None
    except Exception as error:  # protobuf's DecodeError and the like
        raise SourceError("not an ONNX model", where=str(path)) from error
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise SourceError("not an ONNX model: it has no graph", where=str(path))
    open_dims(model)
    wiring.give_nodes(model)
    taken: set[str] = set()
    for i, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.name or node.op_type}_{i}"
        taken.add(node.name)
    return model


def _beside(model: onnx.ModelProto, path: Path, folder: Path) -> None:
    """Links to the files in which the model keeps weights, under our own names: theirs might clash with our files.

    Raises:
        ConfigError: one is missing, too short, or not below the model's folder.
    """
    from trtbuild.graphs import externaldata

    links: dict[Path, str] = {}
    for tensor, place in externaldata.places(model, path.resolve().parent, str(path)):
        if place.file not in links:
            links[place.file] = f"weights.{len(links)}"
            (folder / links[place.file]).symlink_to(place.file)
        next(entry for entry in tensor.external_data if entry.key == "location").value = links[place.file]


def _undeclared(model: onnx.ModelProto) -> list[Problem]:
    """Domains without a version, one problem each; they get one, so that the rest can be checked."""
    from trtbuild.graphs.graph import all_nodes

    declared = {"" if entry.domain == "ai.onnx" else entry.domain for entry in model.opset_import}
    found = {}
    for node in all_nodes(model.graph):
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain not in declared and domain not in found:
            words = f"its domain '{domain or 'ai.onnx'}' has no opset import, so the file is not valid ONNX"
            advice = "add one: model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, VERSION))"
            found[domain] = Problem(
                "parse", "error", "", "", words, advice, node=node.name, node_type=node.op_type,
                rule="parse/opset_import",
            )  # fmt: skip
            model.opset_import.add(domain=domain, version=1 if domain else OPSET)
    return list(found.values())


def check_source(path: Path, where: str, inputs: Mapping[str, InputParams], how: Options) -> Result:
    """A ready-made file that a config names: it gets the config's inputs, and its opset is raised, as in a build."""
    from trtbuild.graphs.graph import opset_of
    from trtbuild.sources import onnxsource, tfonnx

    model = onnxsource.load_source(path, where, inputs)
    if opset_of(model) < how.opset:
        model = tfonnx.raise_opset(model, how.opset)
    with tempfile.TemporaryDirectory(prefix="trt-checker-") as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(model.SerializeToString())
        found = check(copy, how, ready=False)
    return replace(found, graphs=(where,))
