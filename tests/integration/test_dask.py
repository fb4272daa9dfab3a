"""Builds on a real Dask cluster: separate users, workspaces and caches that share a scheduler and a remote only."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.labs import Lab, begun, ended, worker_of
from tests.support.pauses import workspace
from tests.support.processes import gone, until

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("lab"))
    made.scheduler()
    made.worker(wait=False)
    made.worker()
    yield made
    made.stop()


def entries(remote: Path) -> list[int]:
    """For every action on the remote, the number of its run-cache entries."""
    return [len(list(folder.iterdir())) for folder in remote.glob("runs/*/*")]


def test_two_users_and_a_worker_that_dies(lab: Lab, tmp_path: Path) -> None:
    """Each action runs once for both and is recorded once, except that of the dead worker, which runs elsewhere."""
    witness = {name: tmp_path / name for name in "abc"}
    steps = [
        {"name": "a", "seconds": 0.1, "witness": str(witness["a"])},
        {"name": "b", "seconds": 60, "until": str(tmp_path / "go"), "after": ["a"], "witness": str(witness["b"])},
        {"name": "c", "seconds": 0.1, "after": ["b"], "witness": str(witness["c"])},
    ]
    users = [workspace(tmp_path / name, tmp_path / "store") for name in ("one", "two")]
    drivers = [lab.driver(user, steps) for user in users]
    assert until(lambda: bool(begun(witness["b"])), 60)
    worker_of(begun(witness["b"])[0]).kill()
    (tmp_path / "go").touch()
    told = [ended(driver) for driver in drivers]
    lab.worker(wait=False)
    here = lab.build(workspace(tmp_path / "here"), steps, module="local", address=None)

    assert [set(one["ends"].values()) for one in told] == [{"ran"}, {"ran"}], [one["said"] for one in told]
    assert [one["outs"] for one in told] == [here["outs"]] * 2
    assert [len(begun(witness[name])) for name in "abc"] == [2, 3, 2], "the local build ran each once more"
    assert entries(tmp_path / "store") == [1, 1, 1]
    assert all("died; m/workers.jobs.pause-b runs elsewhere" in one["said"] for one in told)
    assert gone(begun(witness["b"])[0])


def test_a_step_that_kills_three_workers_has_failed(lab: Lab, tmp_path: Path) -> None:
    """The others are built."""
    witness = tmp_path / "deadly"
    steps = [
        {"name": "deadly", "seconds": 30, "witness": str(witness)},
        {"name": "after", "seconds": 0, "after": ["deadly"]},
        {"name": "beside", "seconds": 0.1},
    ]
    driver = lab.driver(workspace(tmp_path / "one", tmp_path / "store"), steps)
    for count in (1, 2, 3):
        assert until(lambda count=count: len(begun(witness)) >= count, 60)
        lab.worker(wait=False)  # is there by the time that the others are dead
        worker_of(begun(witness)[count - 1]).kill()
    told = ended(driver)

    assert told["ends"] == {"deadly": "failed", "after": "blocked", "beside": "ran"}
    assert "3 workers died while they ran it" in told["failures"]["deadly"]
    assert len(begun(witness)) == 3


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_build_that_ends_takes_its_steps_along(lab: Lab, tmp_path: Path, how: signal.Signals) -> None:
    """On Ctrl-C and when it is killed; the worker lives."""
    witness = tmp_path / "witness"
    driver = lab.driver(workspace(tmp_path / "one", tmp_path / "store"),
                        [{"name": "long", "seconds": 60, "witness": str(witness)}])  # fmt: skip
    assert until(lambda: bool(begun(witness)), 60)
    (pid,) = begun(witness)
    worker = worker_of(pid)
    driver.send_signal(how)
    driver.communicate(timeout=60)

    assert until(lambda: gone(pid))
    assert worker.is_running()


def test_a_step_that_another_user_waits_for_goes_on(lab: Lab, tmp_path: Path) -> None:
    """When the build that submitted it is interrupted."""
    witness = tmp_path / "witness"
    steps = [{"name": "shared", "seconds": 60, "until": str(tmp_path / "go"), "witness": str(witness)}]
    first = lab.driver(workspace(tmp_path / "one", tmp_path / "store"), steps)
    assert until(lambda: bool(begun(witness)), 60)
    second = lab.driver(workspace(tmp_path / "two", tmp_path / "store"), steps)
    until_said(second, "dask ")
    time.sleep(1)  # for its submission, which it does not report while the step runs for another
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    (tmp_path / "go").touch()
    told = ended(second)

    assert told["ends"] == {"shared": "ran"}
    assert len(begun(witness)) == 1


def test_a_failure_elsewhere_reads_as_here(lab: Lab, tmp_path: Path) -> None:
    """Its error, and its log in the driver's workspace; a step that no worker can take says what is lacking.

    One for which a worker has no place runs on another, unless that has none, too.
    """
    witness = {name: str(tmp_path / name) for name in ("full", "all")}
    steps = [
        {"name": "bad", "seconds": 0, "fail": "it is bad"},
        {"name": "nowhere", "seconds": 0, "slot": "gpu"},
        {"name": "full", "seconds": 0, "witness": witness["full"], "unfit": 1},
        {"name": "all", "seconds": 0, "witness": witness["all"], "unfit": 9},
    ]
    told = lab.build(workspace(tmp_path / "one", tmp_path / "store"), steps, patience=1)

    assert told["failures"]["bad"].endswith("it is bad")
    (log,) = (word.removeprefix("log: ") for word in told["details"]["bad"])
    assert "pausing for 0 s" in Path(log).read_text("utf-8")
    assert "no worker has gpu" in told["failures"]["nowhere"]
    assert told["ends"]["full"] == "ran" and "no space left on the device" in told["failures"]["all"]
    assert "no space left on the device; m/workers.jobs.pause-full runs elsewhere" in told["said"]
    assert len(begun(Path(witness["full"]))) == 2 <= len(begun(Path(witness["all"]))) <= 3


def test_a_step_lands_where_it_can(lab: Lab, tmp_path: Path) -> None:
    """A worker with a GPU, as its command line says, joins a cluster where such a step waits already.

    The step's estimate is more memory than it has: then it runs alone.
    """
    step = {"name": "gpu", "seconds": 0.1, "slot": "gpu-exclusive", "work_bytes": 10**10}
    driver = lab.driver(workspace(tmp_path / "one", tmp_path / "store"), [step])
    assert "wait   m/workers.jobs.pause-gpu: no worker has gpu" in until_said(driver, "no worker")
    lab.worker("--resources", "gpu=1 memory=1e9", "--name", "device")
    told = ended(driver)

    assert told["ends"] == {"gpu": "ran"}


def until_said(driver: subprocess.Popen[str], words: str) -> str:
    """The first line of its stderr with these words."""
    assert driver.stderr is not None
    return next(line for line in driver.stderr if words in line)
