"""Thresholds of a config: on deviation, on a task metric, on latency, on the compiled engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from trtbuild.base.text import did_you_mean

# Built-in task metrics, and whether higher is better; deviation/metrics.py computes them.
BUILT_IN: Mapping[str, bool] = {"mean_iou": True, "top1": True, "mse": False}
# Deviation metrics that can have a threshold: an upper or a lower bound.
UPPER_BOUNDS = ("max_abs", "mean_abs", "median_abs", "p99_abs", "p999_abs", "rmse")
LOWER_BOUNDS = ("cosine", "sqnr_db", "exact_share")
# The values that a metric can have: a limit outside of them would always hold, or never.
_RANGES = {"cosine": (-1.0, 1.0), "exact_share": (0.0, 1.0), **dict.fromkeys(UPPER_BOUNDS, (0.0, None))}


@dataclass(frozen=True)
class Task:
    """A task metric on ``labels`` (a key of the validation data); ``max_drop``: from TensorFlow's own score.

    ``max_class_drop``: how far the score of any class or slice may certainly fall (its interval is beyond it).
    """

    metric: str
    labels: str
    max_drop: float
    output: str | None = None
    ignore_label: int | None = None
    higher_is_better: bool = True
    max_class_drop: float | None = None

    def __post_init__(self) -> None:
        if self.metric not in BUILT_IN and not any(mark in self.metric for mark in ".:"):
            hint = did_you_mean(self.metric, BUILT_IN)
            raise ValueError(f"metric: unknown metric '{self.metric}'; {hint} (a callable: package.module:name)")
        if self.max_drop < 0:
            raise ValueError(f"max_drop: {self.max_drop:g} is below 0; 0 allows no drop at all")
        drops = {"max_drop": self.max_drop, "max_class_drop": self.max_class_drop}
        for key, drop in drops.items():
            if BUILT_IN.get(self.metric) and drop is not None and drop > 1:
                raise ValueError(f"{key}: {drop:g} is above 1, which {self.metric} cannot drop by; 0.01 is 1 %")
        if self.max_class_drop is None:
            return
        if self.max_class_drop < 0:
            raise ValueError(f"max_class_drop: {self.max_class_drop:g} is below 0; 0 allows no certain drop")
        if not self.by_sample:
            raise ValueError(f"max_class_drop: {self.metric} gives one number, not one for each class; leave it out")

    @property
    def by_sample(self) -> bool:
        """Whether what each sample adds to the score is known, and so the score of classes and slices."""
        return self.metric in BUILT_IN


def check_limits(where: str, limits: Mapping[str, float | Mapping[str, float] | None]) -> None:
    """Raise ValueError for a statistic that there is not, or a limit that always holds, or never."""
    for name, limit in limits.items():
        if name not in UPPER_BOUNDS + LOWER_BOUNDS:
            raise ValueError(f"{where}: unknown metric '{name}'; {did_you_mean(name, UPPER_BOUNDS + LOWER_BOUNDS)}")
        given = limit if isinstance(limit, Mapping) else {"": limit}
        for precision, value in given.items():
            _check_range(f"{where}.{name}{'.' * bool(precision)}{precision}", name, value)


def _check_range(where: str, metric: str, limit: float | None) -> None:
    low, high = _RANGES.get(metric, (None, None))
    if limit is not None and low is not None and limit < low:
        raise ValueError(f"{where}: {limit:g} is below {low:g}, which {metric} never is")
    if limit is not None and high is not None and limit > high:
        raise ValueError(f"{where}: {limit:g} is above {high:g}, which {metric} never is")


@dataclass(frozen=True)
class LatencyLimits:
    """``max_regression``: how much slower it can be, as a share of the baseline's median latency (0.05 is 5 %)."""

    p99_ms: float | None = None
    max_regression: float | None = None

    def __post_init__(self) -> None:
        if self.p99_ms is not None and self.p99_ms <= 0:
            raise ValueError(f"p99_ms: {self.p99_ms:g} is not above 0")
        if self.max_regression is not None and self.max_regression < 0:
            raise ValueError(f"max_regression: {self.max_regression:g} is below 0; 0.05 allows 5 %")


