"""Reports and entries of a small sweep, for tests of comparisons and of the sweep's pages."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support import pages
from trtbuild.base.packaged import templates
from trtbuild.core.verdict import WORDS
from trtbuild.reports import sweep as pages_of_sweep

AXES = {"model": "segnet", "precision": "int8", "tensorrt": "rtx-1.7", "runtime": "onnxruntime", "target": "portable",
        "calibration": "minmax"}  # fmt: skip
RANKS = {"fp32": 0, "tf32": 1, "fp16": 2, "bf16": 3, "int8": 4}
MACHINE = {"machine": "x86_64", "cpu": "fast", "cores": 2, "cpu_quota": "none", "threads": 2, "load_average": "0.10"}
SETTINGS = {"warmup_s": 0.1, "seconds": 1.0, "rounds": 3, "baseline": None}
PROFILE = {"measured": False, "why": "no profiler"}
ABOUT = {"runtime": "onnxruntime", "version": "1.31", "executes": "graph", "providers": ["CPU"], "emulated": None}


def latency(value: float = 1.0, spread: float = 0.1, **changed: Any) -> dict[str, Any]:
    """The part of a report that compares medians."""
    p50 = {"value": value, "low": value - spread, "high": value + spread}
    side = {"name": "lowered", "title": "lowered graph", "measured": True, "p50_ms": p50, "about": ABOUT}
    return {"batch": 1, "environment": MACHINE, "sides": [side], "measured": True, "speedup": None, "pictures": None,
            "settings": SETTINGS, "source_kind": "onnx", "ratios": {}, "verdict": None, "profile": PROFILE,
            "warnings": [], "subject": "lowered", "on": "fast",
            **changed}  # fmt: skip


def report(p50_ms: float | None = 1.0, outputs: tuple[str, ...] = ("scores",), **axes: str) -> dict[str, Any]:
    """A whole report.json; ``axes`` are group options of the variant."""
    page: dict[str, Any] = copy.deepcopy(pages.page(outputs=outputs))
    page["variant"] |= axes
    page["variant"]["id"] = "-".join(page["variant"][axis] for axis in AXES if axis in ("model", *axes))
    if p50_ms is not None:
        page["latency"] = latency(p50_ms)
    return page


def judge(page: dict[str, Any], word: str) -> None:
    """Give a report that passes another verdict."""
    if word == "fail":
        page["verdict"]["checks"]["scores: max_abs"] |= {"observed": 0.3, "passed": False, "share_of_limit": 3.0}
    elif word == "unjudged":
        del page["verdict"]["checks"]["scores: max_abs"]
        page["verdict"]["unjudged"] = "no threshold for int8"
    page["verdict"] |= {"word": word, "passed": word == "pass"}


def entry(
    state: str = "pass", reason: str = "", baseline: Mapping[str, Any] | None = None, **axes: str
) -> dict[str, Any]:
    """One variant of a sweep, with a report where its state has one."""
    named = {**AXES, **axes}
    made = report(**named) if state in WORDS else None
    if made is not None:
        judge(made, state)
    folder = None if made is None else f"../build/{named['model']}/report-{named['precision']}-{named['tensorrt']}"
    place = RANKS.get(named["precision"], len(RANKS))
    return {"id": "-".join(named.values()), **named, "precision_rank": place, "state": state, "reason": reason,
            "report": made, "folder": folder,
            "baseline": baseline}  # fmt: skip


def sweep() -> list[dict[str, Any]]:
    """Two models, two versions, two precisions: one fails, one is refused, one was not built."""
    made = [entry(precision=p, tensorrt=t) for p in ("fp32", "int8") for t in ("rtx-1.6", "rtx-1.7")]
    made[2] = entry("refused", "no int8 convolution without a GPU", tensorrt="rtx-1.6")
    made[3]["baseline"] = copy.deepcopy(made[3]["report"])
    made.append(entry("fail", model="lenet", baseline=report(**{**AXES, "model": "lenet"})))
    made.append(entry("not built", "interrupted", model="lenet", precision="fp16"))
    return made


def rendered(entries: Sequence[Any]) -> dict[str, str]:
    """The files of a sweep by name, by the packaged templates."""
    return dict(pages_of_sweep.rendered(entries, templates(Path(__file__).parents[2])))
