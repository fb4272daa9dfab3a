"""The device that an estimate is for, by its data sheet, never by measurements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

PEAK_TYPES = ("float32", "tf32", "float16", "bfloat16", "int8", "float8", "float4")


@dataclass(frozen=True)
class Device:
    """One GPU.  ``name`` null: no device, and no estimate.

    ``bandwidth_gb_s``: of its memory, in 10^9 bytes per second.  ``peak_tops``: of dense matrix products, in 10^12
    operations per second by the type of the operands; a multiply-accumulate is two operations.  A type that is not in
    it has no published peak.  ``launch_us``: the least time of one layer.  ``sources``: where each number is published.
    """

    name: str | None = None
    compute_capability: str = ""
    bandwidth_gb_s: float = 0.0
    peak_tops: Mapping[str, float] = field(default_factory=dict)
    launch_us: float = 2.0
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.peak_tops) - set(PEAK_TYPES)):
            raise ValueError(f"peak_tops: unknown type '{unknown[0]}'; valid: {', '.join(PEAK_TYPES)}")
        for key, value in self.peak_tops.items():
            if not value > 0:
                raise ValueError(f"peak_tops: {key}: {value:g} is not above 0")
        if not self.launch_us >= 0:
            raise ValueError(f"launch_us: {self.launch_us:g} is below 0")
        if self.name is None:
            return
        if not self.bandwidth_gb_s > 0:
            raise ValueError(f"bandwidth_gb_s: {self.bandwidth_gb_s:g} is not above 0")
        if not re.fullmatch(r"\d+\.\d", self.compute_capability):
            raise ValueError(f"compute_capability: '{self.compute_capability}' is not of the form '8.7'")
