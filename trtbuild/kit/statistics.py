"""How far one array is from another: the numbers and the histogram of a deviation report.  numpy only, exact."""

from __future__ import annotations

from typing import Any

import numpy as np

# Edges of log10 of the absolute error: fixed, so that histograms of different builds lie on top of one another.
LOG10_EDGES = np.linspace(-12.0, 6.0, 18 * 8 + 1)


def compare(reference: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Deviation of ``other`` from ``reference`` (same shape), computed in float64.

    Percentiles interpolate linearly (numpy's default).  Elements that are NaN or infinite on either side are counted
    and left out of the rest.  ``sqnr_db`` is 10 log10(sum r^2 / sum e^2), None when there is no error at all;
    ``cosine`` is 1 for two zero vectors and 0 when just one is zero.
    """
    r, y = reference.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    finite = np.isfinite(r) & np.isfinite(y)
    same_nonfinite = ~finite & ((r == y) | (np.isnan(r) & np.isnan(y)))
    counts = {
        "count": int(r.size),
        "nan": int(np.isnan(y).sum()),
        "inf": int(np.isinf(y).sum()),
        "reference_nonfinite": int((~np.isfinite(r)).sum()),
        "nonfinite_mismatch": int((~finite & ~same_nonfinite).sum()),
    }
    r, y = r[finite], y[finite]
    if r.size == 0:
        nothing = dict.fromkeys(("max_abs", "mean_abs", "median_abs", "p99_abs", "p999_abs", "rmse", "bias"))
        return {
            **counts,
            **nothing,
            "cosine": None,
            "sqnr_db": None,
            "exact_share": None,
            "reference_rms": None,
            "worst": None,
        }
    signed = y - r
    error = np.abs(signed)
    noise, signal = float(np.square(error).sum()), float(np.square(r).sum())
    median, p99, p999 = (float(v) for v in np.percentile(error, [50, 99, 99.9]))
    worst = int(np.flatnonzero(finite)[int(error.argmax())])
    index = [int(i) for i in np.unravel_index(worst, reference.shape)]
    return {
        **counts,
        "max_abs": float(error.max()),
        "mean_abs": float(error.mean()),
        "median_abs": median,
        "p99_abs": p99,
        "p999_abs": p999,
        "rmse": float(np.sqrt(noise / error.size)),
        "bias": float(signed.mean()),
        "cosine": _cosine(r, y, signal),
        "sqnr_db": _decibel(signal, noise),
        "exact_share": float((error == 0).mean()),
        "reference_rms": float(np.sqrt(signal / r.size)),
        "worst": {"index": index, "reference": float(reference.ravel()[worst]), "value": float(other.ravel()[worst])},
    }


def _cosine(r: np.ndarray[Any, Any], y: np.ndarray[Any, Any], signal: float) -> float:
    other = float(np.square(y).sum())
    if signal == 0.0 or other == 0.0:
        return 1.0 if signal == other else 0.0
    return min(1.0, float(r @ y) / float(np.sqrt(signal) * np.sqrt(other)))


def _decibel(signal: float, noise: float) -> float | None:
    if noise == 0.0:
        return None
    return float(10 * np.log10(signal / noise)) if signal > 0 else -float(10 * np.log10(1 + noise))


def histogram(reference: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Counts of log10 |error| between LOG10_EDGES; ``zero`` counts exact equality, ``below``/``above`` the rest."""
    error = np.abs(other.astype(np.float64) - reference.astype(np.float64)).ravel()
    error = error[np.isfinite(error)]
    logs = np.log10(error[error > 0])
    counts, _ = np.histogram(logs, bins=LOG10_EDGES)
    return {
        "zero": int((error == 0).sum()),
        "below": int((logs < LOG10_EDGES[0]).sum()),
        "above": int((logs > LOG10_EDGES[-1]).sum()),
        "counts": [int(c) for c in counts],
    }
