"""Tests of thresholds on a compiled engine: what holds, what fails, and what the record does not tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trtbuild.core.spec.validation import BytesMoved, EngineBudget
from trtbuild.engine import Engine, EngineLayer, Tensor, read_engine
from trtbuild.engine.budget import engine_checks, moved
from trtbuild.engine.inspection import inspect
from trtbuild.engine.values import Memory

LOGS = Path(__file__).parents[1] / "data" / "engine_logs"


def engine(elements: int, *, activation: int | None = 2_000_000, type: str = "float16") -> Engine:
    """One layer that reads and writes so many elements."""
    tensors = (Tensor("x", (1, elements), type),)
    return Engine(
        "here", (EngineLayer("l", "pointwise", inputs=tensors, outputs=tensors, constants=()),), (), Memory(activation)
    )


def test_sizes_are_in_millions_of_bytes() -> None:
    """At its limit an engine passes; of each the share of its limit is told."""
    checks, not_judged = engine_checks(EngineBudget(2.0, 4.0), 2_000_001, engine(8), None)

    assert checks["engine: max_plan_mb"] == {
        "observed": 2.000001, "limit": 2.0, "passed": False, "share_of_limit": 2.000001 / 2.0,
    }  # fmt: skip
    assert (checks["engine: max_activation_mb"]["passed"], checks["engine: max_activation_mb"]["share_of_limit"]) == (
        True,
        0.5,
    )
    assert not_judged == {}


@pytest.mark.parametrize(("elements", "factor", "passed"), [(1000, 1.0, True), (1001, 1.0, False), (1500, 1.5, True)])
def test_bytes_are_compared_with_the_other_engine(elements: int, factor: float, passed: bool) -> None:
    """As a ratio, with the bytes of both beside it."""
    checks, _ = engine_checks(EngineBudget(moved=BytesMoved("fp16", factor)), 0, engine(elements), engine(1000))
    check = checks["engine: max_bytes_moved_vs fp16"]

    assert (check["observed"], check["limit"], check["passed"]) == (elements / 1000, factor, passed)
    assert check["says"] == f"{elements * 4 / 1e6:.3f} MB against 0.004 MB of fp16"


@pytest.mark.parametrize(
    ("here", "there", "why"),
    [
        (None, engine(8), "the record of its layers was not understood"),
        (engine(8), None, "fp16: the record of its layers was not understood"),
        (Engine("names", (EngineLayer("l", "unknown"),)), engine(8), "the record of its layers was not understood"),
        (engine(-1), engine(8), "the bytes of 1 of its 1 layers are not known"),
        (engine(8, type=""), engine(8), "the bytes of 1 of its 1 layers are not known"),
        (
            replace(engine(8), layers=(replace(engine(8).layers[0], constants=None),)),
            engine(8),
            "does not list weights",
        ),
    ],
)
def test_what_is_not_known_is_not_judged(here: Engine | None, there: Engine | None, why: str) -> None:
    """It does not pass, and the reason is said."""
    checks, not_judged = engine_checks(EngineBudget(moved=BytesMoved("fp16")), 0, here, there)

    assert checks == {}
    assert why in not_judged["engine: max_bytes_moved_vs fp16"]["why"]


def test_activation_memory_that_the_log_does_not_state_is_not_judged() -> None:
    """Layer files of trtexec have none."""
    checks, not_judged = engine_checks(EngineBudget(activation_mb=1.0), 0, engine(8, activation=None), None)

    assert (checks, list(not_judged)) == ({}, ["engine: max_activation_mb"])


def test_real_engines() -> None:
    """The bytes of RTX 1.7 are those of the inspection; RTX 1.4 does not list weights."""
    read = {name: read_engine(LOGS / f"lenet-{name}.log") for name in ("int8-rtx-1.7", "fp16-rtx-1.4-dynamic")}

    assert moved(read["int8-rtx-1.7"]).bytes == inspect(read["int8-rtx-1.7"]).total.bytes
    assert "does not list weights" in moved(read["fp16-rtx-1.4-dynamic"]).why
