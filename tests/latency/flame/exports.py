"""The real exports of tests/data/trt_profiles, and small generated ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trtbuild.latency.flame import flame_graph, read_layers, read_profile
from trtbuild.latency.flame.values import Graph, Mode

DATA = Path(__file__).resolve().parents[2] / "data" / "trt_profiles"
PAIRS = {
    "tf_resnet50_fp32.profile": "tf_resnet50_fp32.graph",
    "tf_resnet50_qat.profile": "tf_resnet50_qat.graph",
    "trt10_resnet18_fp16.profile": "trt10_resnet18_fp16.graph",
    "names_only_resnet18_qat.profile": "names_only_resnet18_qat.layer_info",
}
SAMPLES = {  # microseconds in the folded file
    "tf_resnet50_fp32.profile": 12400, "tf_resnet50_qat.profile": 2381, "trt10_resnet18_fp16.profile": 364,
    "names_only_resnet18_qat.profile": 403816,
}  # fmt: skip


def path(name: str) -> Path:
    return DATA / f"{name}.json"


def graph(name: str, mode: Mode = "anchor", *, layers: bool = True, **options: Any) -> Graph:
    known = read_layers(path(PAIRS[name])) if layers else None
    return flame_graph(read_profile(path(name)), known, mode=mode, **options)


def trtexec(*layers: tuple[str, float], count: int = 10) -> list[Any]:
    """Parsed JSON of a profile: (name, mean milliseconds)."""
    rows = [{"name": n, "timeMs": t * count, "averageMs": t, "medianMs": t, "percentage": 1} for n, t in layers]
    return [{"count": count}, *rows]


def trtexec_text(*layers: tuple[str, float], count: int = 10, percentage: str = "1") -> str:
    """trtexec's own layout, names unescaped as it writes them."""
    rows = [
        f', {{ "name" : "{n}", "timeMs" : {t * count:g}, "averageMs" : {t:g}, "medianMs" : {t:g},'
        f' "percentage" : {percentage} }}'
        for n, t in layers
    ]
    return "\n".join(["[", f'  {{ "count" : {count} }}', *rows, "]", ""])


def one(name: str, **layer: str) -> Graph:
    """A graph of a single layer of 7 µs."""
    layers = read_layers({"Layers": [{"Name": name, **layer}]}) if layer else None
    return flame_graph(read_profile(trtexec((name, 0.007))), layers)


def load(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text("utf-8"))
