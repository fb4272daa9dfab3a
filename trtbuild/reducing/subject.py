"""What a command line asks to have reduced: an ONNX file, a model of the workspace, or a case of the suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ConfigError
from trtbuild.base.names import did_you_mean
from trtbuild.core.spec import Toolchain
from trtbuild.reducing.sourceparts import Source
from trtbuild.suite.case import PRECISIONS, TOLERANCES, Case, Tolerance

QUANTIZED = ("Conv", "ConvTranspose", "MatMul", "Gemm")  # as in conf/precision/int8.yaml
Lower = Callable[[Any, Mapping[str, Any]], Any]  # a float32 graph and its inputs -> the graph in the precision


@dataclass(frozen=True)
class Neighbour:
    """``matches``: whether ONNX Runtime gives TensorFlow's values for it."""

    graph: Path
    matches: bool


@dataclass(frozen=True)
class Subject:
    """``model`` (onnx.ModelProto) is what TensorRT is given; ``exported`` the float32 graph that it was lowered from.

    ``feeds`` and ``golden``: inputs of one call, and the source's outputs for them; empty where there is no source.
    ``secrets``: words that may not appear in what is handed to others.
    """

    model: Any
    exported: Any
    shapes: Mapping[str, Sequence[int]]
    profiles: Mapping[str, Sequence[Sequence[int]]]
    precision: str
    versions: Mapping[str, Toolchain]
    title: str
    name: str  # for a file of it
    tolerance: Tolerance
    lower: Lower | None = None
    feeds: Mapping[str, Any] = field(default_factory=dict)
    golden: Mapping[str, Any] = field(default_factory=dict)
    case: Case | None = None
    neighbours: Mapping[str, Neighbour] = field(default_factory=dict)  # by title: the family's other cases
    compare: bool = False  # whether a deviation is looked for without being asked
    source: Source | None = None  # where parts of the graph can be compared with TensorFlow
    secrets: tuple[str, ...] = ()

    @property
    def tf32(self) -> bool:
        return self.precision == "tf32"

    @property
    def version(self) -> str:
        """The TensorRT version in which it fails, by its name in conf/tensorrt."""
        return next(iter(self.versions))


def of_file(path: Path, overrides: Sequence[str]) -> Subject:
    """An ONNX file, in the precision and for the versions of the overrides.

    Raises:
        ConfigError: no such file, no ONNX, or a word that a file does not take.  LowerError: the
        precision cannot be written into it.
    """
    import onnx

    from trtbuild.checker import onnxfile, shapes
    from trtbuild.graphs import externaldata
    from trtbuild.graphs.graph import input_dims

    given = file_words(overrides)
    precision = given.get("precision", "fp32")
    if precision not in (*PRECISIONS, "tf32"):
        raise ConfigError(
            f"unknown precision '{precision}'", where="precision", hint=did_you_mean(precision, PRECISIONS)
        )
    model = onnxfile.load(path)  # its errors say what is wrong with a file
    externaldata.read(model, path.resolve().parent, str(path))
    chosen = shapes.choose(input_dims(model), None)
    lower = lowering(precision)
    lowered = onnx.ModelProto.FromString(model.SerializeToString())
    if lower is not None:
        from trtbuild.graphs import uncalibrated

        uncalibrated.lower(lowered, precision, QUANTIZED)
    return Subject(
        lowered, model, chosen.concrete, chosen.profiles, precision, versions_of(given.get("tensorrt", "")),
        "an ONNX file", path.stem, TOLERANCES.get(precision, TOLERANCES["fp32"]), lower,
        secrets=(path.stem, str(path.resolve().parent)),
    )  # fmt: skip


def lowering(precision: str) -> Lower | None:
    """How a float32 graph becomes one of this precision: int8 with scales of the inputs that it is given."""
    if precision in ("fp32", "tf32"):
        return None

    def lower(model: Any, feeds: Mapping[str, Any]) -> Any:
        from trtbuild.graphs import uncalibrated

        if precision != "int8":
            uncalibrated.lower(model, precision, QUANTIZED)
            return model
        return _calibrated(model, feeds)

    return lower


def _calibrated(model: Any, feeds: Mapping[str, Any]) -> Any:
    from trtbuild.base.errors import LowerError
    from trtbuild.graphs import qdq
    from trtbuild.graphs.graph import element_types, hoist_constants
    from trtbuild.quantizers import minmax
    from trtbuild.reducing.observing import everything

    hoist_constants(model.graph)
    nodes, _ = qdq.candidates(model.graph, element_types(model), QUANTIZED, lambda node: False)
    if not nodes:
        raise LowerError("nothing to quantise", where="lower")
    seen = everything(model, feeds)
    quantizer = minmax.make({})
    for name in qdq.activations(nodes, model.graph):
        if name in seen:
            quantizer.observe(name, seen[name])
    qdq.insert(model, nodes, quantizer.ranges())
    return model


def file_words(overrides: Sequence[str], known: Sequence[str] = ("precision", "tensorrt")) -> dict[str, str]:
    """The few keys that what is no variant of a config takes."""
    given = {}
    for word in overrides:
        key, _, value = word.partition("=")
        if key not in known:
            raise ConfigError(f"takes no '{key}' here", where=word, hint=did_you_mean(key, known))
        given[key] = value
    return given


def versions_of(names: str) -> dict[str, Toolchain]:
    """Toolchains of ``A,B``, of the default one where no name is given."""
    from trtbuild.config import named

    return named.toolchains(named.root_here(), [name for name in names.split(",") if name] if names else None)
