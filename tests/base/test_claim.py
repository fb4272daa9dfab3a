"""Tests of folders that belong to a living process: by a lock, whatever its number and wherever it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trtbuild.base.claim import claim, claimed, sweep

HOLDER = """
import sys
from pathlib import Path
from trtbuild.base.claim import claim
held = claim(Path(sys.argv[1]))
(held.folder / "work").touch()
print("held", flush=True)
input()
"""


def holder(folder: Path, *prefix: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([*prefix, sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stdout is not None
    if process.stdout.readline() != "held\n":
        process.communicate()
        pytest.skip("no other PID namespace here")
    return process


NAMESPACES = [[], ["unshare", "--map-root-user", "--pid", "--fork", "--kill-child"]]


@pytest.fixture(params=NAMESPACES, ids=["here", "another PID namespace"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a folder; in a namespace of its own its number is nobody's here."""
    if request.param and shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    process = holder(tmp_path / "build-1", *request.param)
    yield process
    process.kill()
    process.communicate()


def test_a_living_process_keeps_its_folder(other: subprocess.Popen[str], tmp_path: Path) -> None:
    """Neither removed nor given to another."""
    sweep(tmp_path)
    assert (tmp_path / "build-1" / "work").exists()
    assert claim(tmp_path / "build-1") is None
    assert (tmp_path / "build-1" / "work").exists()


def test_a_dead_process_has_lost_its_folder(other: subprocess.Popen[str], tmp_path: Path) -> None:
    """It is swept, whoever has its number now."""
    other.kill()
    other.communicate()
    sweep(tmp_path)

    assert not list(tmp_path.iterdir())


def test_what_a_dead_process_left_is_not_reused(tmp_path: Path) -> None:
    """Its folder is made anew."""
    process = holder(tmp_path / "x")
    process.kill()
    process.communicate()
    made = claim(tmp_path / "x")

    assert made is not None and not list(made.folder.iterdir())
    made.release()
    assert not list(tmp_path.iterdir())


def test_what_is_not_claimed_is_left_alone(tmp_path: Path) -> None:
    """A folder without a lock is not ours; a lock that is a link leads nowhere."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine.lock").symlink_to(tmp_path / "target")
    sweep(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "mine.lock", "notes"]


def test_two_in_one_process_are_two_folders(tmp_path: Path) -> None:
    """Two builds through the API at once."""
    with claimed(tmp_path, "build") as first, claimed(tmp_path, "build") as second:
        sweep(tmp_path)
        assert first != second and first.is_dir() and second.is_dir()

    assert not os.listdir(tmp_path)
