"""The run's true latency beside the profiled sum: from --exportTimes, or from metadata in trtexec's log."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame.reading import milliseconds, parse_json, read_text, refuse

WARM_UP_MS = 200.0  # trtexec's default
TIMES = "the times of trtexec --exportTimes"
METADATA = "metadata with 'performance_summary' and its 'GPU Compute Time'"
_WARM = re.compile(r"\(\+ (\d+(?:\.\d+)?)\s*ms warm up\)")


def read_latency(times: Path | str | None, metadata: Path | str | None) -> tuple[float | None, str]:
    """Mean GPU time of one iteration in milliseconds, and a few words on where it comes from; (None, "") without files.

    trtexec up to 8.4 writes warm-up iterations into the times file too (sampleReporting.cpp, release/8.4): those that
    start before the warm-up's end are left out, which changes nothing in newer files.

    Raises:
        ConfigError: a file is missing, broken or of another kind.
    """
    warm_ms, mean_ms = WARM_UP_MS, None
    if metadata is not None:
        warm_ms, mean_ms = _metadata(str(metadata))
    if times is None:
        return mean_ms, "" if mean_ms is None else "trtexec's own mean"
    rows = parse_json(read_text(times), str(times), TIMES)
    if not isinstance(rows, list) or not rows or not all(isinstance(r, Mapping) and "computeMs" in r for r in rows):
        refuse(rows, str(times), TIMES)
    starts = [milliseconds(row.get("startComputeMs", warm_ms), str(times), f"entry {i}") for i, row in enumerate(rows)]
    compute = [milliseconds(row["computeMs"], str(times), f"entry {i}") for i, row in enumerate(rows)]
    kept = [ms for start, ms in zip(starts, compute, strict=True) if start >= warm_ms] or compute
    dropped = len(rows) - len(kept)
    return math.fsum(kept) / len(kept), f"{len(kept)} iterations" + (f", {dropped} warm-up" if dropped else "")


def _metadata(where: str) -> tuple[float, float]:
    content = parse_json(read_text(where), where, METADATA)
    summary = content.get("performance_summary") if isinstance(content, Mapping) else None
    values = summary.get("GPU Compute Time") if isinstance(summary, Mapping) else None
    if not isinstance(values, list) or len(values) not in (5, 7):  # [min, max, mean, median, p99] or [… p90, p95, p99]
        if isinstance(summary, Mapping):
            raise ConfigError("'GPU Compute Time': expected [min, max, mean, median, percentiles]", where=where)
        refuse(content, where, METADATA)
    options = content.get("inference_options") if isinstance(content, Mapping) else None
    duration = str(options.get("Duration", "")) if isinstance(options, Mapping) else ""
    warm = _WARM.search(duration)
    return float(warm[1]) if warm else WARM_UP_MS, milliseconds(values[2], where, "mean GPU Compute Time")
