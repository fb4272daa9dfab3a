"""Thresholds of a config: on deviation, on a task metric, on latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    """A task metric on ``labels`` (a key of the validation data); ``max_drop``: from TensorFlow's own score."""

    metric: str
    labels: str
    max_drop: float
    output: str | None = None
    ignore_label: int | None = None
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if self.metric not in BUILT_IN and not any(mark in self.metric for mark in ".:"):
            hint = did_you_mean(self.metric, BUILT_IN)
            raise ValueError(f"metric: unknown metric '{self.metric}'; {hint} (a callable: package.module:name)")
        if self.max_drop < 0:
            raise ValueError(f"max_drop: {self.max_drop:g} is below 0; 0 allows no drop at all")
        if BUILT_IN.get(self.metric) and self.max_drop > 1:
            raise ValueError(f"max_drop: {self.max_drop:g} is above 1, which {self.metric} cannot drop by; 0.01 is 1 %")


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
class Validation:
    """``export``: limits for the hop source model -> exported graph in every precision; default: fp32's limits."""

    deviation: Mapping[str, float | Mapping[str, float] | None] = field(default_factory=dict)
    export: Mapping[str, float] = field(default_factory=dict)
    task: Task | None = None
    latency: LatencyLimits = LatencyLimits()

    def __post_init__(self) -> None:
        for key, limits in (("deviation", self.deviation), ("export", self.export)):
            for name, limit in limits.items():
                if name not in UPPER_BOUNDS + LOWER_BOUNDS:
                    hint = did_you_mean(name, UPPER_BOUNDS + LOWER_BOUNDS)
                    raise ValueError(f"{key}: unknown metric '{name}'; {hint}")
                given = limit if isinstance(limit, Mapping) else {"": limit}
                for precision, value in given.items():
                    _check_range(f"{key}.{name}{'.' * bool(precision)}{precision}", name, value)

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
