"""Clusters that a build starts by itself: on this machine, over ssh, as Slurm jobs; each with real programs."""

from __future__ import annotations

import getpass
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.labs import Lab, begun, ended
from tests.integration.servers import Server, ssh_server
from tests.integration.slurm import slurm
from tests.support import pauses
from tests.support.fakes import RecordingStatus
from tests.support.processes import until
from trtbuild.base.workspace import Workspace
from trtbuild.building.loop import Builder
from trtbuild.building.planned import plan_overrides
from trtbuild.core.plan import Plan, post_order
from trtbuild.core.spec import Executor
from trtbuild.store.tracking import read_yaml
from trtbuild.toolchains.uvenv import uv_program
from trtbuild.workers.executors import Site, dask

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
STEPS = [{"name": "a", "seconds": 0.1}, {"name": "b", "seconds": 0.1, "after": ["a"]}]


def option(name: str, **cluster: object) -> dict[str, Any]:
    """``conf/executor/NAME.yaml`` with other arguments of the cluster."""
    content: Any = read_yaml(ROOT / "conf" / "executor" / f"{name}.yaml")
    return {**content, "cluster": {**content["cluster"], **cluster}}


def ran(told: dict[str, Any]) -> bool:
    return told["ends"] == {"a": "ran", "b": "ran"}


def test_a_cluster_on_this_machine(tmp_path: Path) -> None:
    """By the packaged default: files travel through the cache, and nothing is left of it.

    Ctrl-C at a terminal is for the build alone: its workers do not see it, from their first instruction on.
    """
    witness, go = tmp_path / "witness", tmp_path / "go"
    watched = [*STEPS, {"name": "c", "seconds": 60, "until": str(go), "witness": str(witness)}]
    driver = Lab(tmp_path).driver(pauses.workspace(tmp_path / "one"), watched, **option("dask", dashboard_address=":0"))
    assert until(lambda: bool(begun(witness)), 60)
    status = dict(line.split(":\t") for line in Path(f"/proc/{begun(witness)[0]}/status").read_text().splitlines())
    go.touch()
    told = ended(driver)
    here = Lab(tmp_path).build(pauses.workspace(tmp_path / "here"), STEPS, module="local", address=None)

    assert told["ends"] == dict.fromkeys("abc", "ran")
    assert {name: told["outs"][name] for name in "ab"} == here["outs"]
    assert "dask   tcp://127.0.0.1:" in told["said"] and "dashboard http://" in told["said"]
    assert int(status["SigBlk"], 16) & 1 << (signal.SIGINT - 1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = ssh_server(tmp_path / "server")
    made.start()
    yield made
    made.kill()


def test_a_cluster_over_ssh(server: Server, tmp_path: Path) -> None:
    """A scheduler and a worker, each started over a connection of its own."""
    options = {"port": server.port, "username": getpass.getuser(), "known_hosts": None,
               "client_keys": [server.settings["keyfile"]]}  # fmt: skip
    cluster = option("dask-ssh", hosts=["127.0.0.1", "127.0.0.1"], connect_options=options,
                     worker_options={"nthreads": 1, "memory_limit": 0}, scheduler_options={"dashboard": False},
                     remote_python=sys.executable)  # fmt: skip
    told = Lab(tmp_path).build(pauses.workspace(tmp_path / "one", tmp_path / "store"), STEPS, **cluster)

    assert ran(told), told["said"]


def test_a_worker_without_tensorflow(workspace: Path, tmp_path: Path) -> None:
    """In an environment of its own, of the pinned file alone, it exports an ONNX model, calibrates and infers."""
    environment = tmp_path / "venv"
    uv = (uv_program(), "pip", "install", "-q", "--python", str(environment / "bin" / "python"))
    subprocess.run([uv_program(), "venv", "-q", "--python", sys.executable, str(environment)], check=True)
    subprocess.run([*uv, "-r", str(ROOT / "requirements-worker.txt")], check=True)
    lab = Lab(tmp_path)
    lab.scheduler()
    try:
        lab.worker(python=str(environment / "bin" / "python"))
        p = plan_overrides(Workspace(workspace), ["model=tiny", "precision=int8"], sweep=False)
        steps = post_order([next(iter(p.plan.variants.values()))["infer-lower"]])
        status = RecordingStatus()
        spec = Executor("dask", address=lab.address, transport="cache")
        executor = dask.make(spec, Site(p.store, status.note))
        outcome = Builder(p.store, executor, lambda step: Path(sys.executable), status).build(Plan(steps, {}))
    finally:
        lab.stop()

    assert set(outcome.steps.values()) == {"ran"}, outcome.failures
    assert not list(environment.glob("lib/*/site-packages/tensor*"))


def test_a_cluster_of_slurm_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job is submitted when the first step waits, and gone when the build has ended."""
    with slurm(tmp_path / "slurm") as environment:
        for name in ("SLURM_CONF", "PATH"):
            monkeypatch.setenv(name, environment[name])
        cluster = option(
            "dask-slurm", cores=1, memory="1GB", walltime="00:05:00", interface="lo", python=sys.executable,
            log_directory=str(tmp_path / "logs"), local_directory=str(tmp_path / "scratch"),
            scheduler_options={"dashboard_address": ":0"},
        )  # fmt: skip
        told = Lab(tmp_path).build(pauses.workspace(tmp_path / "one", tmp_path / "store"), STEPS, **cluster)
        left = subprocess.run(["squeue", "-h", "-t", "pending,running"], capture_output=True, text=True, check=True)

    assert ran(told), told["said"]
    assert left.stdout == ""
