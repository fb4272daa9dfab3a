"""Tests of what a build tells people while it runs."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from tests.support.fakes import step
from trtbuild.base.errors import EngineError
from trtbuild.workers.status import PlainStatus, make_status, short_name

STEP = step("a", x=1)


def said(*events: Callable[[PlainStatus], None]) -> list[str]:
    stream, ticks = io.StringIO(), iter(range(100))
    status = PlainStatus(stream, clock=lambda: next(ticks))
    for event in events:
        event(status)
    return stream.getvalue().splitlines()


def test_a_short_name_is_the_folder_without_its_digest() -> None:
    """Model, kind and label."""
    assert short_name(STEP) == "m/a"


def test_one_line_for_each_event() -> None:
    """What started and why, how it ended and how long it took; what did not run took no time."""
    lines = said(
        lambda s: s.started(STEP, "never built here"),
        lambda s: s.finished(STEP, "ran"),
        lambda s: s.finished(STEP, "fresh"),
        lambda s: s.note("pull   models/m"),
        lambda s: s.blocked([STEP, step("b")]),
    )

    assert lines == [
        "run    m/a  (never built here)",
        "ran    m/a  1.0 s",
        "fresh  m/a",
        "pull   models/m",
        "skip   m/a, m/b",
    ]


@pytest.mark.parametrize(("count", "lines"), [(0, 1), (20, 21), (25, 22)])
def test_a_failure_shows_its_first_details(count: int, lines: int) -> None:
    """The rest is counted, and in the log."""
    error = EngineError("refused", where="engine", details=tuple(f"node {i}" for i in range(count)))
    shown = said(lambda s: s.failed(STEP, error))

    assert shown[0] == "FAILED m/a: engine: refused"
    assert len(shown) == lines
    assert ("5 more in the log" in shown[-1]) == (count == 25)


def test_one_mistake_is_told_once() -> None:
    """Several steps that fail for one reason do not repeat it."""
    error = EngineError("refused", details=("node",))

    assert (
        said(lambda s: s.failed(STEP, error), lambda s: s.failed(step("b"), error))[-1]
        == "FAILED m/b: for the same reason"
    )


def test_a_pipe_gets_plain_lines() -> None:
    """Live progress is for terminals."""
    assert type(make_status(io.StringIO())) is PlainStatus
