"""The built-in task metrics, by name; ``deviation/metrics.py`` computes them."""

from __future__ import annotations

from collections.abc import Mapping

# Whether more is better.
BUILT_IN: Mapping[str, bool] = {"mean_iou": True, "top1": True, "mse": False}
