"""What a user can ask for, as frozen values: one class for each part of the composed config."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trtbuild.core.names import did_you_mean

DTYPES = ("float32", "float16", "float64", "int8", "uint8", "int32", "int64", "bool")
Dtype = Literal["float32", "float16", "float64", "int8", "uint8", "int32", "int64", "bool"]
OPSET_MIN, OPSET_MAX = 13, 25  # tf2onnx writes up to 18; onnx's version converter goes on from there
LATENCY_MAX_S = 3600  # a misplaced unit (milliseconds) would measure for days

# Deviation metrics a threshold can be set on; the sign of "better" is part of the name's meaning.
UPPER_BOUNDS = ("max_abs", "mean_abs", "median_abs", "p99_abs", "p999_abs", "rmse")
LOWER_BOUNDS = ("cosine", "sqnr_db")


@dataclass(frozen=True)
class SavedModel:
    path: str
    signature: str = "serving_default"
    kind: Literal["saved_model"] = "saved_model"


@dataclass(frozen=True)
class Keras:
    """A ``.keras`` or ``.h5`` file."""

    path: str
    kind: Literal["keras"] = "keras"


@dataclass(frozen=True)
class FrozenGraph:
    """A TensorFlow 1 ``GraphDef``; ``inputs`` and ``outputs`` give clean names to its tensors (``name: "op:0"``)."""

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


Source = SavedModel | Keras | FrozenGraph | Onnx | Factory


@dataclass(frozen=True)
class Profile:
    """Optimisation profile of one input: a number for its one dynamic dimension, or whole shapes."""

    min: int | tuple[int, ...]
    opt: int | tuple[int, ...]
    max: int | tuple[int, ...]


@dataclass(frozen=True)
class Input:
    """One model input: ``null`` in ``shape`` is a dynamic dimension; ``range`` bounds random data [low, high)."""

    dtype: Dtype
    shape: tuple[int | None, ...]
    profile: Profile | None = None
    range: tuple[float, ...] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if any(d is not None and d < 1 for d in self.shape):
            raise ValueError(f"shape: {list(self.shape)} has a dimension below 1; use null for a dynamic one")
        if len(self.range) != 2 or self.range[0] > self.range[1]:
            raise ValueError(f"range: expected [low, high], got {list(self.range)}")
        if None in self.shape and self.profile is None:
            raise ValueError("profile: missing for a dynamic dimension; write profile: {min: 1, opt: 4, max: 8}")
        if None not in self.shape and self.profile is not None:
            raise ValueError("profile: given, but no dimension of shape is null")
        if self.profile is not None:
            low, opt, high = self.shapes
            if not all(a <= b <= c for a, b, c in zip(low, opt, high, strict=True)):
                raise ValueError(f"profile: needs min <= opt <= max, got {low}, {opt}, {high}")

    @property
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
class RandomData:
    """Seeded uniform random samples drawn from every input's ``range``."""

    count: int = 8
    seed: int = 0
    kind: Literal["random"] = "random"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count: {self.count} is below 1")


@dataclass(frozen=True)
class FactoryData:
    """An importable callable that yields one sample at a time: ``{key: array without the batch dimension}``."""

    callable: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    kind: Literal["factory"] = "factory"


DataSource = str | RandomData | FactoryData  # text: an .npz file, or a folder with one .npy per key


VALIDATION = "validation"
_SET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # part of file names and of step folders


