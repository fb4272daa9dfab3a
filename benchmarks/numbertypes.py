"""All demonstration models in the low number types, each for devices that have it: the table of docs/precisions.md."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from benchmarks.measure import run, say
from benchmarks.placement import written

MODELS = ("lenet", "segnet", "mobilenet_v2", "inception_v3")
TARGETS = {
    "fp16": ("portable",), "int8": ("portable",), "fp8": ("sm89", "sm120"), "int4": ("portable",),
    "nvfp4-weights": ("sm120",), "nvfp4": ("sm120",),
}  # fmt: skip


def measure(root: Path, scratch: Path, workspace: Path, trtbuild: str) -> None:
    """Write the table; ``workspace``: a clone with its models."""
    del scratch
    columns = ("model", "precision", "built for", "shares of multiply-accumulates", "SQNR", "task score", "plan")
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for model in MODELS:
        for precision, targets in TARGETS.items():
            words = ["-m", f"model={model}", f"precision={precision}", f"target={','.join(targets)}"]
            words += ["layers=off", "latency=off"]
            said = run([trtbuild, *words], workspace, allowed=(0, 1, 4)).output
            found = sorted((workspace / "build" / model).glob(f"report-{precision}-rtx-*/report.json"))
            reports = [json.loads(path.read_text("utf-8")) for path in found]
            reports = [report for report in reports if report["variant"]["precision"] == precision]
            rows.append(row(model, precision, reports) if reports else refused(model, precision, said))
            say(model, precision, f"{len(reports)} engine(s)")
    page = root / "docs" / "precisions.md"
    page.write_text(written(page.read_text("utf-8"), "types", rows), "utf-8")


def row(model: str, precision: str, reports: Iterable[dict]) -> str:  # type: ignore[type-arg]
    ordered = sorted(reports, key=lambda report: len(report["variant"]["target"]))
    first, targets = ordered[0], ", ".join(report["variant"]["target"] for report in ordered)
    share = ", ".join(f"{kind} {100 * part:.1f} %" for kind, part in first["engine"]["work_share"].items())
    sqnr = min(one["hops"]["total"]["sqnr_db"] for one in first["outputs"].values())
    task = next((c for name, c in first["verdict"]["checks"].items() if name.startswith("task:")), None)
    score = f"{task['score']:.4f} of {task['reference']:.4f}" if task else "–"
    plan = "; ".join(f"{report['engine']['bytes'] / 1e6:.2f} MB" for report in ordered)
    return f"| {model} | `{precision}` | {targets} | {share} | {sqnr:.1f} dB | {score} | {plan} |"


def refused(model: str, precision: str, said: str) -> str:
    why = said.partition("(first: ")[2].partition(")")[0].partition(", ")[2]
    nothing = f"nothing to quantise: {why}" if why else "nothing to quantise"
    return f"| {model} | `{precision}` | – | {nothing} | – | – | – |"
