"""Tests of outputs that cannot be written: closed, full, left by their reader, or of few characters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROFILE = REPOSITORY / "tests/data/trt_profiles/tf_resnet50_fp32.profile.json"
VERBS = ["--help", "--version", "help", "plan model=segnet", "plan model=segnet --json", "show model=segnet",
         "explain model=segnet", "toolchain list", "suite --list", "completion bash"]  # fmt: skip


def run(
    words: str, redirection: str = "", cwd: Path = REPOSITORY, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Through a shell, with its redirections; the status is trtbuild's, also in a pipe."""
    command = f'set -o pipefail; "{sys.executable}" -m trtbuild {words} {redirection}'
    return subprocess.run(
        ["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, env=os.environ | environment
    )


@pytest.mark.parametrize(
    ("words", "redirection"), [*((words, "> /dev/full") for words in VERBS), ("--help", ">&-"), (VERBS[4], ">&-")]
)
def test_an_answer_that_cannot_be_written_is_of_the_environment(words: str, redirection: str) -> None:
    """Status 3, and one line that names the output: not the workspace, and nothing to report."""
    done = run(words, redirection)

    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("trtbuild: stdout: ")
    assert "Traceback" not in done.stderr and str(REPOSITORY) not in done.stderr


@pytest.mark.parametrize("redirection", ["2> /dev/full", "2>&-"])
@pytest.mark.parametrize(("words", "status"), [("plan model=segnet", 0), ("nonsense", 2)])
def test_what_is_said_beside_the_answer_may_be_lost(words: str, status: int, redirection: str) -> None:
    """The answer and the status stay what they are."""
    done = run(words, redirection)

    assert done.returncode == status
    assert bool(done.stdout) == (status == 0)


def test_the_version_names_all_that_a_bug_report_needs() -> None:
    """This package on the first line."""
    lines = run("--version").stdout.splitlines()

    assert lines[0].startswith("trtbuild ")
    assert {"dvc", "onnx", "python", "tensorflow", "tf2onnx"} <= {line.split()[0] for line in lines}


def test_nothing_can_be_said() -> None:
    """Both closed, and the status is all that is left."""
    assert run("nonsense", ">&- 2>&- <&-").returncode == 2


@pytest.mark.parametrize(("reader", "lines"), [("head -n 1", 1), ("true", 0)])
def test_a_reader_that_leaves_is_no_fault(reader: str, lines: int) -> None:
    """As other commands end whose reader has left, if it left before the end; nothing is said of it."""
    done = run("suite --list", f"| {reader}")

    assert done.returncode in (0, 141)
    assert len(done.stdout.splitlines()) == lines and not done.stderr


@pytest.mark.parametrize("words", ["--help", "nönsense"])
def test_characters_that_a_terminal_lacks_are_replaced(words: str) -> None:
    """A terminal of ASCII alone."""
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for environment in ({"PYTHONIOENCODING": "ascii"}, plain):
        done = run(words, **environment)

        assert done.returncode == run(words).returncode
        assert (done.stdout + done.stderr).isascii() and "Traceback" not in done.stderr


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&- <&-", "2> /dev/full", "> /dev/full"])
def test_files_are_written_whole_without_outputs(tmp_path: Path, redirection: str) -> None:
    """A file that was opened in the place of a closed output would have other things in it."""
    written = []
    for name, how in (("as", ""), ("is", redirection)):
        assert run(f"flamegraph {PROFILE} --title T -o {tmp_path / name}", how).returncode == 0
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})

    assert written[0] and written[0] == written[1]


def test_a_json_answer_into_a_full_disk_is_status_3(tmp_path: Path) -> None:
    """The files are there, and the document is not."""
    done = run(f"flamegraph {PROFILE} --json -o {tmp_path / 'out'}", "> /dev/full")

    assert done.returncode == 3 and "stdout: " in done.stderr
    assert (tmp_path / "out" / "flamegraph.svg").stat().st_size
