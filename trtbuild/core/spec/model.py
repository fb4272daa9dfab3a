"""The model in a config: its source, its inputs, how it is exported and what is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from trtbuild.base.text import did_you_mean
from trtbuild.core.spec.contract import Output, Preprocessing, check_channels, check_layout, check_range
from trtbuild.core.spec.data import Data, RandomData, check_seed
from trtbuild.core.spec.validation import BUILT_IN, Validation

DTYPES = ("float32", "float16", "float64", "int8", "uint8", "int32", "int64", "bool")
Dtype = Literal["float32", "float16", "float64", "int8", "uint8", "int32", "int64", "bool"]
OPSET_MIN, OPSET_MAX = 13, 25  # tf2onnx writes up to 18; onnx's version converter goes on from there


@dataclass(frozen=True)
class SavedModel:
    """``tags``: of its graph, if it has several (TensorFlow 1); default: ``serve``, or those of the only graph."""

    path: str
    signature: str = "serving_default"
    tags: tuple[str, ...] | None = None
    kind: Literal["saved_model"] = "saved_model"


@dataclass(frozen=True)
class Keras:
    """A ``.keras`` or ``.h5`` file."""

    path: str
    kind: Literal["keras"] = "keras"


@dataclass(frozen=True)
class FrozenGraph:
    """A TensorFlow 1 ``GraphDef``; ``inputs`` and ``outputs`` give its tensors clean names (``name: "op:0"``)."""

    path: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    kind: Literal["frozen_graph"] = "frozen_graph"


@dataclass(frozen=True)
class Onnx:
    path: str
    kind: Literal["onnx"] = "onnx"


@dataclass(frozen=True)
class Factory:
    """An importable callable (``package.module:name`` or dotted) that makes the model, with its keyword arguments."""

    callable: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    seed: int = 0
    kind: Literal["factory"] = "factory"

    def __post_init__(self) -> None:
        check_seed(self.seed)


Source = SavedModel | Keras | FrozenGraph | Onnx | Factory


@dataclass(frozen=True)
class Profile:
    """Optimisation profile of one input: sizes of its only dynamic dimension, or whole shapes."""

    min: int | tuple[int, ...]
    opt: int | tuple[int, ...]
    max: int | tuple[int, ...]


@dataclass(frozen=True)
class Input:
    """One model input; ``null`` in ``shape`` is a dynamic dimension.

    ``range``: (low, high) of its values; random data is drawn from it.  Empty: not declared.  ``layout``,
    ``preprocessing`` and ``note`` are for those who deploy, and part of no recipe.
    """

    dtype: Dtype
    shape: tuple[int | None, ...]
    profile: Profile | None = None
    range: tuple[float, ...] = ()
    layout: str | None = None
    preprocessing: Preprocessing | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if any(d is not None and d < 1 for d in self.shape):
            raise ValueError(f"shape: {list(self.shape)} has a dimension below 1; use null for a dynamic one")
        check_range(self.range)
        check_layout(self.layout, len(self.shape))
        check_channels(self.layout, self.shape, self.preprocessing)
        if None in self.shape and self.profile is None:
            raise ValueError("profile: missing for a dynamic dimension; write profile: {min: 1, opt: 4, max: 8}")
        if None not in self.shape and self.profile is not None:
            raise ValueError("profile: given, but no dimension of shape is null")
        if self.profile is not None:
            low, opt, high = self.shapes
            if not all(a <= b <= c for a, b, c in zip(low, opt, high, strict=True)):
                raise ValueError(f"profile: needs min <= opt <= max, got {low}, {opt}, {high}")

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Concrete (min, opt, max) shapes."""
        if self.profile is None:
            static = tuple(d for d in self.shape if d is not None)
            return static, static, static
        low, opt, high = (self._concrete(p) for p in (self.profile.min, self.profile.opt, self.profile.max))
        return low, opt, high

    def _concrete(self, point: int | tuple[int, ...]) -> tuple[int, ...]:
        if isinstance(point, int):
            if self.shape.count(None) != 1:
                raise ValueError("profile: several dimensions are null, so give whole shapes as lists")
            point = tuple(point if d is None else d for d in self.shape)
        fits = len(point) == len(self.shape) and all(d in (None, p) for d, p in zip(self.shape, point, strict=True))
        if not fits or min(point, default=1) < 1:
            raise ValueError(f"profile: {list(point)} does not fit shape {list(self.shape)}")
        return point


@dataclass(frozen=True)
class Export:
    opset: int = 17

    def __post_init__(self) -> None:
        if not OPSET_MIN <= self.opset <= OPSET_MAX:
            raise ValueError(f"opset: {self.opset} is not between {OPSET_MIN} and {OPSET_MAX}")


@dataclass(frozen=True)
class Qat:
    """What becomes of fake quantisation in the source.

    ``ranges``: those that are not symmetric are refused (``exact``), or made so, and the loss is measured.
    ``untrained``: operations of which an operand has no trained range stay in float, or are calibrated.
    ``strip``: precisions that take the rounding out; others than int8 refuse it.
    """

    ranges: Literal["exact", "symmetric"] = "exact"
    untrained: Literal["float", "calibrate"] = "float"
    strip: tuple[str, ...] = ()

    @property
    def calibrates(self) -> bool:
        return self.untrained == "calibrate"


@dataclass(frozen=True)
class Override:
    """Parts kept in higher precision: TensorFlow scopes (prefixes of whole components) and ONNX op types."""

    exclude_scopes: tuple[str, ...] = ()
    exclude_ops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    source: Source
    inputs: Mapping[str, Input]
    export: Export = Export()
    data: Data = field(default=Data())
    validation: Validation = field(default=Validation())
    overrides: Mapping[str, Override] = field(default_factory=dict)
    qat: Qat | None = None  # null: as Qat(), for a source without fake quantisation
    outputs: Mapping[str, Output] = field(default_factory=dict)  # what bundles say of them

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("inputs: at least one is needed")
        task = self.validation.task
        if task is not None and isinstance(self.data.validation, RandomData):
            raise ValueError("validation.task: random data has no labels; give labelled data in model.data.validation")
        if self.data.slices is not None and (task is None or not task.by_sample):
            why = "no validation.task is scored on them" if task is None else f"{task.metric} gives one number for all"
            raise ValueError(f"data.slices: {why}; use validation.task with {', '.join(BUILT_IN)}")
        if not isinstance(self.source, FrozenGraph):
            return
        if missing := set(self.inputs) - set(self.source.inputs):
            raise ValueError(f"source.inputs: input '{min(missing)}' has no tensor; write {min(missing)}: \"op:0\"")
        if task is not None and task.output is not None and task.output not in self.source.outputs:
            hint = did_you_mean(task.output, self.source.outputs)
            raise ValueError(f"validation.task.output: no output '{task.output}'; {hint}")
