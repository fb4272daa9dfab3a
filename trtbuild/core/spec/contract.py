"""What a config states about inputs and outputs for those who deploy: layout, preprocessing, range, notes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_LAYOUT = re.compile(r"[A-Z]+")


@dataclass(frozen=True)
class Preprocessing:
    """What the caller does before ``infer``, in this order: resize, channels, ``x * scale``, ``(x - mean) / std``.

    It is a statement that bundles carry; nothing here computes it.
    """

    resize: Literal["nearest", "bilinear", "bicubic", "area"] | None = None
    channels: Literal["rgb", "bgr", "gray"] | None = None
    scale: float | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if self.scale == 0:
            raise ValueError("scale: 0 leaves nothing of the input")
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std: {list(self.std)} has a value that is not above 0")
        if self.mean and self.std and len({len(self.mean), len(self.std)} - {1}) > 1:
            raise ValueError(f"std: {len(self.std)} values, but mean has {len(self.mean)}")


@dataclass(frozen=True)
class Output:
    """One model output, of which the model itself knows dtype and shape."""

    layout: str | None = None
    range: tuple[float, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        check_layout(self.layout)
        check_range(self.range)


def check_layout(layout: str | None, rank: int | None = None) -> None:
    """Raise ValueError unless a layout has a capital letter of its own for each dimension."""
    if layout is None:
        return
    if not _LAYOUT.fullmatch(layout) or len(set(layout)) != len(layout):
        raise ValueError(f"layout: '{layout}' is not a letter for each dimension, such as NHWC")
    if rank is not None and len(layout) != rank:
        raise ValueError(f"layout: '{layout}' has {len(layout)} letters, but shape has {rank} dimensions")


def check_range(bounds: Sequence[float]) -> None:
    """Raise ValueError unless a range is empty or [low, high]."""
    if bounds and (len(bounds) != 2 or bounds[0] > bounds[1]):
        raise ValueError(f"range: expected [low, high], got {list(bounds)}")


def check_channels(layout: str | None, shape: Sequence[int | None], stated: Preprocessing | None) -> None:
    """Raise ValueError where ``mean`` or ``std`` has another number of values than the layout has channels."""
    if stated is None or layout is None or "C" not in layout:
        return
    channels = shape[layout.index("C")]
    for key, values in (("mean", stated.mean), ("std", stated.std)):
        if channels is not None and len(values) not in (0, 1, channels):
            raise ValueError(f"preprocessing.{key}: {len(values)} values, but the input has {channels} channels")
