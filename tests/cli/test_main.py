"""Tests of how a command ends that is interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.signals import interruptible

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


def test_a_current_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    """By every verb."""
    here = tmp_path / "gone"
    here.mkdir()
    command = f"import os; os.rmdir({str(here)!r}); from trtbuild.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", command, "show"], cwd=here, capture_output=True, text=True)

    said = "trtbuild: the current folder, which is gone: No such file or directory\n"
    assert (done.returncode, done.stderr) == (3, said)


EARLY = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("trtbuild.cli"):
            os.kill(os.getpid(), signal.SIGINT)
sys.argv = ["trtbuild", "--help", "--json"]
from trtbuild.__main__ import main
sys.meta_path.insert(0, Interrupting())
main()
"""


def test_ctrl_c_while_the_command_is_imported_is_one_line() -> None:
    """It is answered when the command can."""
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, preexec_fn=interruptible)

    assert done.returncode == 130
    assert done.stderr == "trtbuild: interrupted; finished steps are kept; run it again to continue\n"
    assert json.loads(done.stdout)["error"]["what"] == "interrupted"
