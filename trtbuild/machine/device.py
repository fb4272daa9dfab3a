"""What this machine is and what it is doing: identity for recipes, facts and counters for measured numbers.

Read from Linux's own files with the standard library only; what cannot be read is "unknown".
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

UNKNOWN = "unknown"
CPU = "sys/devices/system/cpu"


def cores() -> int:
    """The number of cores that this process can use."""
    return len(os.sched_getaffinity(0))


def identity(root: Path = Path("/")) -> dict[str, object]:
    """Architecture, CPU model, allowed cores and CPU quota: if one differs, it is another device to measure on.

    Nothing in it changes from minute to minute or names the host: equal machines share their numbers.
    """
    return {"machine": os.uname().machine, "cpu": cpu_model(root), "cores": cores(), "cpu_quota": cpu_quota(root)}


def cpu_model(root: Path = Path("/")) -> str:
    """The kernel's name for the CPU; if it has none (Arm), the numbers of implementer and part."""
    with contextlib.suppress(OSError), (root / "proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
        found: dict[str, str] = {}
        for line in lines:
            key, colon, value = line.partition(":")
            if not colon:
                if found:
                    break  # the first core speaks for all
                continue
            found[key.strip()] = value.strip()
        if name := found.get("model name"):
            known = [f"{k} {found[k]}" for k in ("cpu family", "model", "stepping") if k in found]
            # Virtual machines often say just "AMD EPYC"; the numbers still distinguish generations.
            return f"{name} ({', '.join(known)})" if known else name
        if "CPU part" in found:
            return f"CPU implementer {found.get('CPU implementer', UNKNOWN)}, part {found['CPU part']}"
    return UNKNOWN


def cpu_quota(root: Path = Path("/")) -> str:
    """CPU time that the control group allows, in cores; "none" without a limit (cgroup v2, then v1)."""
    text = _read(root / "sys/fs/cgroup/cpu.max")
    if text is None:
        quota, period = (_read(root / f"sys/fs/cgroup/cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
        if quota is None or period is None:
            return UNKNOWN
        text = f"{'max' if quota.startswith('-') else quota} {period}"
    with contextlib.suppress(ValueError, ZeroDivisionError):
        quota, _, period = text.partition(" ")
        return "none" if quota == "max" else f"{int(quota) / int(period):g}"
    return UNKNOWN


def facts(root: Path = Path("/")) -> dict[str, str]:
    """Current conditions to record beside a measured number: clocks, load, kernel."""
    core_clocks = [_read(path) for path in sorted((root / CPU).glob("cpu[0-9]*/cpufreq/scaling_cur_freq"))]
    clocks_khz = [int(text) for text in core_clocks if text is not None and text.isdigit()]
    governors = {_read(path) for path in (root / CPU).glob("cpu[0-9]*/cpufreq/scaling_governor")} - {None}
    load = _read(root / "proc/loadavg")
    return {
        "clock_mhz": _spread([khz / 1000 for khz in clocks_khz]) or _nominal_clock(root),
        "governor": ", ".join(sorted(str(g) for g in governors)) or UNKNOWN,
        "load_average": load.split()[0] if load else UNKNOWN,
        "kernel": f"{os.uname().sysname} {os.uname().release}",
    }


def _nominal_clock(root: Path) -> str:
    """The kernel's only number without frequency scaling, which need not be the current clock."""
    text = _read(root / "proc/cpuinfo") or ""
    shown = _spread([float(value) for value in re.findall(r"^cpu MHz\s*:\s*([\d.]+)$", text, re.M)])
    return f"{shown} (nominal)" if shown else UNKNOWN


def _spread(values: list[float]) -> str:
    low, high = (f"{v:.0f}" for v in (min(values, default=0), max(values, default=0)))
    return "" if not values else low if low == high else f"{low} to {high}"


def counters(root: Path = Path("/")) -> dict[str, int]:
    """Counters that grow when something takes CPU time away, as far as this machine has them.

    ``throttled_us``: the control group's quota was used up.  ``thermal``: how often a core was slowed down because of
    heat.  ``steal_ticks`` of ``total_ticks``: a hypervisor gave the core to another machine.
    """
    found: dict[str, int] = {}
    statistics = dict(_pairs((_read(root / "sys/fs/cgroup/cpu.stat") or "").splitlines()))
    if "throttled_usec" in statistics:
        found["throttled_us"] = statistics["throttled_usec"]
    counts = [_read(path) for path in (root / CPU).glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    if counts:
        found["thermal"] = sum(int(text) for text in counts if text and text.isdigit())
    first = (_read(root / "proc/stat") or "").partition("\n")[0].split()
    if first[:1] == ["cpu"] and len(first) > 8:
        ticks = [int(value) for value in first[1:9]]  # user nice system idle iowait irq softirq steal
        found |= {"steal_ticks": ticks[7], "total_ticks": sum(ticks)}
    return found


def growth(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {name: after[name] - before[name] for name in sorted(before) if name in after}


def _pairs(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    for line in lines:
        name, _, value = line.partition(" ")
        if value.isdigit():
            yield name, int(value)


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return None
