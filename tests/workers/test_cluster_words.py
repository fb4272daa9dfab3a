"""Tests of clusters without Dask: what their failures look like, how long one is kept, what its workers offer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from trtbuild.core.spec import Executor
from trtbuild.workers import cluster
from trtbuild.workers.cluster import Offers, _OneLine


@dataclass(eq=False)
class FakeClient:
    offered: dict[str, dict[str, float]] = field(default_factory=dict)
    status: str = "running"

    def close(self) -> None:
        self.status = "closed"

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        return {"workers": {address: {"resources": offered} for address, offered in self.offered.items()}}


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[FakeClient]:
    """The connections that are made."""
    made: list[FakeClient] = []

    def connect(spec: Executor, note: Callable[[str], None]) -> cluster.Membership:
        made.append(FakeClient())
        client: Any = made[-1]
        return cluster.Membership(client, "tcp://here", True, SimpleNamespace(close=lambda: None))

    monkeypatch.setattr(cluster, "_join", connect)
    return made


def test_builds_of_one_command_share_a_cluster(connected: list[FakeClient]) -> None:
    """A search has one for all its rounds, and another one if that dies; it ends with the command."""
    spec = Executor("dask", cluster={"_target_": "distributed.LocalCluster"})
    with cluster.held():
        for _ in range(3):
            cluster.join(spec, print).leave()
        assert [client.status for client in connected] == ["running"]
        connected[0].status = "closed"
        with cluster.held():
            cluster.join(spec, print).leave()
        assert [client.status for client in connected] == ["closed", "running"]
        cluster.join(Executor("dask", address="tcp://there"), print).leave()
    assert [client.status for client in connected] == ["closed"] * 3
    cluster.join(spec, print).leave()
    assert [client.status for client in connected] == ["closed"] * 4


def test_what_is_lacking_and_where() -> None:
    """Of the worker that lacks the least, without those that were no place for the step."""
    client: Any = FakeClient({
        "a": {"machine": 1.0, "memory": 4.0, "gpu": 1.0}, "b": {"machine": 1.0, "memory": 8.0}, "c": {"memory": 99.0},
    })  # fmt: skip
    offers = Offers(client)

    assert offers.takers({"machine": 1.0, "memory": 3.0}) == ["a", "b"]
    assert offers.takers({"machine": 1.0, "memory": 3.0}, ("a",)) == ["b"]
    assert offers.largest({"machine": 1.0, "memory": 50.0}) == 8.0 and offers.largest({"sm89": 1.0}) is None
    assert offers.shortage({"machine": 1.0, "memory": 3.0, "gpu": 1.0, "sm89": 1.0}) == "no worker has sm89"
    assert offers.shortage({"gpu": 1.0}, ("a", "b")).startswith("no worker has gpu")
    assert offers.shortage({"machine": 1.0}, ("a", "b")).startswith("no worker takes steps")
    assert offers.shortage({"machine": 1.0}, ("a", "b", "c")) == "no other worker is there"


def test_what_a_deployment_says_is_one_line() -> None:
    """As tornado logs it: with an exception, whose text has lines and escapes."""
    said: list[str] = []
    logger = logging.Logger("any")
    logger.addHandler(_OneLine(said.append))
    try:
        raise RuntimeError("Command exited with code 1\nsbatch: error: \x1b[31minvalid partition")
    except RuntimeError:
        logger.error("Exception in callback", exc_info=True)
    logger.error("no exception")

    assert said[1] == "dask   no exception" and len(said) == 2
    assert said[0].startswith("dask   Command exited with code 1 sbatch: error: ") and "\x1b" not in said[0]
