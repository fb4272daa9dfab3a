"""What a command line names to be reduced: an ONNX file, a model of the workspace, or a case of the suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.config import named
from trtbuild.core.spec import Lowering, Target, Toolchain
from trtbuild.reducing.sourceparts import Source
from trtbuild.suite.case import TOLERANCES, Case, Tolerance
from trtbuild.workers.prober import Profiles

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array


@dataclass(frozen=True)
class Neighbour:
    """``matches``: whether ONNX Runtime gives TensorFlow's values for it."""

    graph: Path
    matches: bool


@dataclass(frozen=True)
class Subject:
    """``model`` is what TensorRT is given; ``exported`` is the float32 graph that it was lowered from.

    ``feeds`` and ``golden``: inputs of one call, and the source's outputs for them; empty if there is no source.
    ``scoped``: nodes of ``exported`` in each scope of the precision, and in those that the model excludes.
    ``secrets``: words that must not appear in what is given to others.
    """

    model: onnx.ModelProto
    exported: onnx.ModelProto
    shapes: Mapping[str, Sequence[int]]
    profiles: Profiles
    lowering: Lowering
    versions: Mapping[str, Toolchain]
    target: Target
    title: str
    name: str  # for files
    tolerance: Tolerance
    scoped: Mapping[str, frozenset[str]] = field(default_factory=dict)
    feeds: Mapping[str, Array] = field(default_factory=dict)
    golden: Mapping[str, Array] = field(default_factory=dict)
    case: Case | None = None
    neighbours: Mapping[str, Neighbour] = field(default_factory=dict)  # by title: other cases of the same function
    compare: bool = False  # whether to look for a deviation without --for mismatch
    source: Source | None = None  # for comparing parts of the graph with TensorFlow
    secrets: tuple[str, ...] = ()

    @property
    def precision(self) -> str:
        """Its name in conf/precision."""
        return self.lowering.precision

    @property
    def tf32(self) -> bool:
        return self.lowering.tf32

    @property
    def version(self) -> str:
        """The TensorRT version in which it fails, by its name in conf/tensorrt."""
        return next(iter(self.versions))


def of_file(path: Path, overrides: Sequence[str]) -> Subject:
    """An ONNX file, in the precision and for the versions and the target that the overrides name.

    Raises:
        ConfigError: no such file, no ONNX, or a word that a file does not take.  ToolchainError: the target lacks a
        type of the precision.  LowerError: the precision cannot be written into it.
    """
    import onnx

    from trtbuild.checker import onnxfile, shapes
    from trtbuild.graphs import externaldata, uncalibrated
    from trtbuild.graphs.graph import input_dims
    from trtbuild.graphs.placement import scoped

    keys = [word for word in overrides if word.startswith("precision.")]
    given = named.values((word for word in overrides if word not in keys), ("precision", *named.AIMS))
    lowering = named.precision(named.root_here(), given.get("precision", "fp32"), keys)
    versions, target = aimed(given, lowering)
    model = onnxfile.load(path)  # its errors say what is wrong with the file
    externaldata.read(model, path.resolve().parent, str(path))
    chosen = shapes.choose(input_dims(model), None)
    lowered = onnx.ModelProto.FromString(model.SerializeToString())
    found = scoped(model, lowering)
    uncalibrated.lower(lowered, lowering, found)
    return Subject(
        lowered, model, chosen.concrete, chosen.profiles, lowering, versions, target,
        "an ONNX file", path.stem, TOLERANCES[lowering.coarsest], found,
        secrets=(path.stem, str(path.resolve().parent)),
    )  # fmt: skip


def aimed(given: Mapping[str, str], lowering: Lowering) -> tuple[dict[str, Toolchain], Target]:
    """The toolchains of ``tensorrt=A,B`` and the target of ``target=NAME``; the default ones where no name is given.

    Raises:
        ConfigError: an unknown name.  ToolchainError: a device of the target lacks a type of the lowering.
    """
    root = named.root_here()
    target = named.target(root, given.get("target"))
    return named.fitting_toolchains(root, named.versions(given), target, lowering), target[1]