@dataclass(frozen=True)
class Data:
    """``validation`` is judged; the sets of ``inspection`` are measured and shown beside it."""

    calibration: DataSource | None = None
    validation: DataSource = RandomData()
    inspection: Mapping[str, DataSource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seen = [(VALIDATION, self.validation)]
        for name, source in self.inspection.items():
            if not _SET_NAME.fullmatch(name) or name == VALIDATION:
                raise ValueError(f"inspection: '{name}' cannot name a set; use letters, digits, '_' and '-'")
            same = next((other for other, known in seen if known == source), None)
            if same is not None:
                raise ValueError(f"inspection: '{name}' has the same source as '{same}'; once is enough")
            seen.append((name, source))

    @property
    def sets(self) -> dict[str, DataSource]:
        """Every set whose deviation is measured, validation first."""
        return {VALIDATION: self.validation, **{name: self.inspection[name] for name in sorted(self.inspection)}}


@dataclass(frozen=True)
class Task:
    """A task metric on ``labels`` (a key of the validation data); ``max_drop`` against TensorFlow's own score."""

    metric: str
    labels: str
    max_drop: float
    output: str | None = None
    ignore_label: int | None = None
    higher_is_better: bool = True


@dataclass(frozen=True)
class LatencyLimits:
    """``max_regression``: by how much of the baseline's median latency it may be slower (0.05 is 5 %)."""

    p99_ms: float | None = None
    max_regression: float | None = None

    def __post_init__(self) -> None:
        if self.p99_ms is not None and self.p99_ms <= 0:
            raise ValueError(f"p99_ms: {self.p99_ms:g} is not above 0")
        if self.max_regression is not None and self.max_regression < 0:
            raise ValueError(f"max_regression: {self.max_regression:g} is below 0; 0.05 allows 5 %")


@dataclass(frozen=True)
class Validation:
    deviation: Mapping[str, float | Mapping[str, float] | None] = field(default_factory=dict)
    task: Task | None = None
    latency: LatencyLimits = LatencyLimits()

    def __post_init__(self) -> None:
        for name in self.deviation:
            if name not in UPPER_BOUNDS + LOWER_BOUNDS:
                raise ValueError(
                    f"deviation: unknown metric '{name}'; {did_you_mean(name, UPPER_BOUNDS + LOWER_BOUNDS)}"
                )

    def limits(self, precision: str) -> dict[str, float]:
        """The deviation thresholds that hold for one precision."""
        chosen = {k: v.get(precision) if isinstance(v, Mapping) else v for k, v in self.deviation.items()}
        return {name: limit for name, limit in chosen.items() if limit is not None}


@dataclass(frozen=True)
class Override:
    """Parts kept in higher precision: TensorFlow scopes (prefixes, whole components) and ONNX op types."""

    exclude_scopes: tuple[str, ...] = ()
    exclude_ops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    source: Source
    inputs: Mapping[str, Input]
    export: Export = Export()
    data: Data = Data()
    validation: Validation = Validation()
    overrides: Mapping[str, Override] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("inputs: at least one is needed")


@dataclass(frozen=True)
class Precision:
    """How ``lower`` writes it into the graph (``quantize_ops``: int8 only), and whether float32 may be TF32."""

    lowering: Literal["none", "float16", "bfloat16", "int8"]
    quantize_ops: tuple[str, ...] = ()
    tf32: bool = False


@dataclass(frozen=True)
class Toolchain:
    """One exact TensorRT; ``requirements`` are all pinned, since they are a part of every engine's recipe."""

    flavour: Literal["tensorrt-rtx", "tensorrt"]
    version: str
    requirements: tuple[str, ...]
    compute_capabilities: tuple[str, ...]

    def __post_init__(self) -> None:
        for requirement in self.requirements:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.]+", requirement):
                raise ValueError(f"requirements: '{requirement}' is not pinned; write NAME==VERSION")


CUDA_PROVIDER = "CUDAExecutionProvider"


