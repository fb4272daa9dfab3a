"""Tests of how a command ends that is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

COMMAND = """
import atexit, os, signal, sys
from trtbuild.cli import main
def run(argv):
    os.kill(os.getpid(), int(sys.argv[2]))
    return 0
atexit.register(os.kill, os.getpid(), int(sys.argv[2]))
signal.signal(signal.SIGHUP, getattr(signal, sys.argv[1]))
main.run = run
main.main()
"""


def interrupted(number: int, hangup: str = "SIG_DFL") -> tuple[int, str]:
    """Status and message of a command that gets a signal, and the same one again while it ends."""
    done = subprocess.run([sys.executable, "-c", COMMAND, hangup, str(int(number))], capture_output=True, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_command_says_so_in_one_line(number: int) -> None:
    """Also where its terminal was closed; a second signal changes nothing."""
    assert interrupted(number) == (130, "trtbuild: interrupted; finished steps are kept; run it again to continue\n")


def test_nohup_is_respected() -> None:
    assert interrupted(signal.SIGHUP, "SIG_IGN") == (0, "")
