"""Tests of what is known of a machine: real files of several kinds of machines, and files that are not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trtbuild.machine import device

X86 = """processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Example CPU @ 2.00GHz
stepping\t: 8
cpu MHz\t\t: 2000.000

processor\t: 1
model name\t: Another
cpu MHz\t\t: 3100.500
"""
ARM = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return root


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (X86, "Example CPU @ 2.00GHz (cpu family 6, model 143, stepping 8)"),
        (ARM, "CPU implementer 0x41, part 0xd0c"), ("", "unknown"),
    ],
)  # fmt: skip
def test_the_cpu_by_the_kernels_words(tmp_path: Path, text: str, model: str) -> None:
    """The first core speaks for all; Arm has numbers for a name."""
    assert device.cpu_model(write(tmp_path, {"proc/cpuinfo": text})) == model


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, "1.5"), ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, "none"),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, "none"),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, "0.5"),
        ({"sys/fs/cgroup/cpu.max": "nonsense"}, "unknown"), ({}, "unknown"),
    ],
)  # fmt: skip
def test_the_quota_of_a_control_group(tmp_path: Path, files: dict[str, str], quota: str) -> None:
    """Both versions; cores' worth of time."""
    assert device.cpu_quota(write(tmp_path, files)) == quota


def test_identity_says_nothing_that_changes() -> None:
    """It is part of a recipe: the same at every reading, plain JSON, no clock and no load."""
    first = device.identity()

    assert first == device.identity() == json.loads(json.dumps(first))
    assert set(first) == {"machine", "cpu", "cores", "cpu_quota"}


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    """Never guessed."""
    facts = device.facts(tmp_path)

    assert (facts["clock_mhz"], facts["governor"], facts["load_average"]) == ("unknown",) * 3
    assert device.counters(tmp_path) == {}
    assert device.cpu_model(tmp_path) == "unknown"


def test_clocks_and_governors_of_all_cores(tmp_path: Path) -> None:
    """Their range, and every governor once; without frequency scaling the nominal clock, and said so."""
    base = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_{}"
    assert device.facts(write(tmp_path, {"proc/cpuinfo": X86}))["clock_mhz"] == "2000 to 3100 (nominal)"
    files = {base.format(i, "cur_freq"): f"{khz}\n" for i, khz in enumerate((1_500_000, 3_000_000))}
    files |= {base.format(i, "governor"): "powersave\n" for i in range(2)}
    facts = device.facts(write(tmp_path, {**files, "proc/loadavg": "0.52 0.4 0.3 1/2 3\n"}))

    assert (facts["clock_mhz"], facts["governor"], facts["load_average"]) == ("1500 to 3000", "powersave", "0.52")


def test_counters_that_grew(tmp_path: Path) -> None:
    """Throttling and stolen time, as differences of what this machine has."""
    stat = "cpu  100 0 50 800 0 0 0 {} 0 0\n"
    write(tmp_path, {"sys/fs/cgroup/cpu.stat": "usage_usec 9\nthrottled_usec 5\n", "proc/stat": stat.format(10)})
    before = device.counters(tmp_path)
    write(tmp_path, {"sys/fs/cgroup/cpu.stat": "usage_usec 9\nthrottled_usec 25\n", "proc/stat": stat.format(60)})

    assert device.growth(before, device.counters(tmp_path)) == {
        "throttled_us": 20, "steal_ticks": 50, "total_ticks": 50,
    }  # fmt: skip
