"""Tests of the worker: executed by path in a process of its own, with steps of a few lines in a copy of the package."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import trtbuild
from trtbuild.core.job import Job, Result, read_result, write_job

STEPS = {
    "fine": "def run(job): job.write_json('out.json', {'read': job.input('x').read_text(), **job.params})",
    "refuses": "from trtbuild.base.errors import EngineError\n"
    "def run(job): raise EngineError('no', where='w', hint='h', details=('d',))",
    "breaks": "def run(job): {}['absent']",
    "fills": "def run(job): import errno; raise OSError(errno.ENOSPC, 'No space left on device')",
    "is_denied": "def run(job): raise PermissionError(13, 'Permission denied')",
    "is_lost": "def run(job): open('nowhere')",
    "crashes": "import os\ndef run(job):\n print('about to', flush=True)\n os.kill(os.getpid(), 11)",
    "exits": "def run(job): raise SystemExit(5)",
    "silent": "def run(job): raise ValueError",
    "imports": "def run(job):\n import mine\n job.write_json('out.json', mine.VALUE)",
    "sees": "def run(job):\n import sys\n job.write_json('out.json', [sys.path, sorted(sys.modules)])",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a worker needs, with the steps above in it."""
    source, copy = Path(trtbuild.__path__[0]), tmp_path_factory.mktemp("lib") / "trtbuild"
    for name in ("__init__.py", "base", "core", "workers"):
        kept = shutil.ignore_patterns("__pycache__")
        copy.mkdir(exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, copy / name, ignore=kept)
        else:
            shutil.copyfile(source / name, copy / name)
    (copy / "steps").mkdir()
    for name, text in {"__init__": "", **STEPS}.items():
        (copy / "steps" / f"{name}.py").write_text(text, "utf-8")
    return copy


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    made = tmp_path / "sandbox"
    (made / "out").mkdir(parents=True)
    (made / "in").mkdir()
    (made / "in" / "x").write_text("text", "utf-8")
    (tmp_path / "workspace").mkdir()
    (made / "in" / "workspace").symlink_to(tmp_path / "workspace")
    return made


def run(package: Path, sandbox: Path, kind: str) -> subprocess.CompletedProcess[str]:
    write_job(sandbox, Job(kind, {"depth": 2}, {"x": "in/x"}, "out", "in/workspace"))
    argv = [sys.executable, "-s", str(package / "workers" / "run.py"), str(sandbox)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(argv, cwd=sandbox, capture_output=True, text=True, env=environment)


def failed(package: Path, sandbox: Path, kind: str) -> Result:
    done = run(package, sandbox, kind)
    result = read_result(sandbox)
    assert result is not None
    assert (done.returncode, result.ok) == (1, False)
    return result


def test_a_finished_job(package: Path, sandbox: Path) -> None:
    """Outputs are written, the answer says so, with its cost."""
    done = run(package, sandbox, "fine")
    result = read_result(sandbox)

    assert result is not None
    assert (done.returncode, result.ok, result.failure) == (0, True, None)
    assert (sandbox / "out" / "out.json").read_text("utf-8") == '{\n "depth": 2,\n "read": "text"\n}\n'
    assert result.facts["peak_bytes"] > 1 << 20


def test_an_error_of_ours_comes_back_whole(package: Path, sandbox: Path) -> None:
    """Class, words, place, hint, details and traceback."""
    failure = failed(package, sandbox, "refuses").failure

    assert failure is not None
    assert (failure.error, failure.what, failure.where, failure.hint, failure.details) == (
        "EngineError",
        "no",
        "w",
        "h",
        ("d",),
    )
    assert "refuses.py" in failure.traceback


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("breaks", "KeyError"),
        ("fills", "PlaceError"),
        ("is_denied", "PlaceError"),
        ("is_lost", "FileNotFoundError"),
        ("silent", "ValueError"),
    ],
)
def test_a_foreign_error_is_named(package: Path, sandbox: Path, kind: str, error: str) -> None:
    """By its class; what the disk or the rights forbid is the place's fault."""
    failure = failed(package, sandbox, kind).failure

    assert failure is not None
    assert failure.error == error
    assert failure.what


def test_a_traceback_is_in_the_log(package: Path, sandbox: Path) -> None:
    """All of it, for those who read on."""
    assert "KeyError: 'absent'" in run(package, sandbox, "breaks").stderr


def test_an_unknown_kind_is_an_answer_too(package: Path, sandbox: Path) -> None:
    """A worker of another version may not know the step."""
    failure = failed(package, sandbox, "nothing").failure

    assert failure is not None
    assert failure.error == "ModuleNotFoundError"


@pytest.mark.parametrize(("kind", "code"), [("crashes", -signal.SIGSEGV), ("exits", 5)])
def test_a_death_gives_no_answer(package: Path, sandbox: Path, kind: str, code: int) -> None:
    """The driver learns of it from the status; what was said before is kept."""
    done = run(package, sandbox, kind)

    assert (done.returncode, read_result(sandbox)) == (code, None)
    assert ("about to" in done.stdout) == (kind == "crashes")


def test_the_workspaces_own_code_is_importable(package: Path, sandbox: Path) -> None:
    """A factory or metric beside conf/ can be named in it."""
    (sandbox / "in" / "workspace" / "mine.py").write_text("VALUE = 42", "utf-8")
    run(package, sandbox, "imports")

    assert (sandbox / "out" / "out.json").read_text("utf-8") == "42\n"


def test_only_the_drivers_package_is_mounted(package: Path, sandbox: Path) -> None:
    """Neither its folder nor its neighbours are on the path, and nothing heavy is loaded."""
    run(package, sandbox, "sees")
    text = (sandbox / "out" / "out.json").read_text("utf-8")

    assert str(package.parent) not in text
    assert "trtbuild.core.job" in text
    assert not any(f'"{name}"' in text for name in ("numpy", "onnx", "tensorflow", "dvc"))


def test_a_driver_that_is_gone_before_the_worker_is_ready(package: Path, sandbox: Path) -> None:
    """The supervisor sees the closed pipe, and starts nothing."""
    write_job(sandbox, Job("fine", {}, {"x": "in/x"}, "out", "in/workspace"))
    watch, lifeline = os.pipe()
    os.close(lifeline)
    argv = [sys.executable, str(package / "base" / "supervisor.py"), str(watch), sys.executable, "-s"]
    argv += [str(package / "workers" / "run.py"), str(sandbox)]
    done = subprocess.run(argv, cwd=sandbox, capture_output=True, pass_fds=[watch], start_new_session=True)
    os.close(watch)

    assert done.returncode != 0
    assert not (sandbox / "result.json").exists()
