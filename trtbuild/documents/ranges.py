"""ranges.json: the trained ranges that were made symmetric."""

from __future__ import annotations

from typing import TypedDict

from trtbuild.documents.verdict import WithWarnings


class RangeChange(TypedDict):
    """One range, before and after; of several channels, the one with the largest scale.

    ``node``: the ONNX node that rounds to it, or that holds the weights; ``where``: its operation.
    """

    node: str
    where: str
    on_weights: bool
    low: float
    high: float
    scale: float
    symmetric_scale: float


class Ranges(WithWarnings):
    ranges: list[RangeChange]
