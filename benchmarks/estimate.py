"""How good the estimate is: each engine layer's lower bound against its measured time, on real exports of trtexec."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import say
from trtbuild.core.spec.device import Device
from trtbuild.engine import read_engine
from trtbuild.engine.estimate import bound
from trtbuild.engine.inspection import inspect

# NVIDIA Ampere GA102 whitepaper v2, dense, FP32 accumulation; the laptop GPU by its multiprocessors and boost clock.
RTX_3090 = Device("RTX 3090", "8.6", 936.0, {"float32": 35.6, "tf32": 35.6, "float16": 71.0, "int8": 284.0})
RTX_3060_LAPTOP = Device("RTX 3060 Laptop", "8.6", 336.0, {"float32": 10.9, "float16": 21.8, "int8": 87.2})


@dataclass(frozen=True)
class Export:
    """A layer file and a profile of one engine; ``tf32``: it was built with TensorRT's default."""

    name: str
    device: Device
    tf32: bool = False


EXPORTS = (Export("tf_resnet50_fp32", RTX_3090, tf32=True), Export("tf_resnet50_qat", RTX_3090),
           Export("trt10_resnet18_fp16", RTX_3060_LAPTOP))  # fmt: skip


def measure(profiles: Path) -> None:
    for export in EXPORTS:
        engine = inspect(read_engine(profiles / f"{export.name}.graph.json"))
        rows = [
            row for row in json.loads((profiles / f"{export.name}.profile.json").read_text("utf-8")) if "name" in row
        ]
        pairs = [
            (bound(layer, export.device, tf32=export.tf32).us, row["averageMs"] * 1000)
            for layer, row in zip(engine.rows, rows, strict=True)
        ]
        timed = [(ours, theirs) for ours, theirs in pairs if theirs > 0]  # a layer without a kernel has no time
        ratios = sorted(ours / theirs for ours, theirs in timed)
        whole = sum(ours for ours, _ in timed) / sum(theirs for _, theirs in timed)
        ninth = ratios[math.ceil(0.9 * len(ratios)) - 1]
        say(
            f"{export.name} on {export.device.name}, {len(timed)} layers",
            f"rank correlation {rank_correlation(*zip(*timed, strict=True)):.2f}",
            f"of the measured time: {whole:.2f} in all; by layer {ratios[0]:.2f}, {statistics.median(ratios):.2f}, "
            f"{ninth:.2f}, {ratios[-1]:.2f} (least, median, 90 %, most)",
        )


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's: the correlation of mean ranks."""
    return statistics.correlation(ranks(a), ranks(b))


def ranks(values: Sequence[float]) -> list[float]:
    order = sorted(values)
    return [(order.index(value) + len(order) - order[::-1].index(value) + 1) / 2 for value in values]
