"""Thresholds of a config: on deviation, on a task metric, on latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trtbuild.core.names import did_you_mean

# Deviation metrics a threshold can be set on; the sign of "better" is part of the name's meaning.
UPPER_BOUNDS = ("max_abs", "mean_abs", "median_abs", "p99_abs", "p999_abs", "rmse")
LOWER_BOUNDS = ("cosine", "sqnr_db", "exact_share")


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
    """``export`` judges the hop source model -> exported graph in every precision; without it fp32's limits do."""

    deviation: Mapping[str, float | Mapping[str, float] | None] = field(default_factory=dict)
    export: Mapping[str, float] = field(default_factory=dict)
    task: Task | None = None
    latency: LatencyLimits = LatencyLimits()

    def __post_init__(self) -> None:
        for key, limits in (("deviation", self.deviation), ("export", self.export)):
            for name in limits:
                if name not in UPPER_BOUNDS + LOWER_BOUNDS:
                    hint = did_you_mean(name, UPPER_BOUNDS + LOWER_BOUNDS)
                    raise ValueError(f"{key}: unknown metric '{name}'; {hint}")

    def limits(self, precision: str) -> dict[str, float]:
        """The deviation thresholds that hold for one precision."""
        chosen = {k: v.get(precision) if isinstance(v, Mapping) else v for k, v in self.deviation.items()}
        return {name: limit for name, limit in chosen.items() if limit is not None}

    @property
    def export_limits(self) -> dict[str, float]:
        """What judges the exported graph, whatever the precision; empty where the default does (``core/verdict.py``).

        An exporter knows no precision: what float32 may not deviate, the exported graph may not either.
        """
        return dict(self.export) or self.limits("fp32")