@dataclass(frozen=True)
class Runtime:
    """What computes: ``module`` runs the graphs with its ``providers``, ``engine`` executes the engine (null: nothing).

    With an engine the graphs before it are run all the same: the hops to it tell who moved the outputs.
    """

    module: str
    providers: tuple[str, ...] = ()
    engine: str | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether the graphs run on a GPU."""
        return CUDA_PROVIDER in self.providers


@dataclass(frozen=True)
class Target:
    """Compute capabilities the engine is compiled for; empty: RTX's portable default set, TensorRT's own GPU.

    The rest is of the flavour ``tensorrt`` alone.  ``timing_cache``: a file of an earlier build; its tactics are taken
    and no others are timed, so that a rebuild chooses the same.
    """

    compute_capabilities: tuple[str, ...] = ()
    hardware_compatibility: Literal["none", "ampere_plus", "same_compute_capability"] = "none"
    version_compatible: bool = False
    timing_cache: str | None = None


@dataclass(frozen=True)
class Calibration:
    algorithm: str
    percentile: float = 99.99
    bins: int = 2048
    batch: int = 8

    def __post_init__(self) -> None:
        if self.bins < 2 or self.bins % 2:
            raise ValueError(f"bins: {self.bins} is not an even number above 1")
        if not 0 < self.percentile <= 100:
            raise ValueError(f"percentile: {self.percentile} is not in (0, 100]")
        if self.batch < 1:
            raise ValueError(f"batch: {self.batch} is below 1")


@dataclass(frozen=True)
class Executor:
    module: str
    workers: int | None = None
    memory: int | str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers: {self.workers} is below 1; null means one for each core")
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise ValueError(f"memory: {self.memory} is below 1; null means what is free")

    @property
    def memory_bytes(self) -> int | None:
        try:
            return None if self.memory is None else byte_count(self.memory)
        except ValueError as error:
            raise ValueError(f"memory: {error}") from None


@dataclass(frozen=True)
class Layers:
    """Which intermediate tensors are compared, on how many samples, within how many bytes of arrays at once.

    ``all``: every mapped tensor as an output of one graph; ``fusion``: those that the runtime's fusions leave alone;
    ``per_op``: a graph of its own for each tensor, of one ``scope`` or TensorFlow ``op`` type; ``off``: no step.
    """

    mode: Literal["all", "fusion", "per_op", "off"] = "all"
    samples: int = 1
    max_bytes: int | str = "1GB"
    scope: str | None = None
    op: str | None = None

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"samples: {self.samples} is below 1")
        if self.bytes < 1:
            raise ValueError(f"max_bytes: {self.max_bytes} is below 1")
        if self.mode == "per_op" and not (self.scope or self.op):
            raise ValueError("mode: per_op wants layers.scope or layers.op; a conversion for every tensor takes long")

    @property
    def bytes(self) -> int:
        """The byte budget as a number.

        >>> Layers(max_bytes="256MB").bytes
        256000000
        """
        try:
            return byte_count(self.max_bytes)
        except ValueError as error:
            raise ValueError(f"max_bytes: {error}") from None


_BYTE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def byte_count(size: int | str) -> int:
    """A number of bytes, from ``256MB`` or ``1.5GiB`` as well; ValueError for anything else."""
    if isinstance(size, int):
        return size
    number = size.rstrip("abigkmABIGKM ")
    unit = size[len(number) :].strip().upper()
    try:
        return int(float(number) * _BYTE_UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"'{size}' is no size; write bytes, 256MB or 1GiB") from None


@dataclass(frozen=True)
class Latency:
    """How latency is measured: ``seconds`` of calls a side in all, spread over interleaved ``rounds``.

    ``warmup_s`` goes before the first round, and its share before every later one.  ``batch``: null is the profile's
    opt; ``threads``: null is every core allowed.  ``baseline``: a lowered.onnx of another build, to compare with.
    """

    measure: bool = True
    warmup_s: float = 0.5
    seconds: float = 1.0
    rounds: int = 5
    batch: int | None = None
    threads: int | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_s <= LATENCY_MAX_S:
            raise ValueError(f"warmup_s: {self.warmup_s:g} is not between 0 and {LATENCY_MAX_S}")
        if not 0 < self.seconds <= LATENCY_MAX_S:
            raise ValueError(f"seconds: {self.seconds:g} is not above 0 and at most {LATENCY_MAX_S}")
        for name, value in (("rounds", self.rounds), ("batch", self.batch), ("threads", self.threads)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value} is below 1")


@dataclass(frozen=True)
class BuildSpec:
    """One variant: a model in one precision, for one TensorRT, target and runtime.

    A part with a default here is a group that a workspace's config.yaml need not list.
    """

    model: Model
    precision: Precision
    tensorrt: Toolchain
    runtime: Runtime
    target: Target
    calibration: Calibration
    executor: Executor
    latency: Latency = Latency()
    layers: Layers = Layers()


@dataclass(frozen=True)
class Names:
    """The chosen option of every group: what a person calls the variant."""

    model: str
    precision: str
    tensorrt: str
    runtime: str
    target: str
    calibration: str

    @property
    def id(self) -> str:
        """``segnet-int8-rtx-1.7-onnxruntime``, then target and calibration where they are not the default."""
        extra = [self.target] if self.target != "portable" else []
        if self.precision == "int8" and self.calibration != "minmax":
            extra.append(self.calibration)
        return "-".join([self.model, self.precision, self.tensorrt, self.runtime, *extra])


@dataclass(frozen=True)
class Variant:
    names: Names
    spec: BuildSpec
    # Workspace files that the callables of the config are made of ("pkg.module:name" -> "pkg/module.py", …): their
    # bytes are inputs, so that an edited factory or metric makes its steps stale.
    code: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)  # library -> installed version
    templates: str = ""  # digest of the report templates in force
    device: Mapping[str, object] = field(default_factory=dict)  # what latency is measured on (device.identity)
    gpu: Mapping[str, object] = field(default_factory=dict)  # what executes engines and CUDA graphs (gpu.identity)
