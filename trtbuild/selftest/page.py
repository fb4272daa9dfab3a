"""A self-test's result as Markdown: what ran where, how far every hop moved the outputs, and how long a call took."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from trtbuild.base.text import printable
from trtbuild.documents import reading
from trtbuild.documents.selftest import Clocks, Execution, SelftestModel, SelftestResult

HOPS = ("export", "precision", "device", "total")


def load(path: Path) -> SelftestResult:
    """Raises PlaceError: it cannot be read, or is not a self-test's result."""
    return reading.read(path, SelftestResult, hint="the file that trtbuild selftest wrote")


def joined(results: Sequence[SelftestResult]) -> list[SelftestResult]:
    """The results with those of one device as one."""
    devices: dict[str, SelftestResult] = {}
    for result in results:
        known = devices.setdefault(json.dumps(result["device"]), {**result, "models": []})
        known["models"] += result["models"]
    return list(devices.values())


def render(result: SelftestResult) -> str:
    return "\n".join([*_head(result), *(line for model in result["models"] for line in _model(model))]) + "\n"


def _head(result: SelftestResult) -> Iterator[str]:
    here = result["device"]
    gpu = here["gpu"] or "no GPU"
    yield f"# Self-test on {gpu}"
    yield ""
    if here["gpu"]:
        yield f"Compute capability {here['compute_capability']}, driver {here['driver']}."
    yield f"CPU: {here['cpu']}, {here['cores']} cores; Python {here['python']}."


def _model(model: SelftestModel) -> Iterator[str]:
    yield from ("", f"## {model['model']}", "")
    kinds = sorted({e["executes"] for e in model["executions"]})
    executed = (
        "Engines were executed."
        if kinds == ["engine"]
        else "No engine was executed: the numbers are those of the graphs."
    )
    yield executed + (f" ({printable(model['refused'])})" if model["refused"] else "")
    abouts = [e["about"] for e in model["executions"] if e["about"]]
    if abouts:
        about = abouts[0]
        yield f"Runtime: {about['runtime']} {about['version']}, {', '.join(about.get('providers', []))}."
    if model["rounded"]:
        yield "Weights are rounded to bfloat16; the source of the hops is the exported graph with these weights."
    yield from _deviations(model["executions"])
    yield from _times(model["executions"])
    yield from _cpu_kernels(model["executions"])


def _deviations(executions: Sequence[Execution]) -> Iterator[str]:
    yield from ("", "Largest absolute deviation of any output, by hop:", "")
    yield "| precision | batch | source → exported | → lowered (CPU) | → this device | in all | SQNR in all | limit |"
    yield "|---|---|---|---|---|---|---|---|"
    for e in executions:
        if e["failed"]:
            yield f"| {e['precision']} | {e['batch']} | failed: {printable(e['failed'])} | | | | | |"
            continue
        cells = [_largest(e, hop) for hop in HOPS]
        sqnr = [s["sqnr_db"] for s in e["deviation"]["total"].values() if s["sqnr_db"] is not None]
        within = {True: "kept", False: "**exceeded**", None: "none"}[e["within"]]
        shown = f"{min(sqnr):.1f} dB" if sqnr else "-"
        yield f"| {e['precision']} | {e['batch']} | {' | '.join(cells)} | {shown} | {within} |"


def _largest(execution: Execution, hop: str) -> str:
    values = [s["max_abs"] for s in execution["deviation"].get(hop, {}).values() if s["max_abs"] is not None]
    return f"{max(values):.3g}" if values else "-"


def _times(executions: Sequence[Execution]) -> Iterator[str]:
    timed = [e for e in executions if e["latency"]]
    if not timed:
        return
    about = timed[0]["about"]
    how = "wall clock" if about is None or "clock" not in about else f"{about['clock']}, without copies"
    yield from ("", f"Milliseconds of a call ({how}), of its copies, and the GPU before and after:", "")
    yield "| precision | batch | median (95 %) | p99 | calls | inputs up | outputs down | SM, MHz | °C | W |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for e in timed:
        latency, copies = e["latency"], e["transfers"]
        assert latency is not None
        p50, p99 = latency["p50_ms"], latency["p99_ms"]
        interval = "" if p50["low"] is None else f" ({p50['low']:.4g}–{p50['high']:.4g})"
        tail = "-" if p99 is None else f"{p99['value']:.4g}"
        up, down = (f"{copies['upload_ms']:.3g}", f"{copies['download_ms']:.3g}") if copies else ("-", "-")
        state = " | ".join(_pair(e["clocks"], key) for key in ("sm_mhz", "celsius", "watts"))
        times = f"{p50['value']:.4g}{interval} | {tail} | {latency['n']} | {up} | {down}"
        yield f"| {e['precision']} | {e['batch']} | {times} | {state} |"


def _pair(clocks: Sequence[Clocks], key: str) -> str:
    values = [clock[key] for clock in clocks]  # type: ignore[literal-required]
    return ", ".join("?" if value is None else f"{value:.0f}" for value in values)


def _cpu_kernels(executions: Sequence[Execution]) -> Iterator[str]:
    """Which kernels took part on the CPU; nothing where no kernels were counted."""
    counted = [e for e in executions if e["kernels"]]
    on_cpu = [(e, {k: n for k, n in e["kernels"].items() if k.endswith("(CPU)")}) for e in counted]
    if counted:
        totals = sorted({sum(e["kernels"].values()) for e in counted})
        yield from ("", f"Kernels of a call: {', '.join(map(str, totals))}. On the CPU:")
        yield "" if any(names for _, names in on_cpu) else "none."
    for e, names in on_cpu:
        if names:
            shown = ", ".join(f"{n} × {k.removesuffix(' (CPU)')}" for k, n in sorted(names.items()))
            yield f"- {e['precision']}, batch {e['batch']}: {shown}"