@dataclass(frozen=True)
class BytesMoved:
    """At most ``factor`` times the bytes that this model's engine in another precision moves in one inference."""

    precision: str
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.factor <= 0:
            raise ValueError(f"factor: {self.factor:g} is not above 0; 1.0 allows as many bytes as {self.precision}'s")


@dataclass(frozen=True)
class EngineBudget:
    """What holds for the engine of one precision; an MB is 10^6 bytes everywhere."""

    plan_mb: float | None = None
    activation_mb: float | None = None
    moved: BytesMoved | None = None

    def __bool__(self) -> bool:
        return self != EngineBudget()


@dataclass(frozen=True)
class EngineLimits:
    """Each for all precisions, or by precision; a precision is not compared with itself."""

    max_plan_mb: float | Mapping[str, float] | None = None
    max_activation_mb: float | Mapping[str, float] | None = None
    max_bytes_moved_vs: str | BytesMoved | Mapping[str, str | BytesMoved] | None = None

    def __post_init__(self) -> None:
        for key in ("max_plan_mb", "max_activation_mb"):
            for place, value in _by_precision(key, getattr(self, key)).items():
                if value <= 0:
                    raise ValueError(f"{place}: {value:g} is not above 0")
        if isinstance(self.max_bytes_moved_vs, Mapping):
            for name, other in self.max_bytes_moved_vs.items():
                if _moved(other).precision == name:
                    raise ValueError(f"max_bytes_moved_vs.{name}: compares {name} with itself")

    def budget(self, precision: str) -> EngineBudget:
        moved = self.max_bytes_moved_vs
        other = moved.get(precision) if isinstance(moved, Mapping) else moved
        bound = None if other is None else _moved(other)
        bound = None if bound is not None and bound.precision == precision else bound
        return EngineBudget(_of(self.max_plan_mb, precision), _of(self.max_activation_mb, precision), bound)

    def precisions(self) -> list[tuple[str, str]]:
        """Every precision that is named here, after its place; a place may name two."""
        found: list[tuple[str, str]] = []
        for key in ("max_plan_mb", "max_activation_mb", "max_bytes_moved_vs"):
            value = getattr(self, key)
            found += [(f"{key}.{name}", name) for name in value] if isinstance(value, Mapping) else []
        others: dict[str, str | BytesMoved] = _by_precision("max_bytes_moved_vs", self.max_bytes_moved_vs)
        return [*found, *((place, _moved(other).precision) for place, other in others.items())]


T = TypeVar("T")


def _of(limit: T | Mapping[str, T] | None, precision: str) -> T | None:
    return limit.get(precision) if isinstance(limit, Mapping) else limit


def _by_precision(key: str, limit: T | Mapping[str, T] | None) -> dict[str, T]:
    """The values of a limit, by their place."""
    if isinstance(limit, Mapping):
        return {f"{key}.{name}": value for name, value in limit.items()}
    return {} if limit is None else {key: limit}


def _moved(other: str | BytesMoved) -> BytesMoved:
    return BytesMoved(other) if isinstance(other, str) else other


@dataclass(frozen=True)
class Validation:
    """``export``: limits for the hop source model -> exported graph in every precision; default: fp32's limits."""

    deviation: Mapping[str, float | Mapping[str, float] | None] = field(default_factory=dict)
    export: Mapping[str, float] = field(default_factory=dict)
    task: Task | None = None
    latency: LatencyLimits = LatencyLimits()
    engine: EngineLimits = EngineLimits()

    def __post_init__(self) -> None:
        for key, limits in (("deviation", self.deviation), ("export", self.export)):
            check_limits(key, limits)

    def limits(self, precision: str) -> dict[str, float]:
        """The deviation thresholds of one precision."""
        chosen = {k: v.get(precision) if isinstance(v, Mapping) else v for k, v in self.deviation.items()}
        return {name: limit for name, limit in chosen.items() if limit is not None}

    @property
    def export_limits(self) -> dict[str, float]:
        """The limits of the exported graph in every precision; empty where the default applies (``core/verdict.py``).

        An exporter does not know the precision, so the limits of float32 are its limits.
        """
        return dict(self.export) or self.limits("fp32")
