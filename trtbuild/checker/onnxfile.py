"""Checks a ready-made ONNX file: no TensorFlow, no export; problems are of its own nodes."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtbuild.checker import engine, options, shapes, versions
from trtbuild.checker.asking import asking
from trtbuild.checker.exporting import Exported
from trtbuild.checker.findings import Finder
from trtbuild.checker.options import Options
from trtbuild.checker.result import Result
from trtbuild.errors import ConfigError, SourceError


def check(path: Path, how: Options, *, ready: bool = True) -> Result:
    """``ready``: whatever precision it computes in is meant.

    Raises SourceError for what is no ONNX model, ConfigError for a file that is not there.
    """
    wanted = versions.wanted(how.versions)
    with asking(wanted, install=how.install, limit_s=how.limit_s, note=options.note) as asker:
        model = load(path)
        chosen = shapes.choose(_shapes(model), how.profiles)
        with tempfile.TemporaryDirectory(prefix="trt-checker-", ignore_cleanup_errors=True) as folder:
            _beside(model, path, Path(folder))
            exported = Exported(model, {}, {})
            problems, answers = engine.check_onnx(
                exported, Finder(exported, None), chosen, how, asker, Path(folder), ready=ready
            )
        engine.raise_failed(asker)
    verdicts = {
        want.name: engine.verdict_of(answers[want.name]) if want.name in answers else "not asked" for want, _ in wanted
    }
    return Result(tuple(problems), verdicts, how.precision, (str(path),))


def load(path: Path) -> Any:
    """The model without its external data; every node gets a name, since a refusal can only point at a name."""
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise ConfigError(error.strerror or str(error), where=str(path)) from None
    except Exception as error:  # protobuf's DecodeError and its kin
        raise SourceError("not an ONNX model", where=str(path)) from error
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise SourceError("not an ONNX model: it has no graph", where=str(path))
    taken: set[str] = set()
    for i, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.name or node.op_type}_{i}"
        taken.add(node.name)
    return model


def _shapes(model: Any) -> dict[str, list[int | None] | None]:
    constants = {tensor.name for tensor in model.graph.initializer}
    found: dict[str, list[int | None] | None] = {}
    for value in model.graph.input:
        if value.name not in constants and value.type.HasField("tensor_type"):
            kind = value.type.tensor_type
            dims = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
            found[value.name] = dims if kind.HasField("shape") else None
    return found


def _beside(model: Any, path: Path, folder: Path) -> None:
    """Links to the files in which the model keeps weights."""
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                link, target = folder / entry.value, (path.resolve().parent / entry.value)
                if not link.exists() and target.exists() and folder in link.parents:
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(target)


def check_source(path: Path, where: str, inputs: dict[str, Any], how: Options) -> Result:
    """A ready-made file that a config names: its inputs are the config's, and its opset is raised, as in a build."""
    from trtbuild.kit import onnxsource, tfonnx

    model = onnxsource.load_source(path, where, inputs)
    have = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if have < how.opset:
        model = tfonnx.raise_opset(model, how.opset)
    with tempfile.TemporaryDirectory(prefix="trt-checker-") as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(model.SerializeToString())
        found = check(copy, how, ready=False)
    return replace(found, graphs=(where,))
