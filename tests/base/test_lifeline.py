"""Tests of programs that die with whoever started them: nothing that they started outlives them, in any session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import gone, until
from trtbuild.base import lifeline

# A tool that starts two programs, one of them in a session of its own and without a parent, and says their numbers.
TOOL = """
import os, subprocess, sys, time
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleeper)
leave = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True, stdout=2).pid)"
away = subprocess.run([sys.executable, "-c", leave, *sleeper], stdout=subprocess.PIPE, text=True).stdout
open(sys.argv[1] + ".part", "w").write(f"{os.getpid()} {child.pid} {away}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(float(sys.argv[2]))
"""
DRIVER = "import sys; from trtbuild.base import lifeline; lifeline.run(sys.argv[1:])"


def tool(pids: Path, seconds: float) -> list[str]:
    return [sys.executable, "-c", TOOL, str(pids), str(seconds)]


def numbers(pids: Path) -> list[int]:
    assert until(pids.exists)
    return [int(number) for number in pids.read_text("ascii").split()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_killed_driver(tmp_path: Path, number: signal.Signals) -> None:
    """Whatever killed it; the program, its child, and what that left in another session."""
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *tool(tmp_path / "pids", 600)], stderr=subprocess.DEVNULL)
    found = numbers(tmp_path / "pids")
    assert len(found) == 3 and not any(map(gone, found))
    driver.send_signal(number)
    driver.wait()

    assert until(lambda: all(map(gone, found)))


def test_nothing_outlives_its_program(tmp_path: Path) -> None:
    """It ends by itself, and what it left behind is ended before the answer comes."""
    done = lifeline.run(tool(tmp_path / "pids", 0))

    assert done.returncode == 0 and all(map(gone, numbers(tmp_path / "pids")))


def test_a_limit_ends_everything(tmp_path: Path) -> None:
    """As does an interrupt of whoever waits."""
    started = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        lifeline.run(tool(tmp_path / "pids", 600), timeout_s=2)

    assert time.monotonic() - started < 60 and all(map(gone, numbers(tmp_path / "pids")))


def test_the_program_dies_with_its_supervisor(tmp_path: Path) -> None:
    """Which may be killed where memory ends."""
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *tool(tmp_path / "pids", 600)], stderr=subprocess.DEVNULL)
    found = numbers(tmp_path / "pids")
    supervisor = int(Path(f"/proc/{found[0]}/stat").read_text("ascii").rpartition(")")[2].split()[1])
    os.kill(supervisor, signal.SIGKILL)

    assert until(lambda: gone(found[0]))
    assert driver.wait() == 0
    for left in found[1:]:
        if not gone(left):
            os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize(("ending", "returncode"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 11)", -11)])
def test_a_program_ends_as_itself(ending: str, returncode: int) -> None:
    """Its status or its signal, and its words on both streams."""
    code = f"import os, sys; print('out', flush=True); print('err', file=sys.stderr, flush=True); {ending}"
    done = lifeline.run([sys.executable, "-c", code])

    assert (done.returncode, done.stdout, done.stderr) == (returncode, "out\n", "err\n")
    assert lifeline.run([sys.executable, "-c", code], merged=True).stdout == "out\nerr\n"


def test_a_program_that_is_not_there_is_an_error() -> None:
    """Not a status of the supervisor's."""
    with pytest.raises(FileNotFoundError):
        lifeline.run(["no-such-program"])
