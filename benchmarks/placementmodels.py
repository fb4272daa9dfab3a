"""The demonstration models in each form of int8 that a config can choose, built as a user builds them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import run

MODELS, VERSION, DEFAULT = ("segnet", "mobilenet_v2", "inception_v3", "lenet"), "rtx-1.7", "int8"
LARGE = ("inception_v3",)  # in fp16 and as shipped only
# Precisions that are written into conf/: name -> the row's name, and what differs from conf/precision/int8.yaml.
FORMS: Mapping[str, tuple[str, str]] = {
    "int8-float32": ("rest in float32", "rest: float32"),
    "int8-channel": ("scales by channel in DequantizeLinear", "weight_scales: channel"),
    "int8-depthwise": ("depthwise convolutions in int8, too", "quantize_depthwise: true"),
    "int8-residual": ("shortcuts of residual sums quantised", "quantize_residual_adds: true"),
}
TITLES: Mapping[str, str] = {
    "fp16": "fp16", DEFAULT: "**int8, as shipped**", **{name: f"int8, {title}" for name, (title, _) in FORMS.items()},
}  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One built variant: layers, bytes moved at the profile's opt, and quality against TensorFlow."""

    layers: int
    bytes: int
    plan_bytes: int
    sqnr_db: float
    task: str


def built(workspace: Path, trtbuild: str) -> dict[str, dict[str, Variant]]:
    """Every model in fp16 and in each form (large ones as shipped), by model and precision."""
    for name, (_, keys) in FORMS.items():
        path = workspace / "conf" / "precision" / f"{name}.yaml"
        path.write_text(f"defaults: [int8]\n{keys}\n", "utf-8")
        for model in MODELS:
            _allow(workspace / "conf" / "model" / f"{model}.yaml", name)
    found = {}
    for model in MODELS:
        titles = ("fp16", DEFAULT) if model in LARGE else tuple(TITLES)
        words = [f"model={model}", f"precision={','.join(titles)}", f"tensorrt={VERSION}"]
        run([trtbuild, "-m", *words, "latency=off", "layers=off"], workspace)
        found[model] = {name: _variant(workspace, model, name) for name in titles}
    return found


def _allow(path: Path, precision: str) -> None:
    """Give a form the limits of int8."""
    import yaml

    config = yaml.safe_load(path.read_text("utf-8"))
    for limits in config.get("validation", {}).get("deviation", {}).values():
        if isinstance(limits, dict) and DEFAULT in limits:
            limits[precision] = limits[DEFAULT]
    path.write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")


def _variant(workspace: Path, model: str, precision: str) -> Variant:
    pattern = f"build/{model}/report-{precision}-{VERSION}-*/report.json"
    (path,) = workspace.glob(pattern)
    report = json.loads(path.read_text("utf-8"))
    compiled = report["compiled"]
    assert not compiled["total"]["unknown"] and not compiled["unread"]
    sqnr = min(output["hops"]["total"]["sqnr_db"] for output in report["outputs"].values())
    checks = report["verdict"]["checks"].items()
    drop = ", ".join(f"{check['observed']:+.4f}" for name, check in checks if name.startswith("task")) or "–"
    return Variant(compiled["total"]["layers"], compiled["total"]["bytes"], compiled["plan_bytes"], sqnr, drop)


def table(found: Mapping[str, Mapping[str, Variant]]) -> list[str]:
    """Lines of Markdown: for each model layers, megabytes and their ratio to fp16, SQNR and the drop of its score."""
    lines = ["| model | form | layers | moved | ÷ fp16 | plan | SQNR | drop of the score |", "|---|" + "---|" * 7]
    for model, variants in found.items():
        for name, one in variants.items():
            ratio = one.bytes / variants["fp16"].bytes
            cells = [model, TITLES[name], str(one.layers), f"{one.bytes / 1e6:.1f} MB", f"{ratio:.2f}",
                     f"{one.plan_bytes / 1e6:.1f} MB", f"{one.sqnr_db:.1f} dB", one.task]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def record(found: Mapping[str, Mapping[str, Variant]]) -> str:
    """trtbuild/engine/recorded.json: fp16 against int8 as shipped."""
    sizes = {model: {"fp16": v["fp16"].bytes, "int8": v[DEFAULT].bytes} for model, v in found.items()}
    return json.dumps({"bytes": {f"tensorrt-rtx {VERSION.removeprefix('rtx-')}": sizes}}, indent=1) + "\n"
