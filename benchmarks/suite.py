"""The whole suite from nothing: one version, a second one on top, and nothing to do."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from benchmarks.measure import run, say

FIRST, SECOND = "rtx-1.7", "rtx-1.6"
NOTHING_RUNS = 10


def measure(scratch: Path, trtbuild: str) -> None:
    """In an empty workspace; toolchains are installed before."""
    for name in (".git", ".dvc"):
        (scratch / name).mkdir()
    run([trtbuild, "toolchain", "install", FIRST, SECOND], scratch)
    load = f"load {os.getloadavg()[0]:.1f} before"
    one = run([trtbuild, "suite", f"tensorrt={FIRST}"], scratch)
    two = run([trtbuild, "suite", f"tensorrt={FIRST},{SECOND}"], scratch)
    both = [trtbuild, "suite", f"tensorrt={FIRST},{SECOND}"]
    nothing = [run(both, scratch).seconds for _ in range(NOTHING_RUNS)]
    say(
        "suite, one version, from nothing",
        f"{one.seconds:.0f} s, peak {one.peak_bytes / 1e9:.2f} GB; {load}",
        "bar 300 s",
    )
    say("  a second version", f"{two.seconds:.0f} s", "bar 90 s")
    found = f"{statistics.median(nothing):.2f} s (max {max(nothing):.2f}, n={NOTHING_RUNS})"
    say("  nothing to do, two versions", found, "bar 1 s")
