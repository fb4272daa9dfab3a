"""Tests of what a build tells people while it runs."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from tests.support.fakes import step
from trtbuild.base.errors import EngineError
from trtbuild.workers.status import Detail, PlainStatus, make_status, short_name

STEP = step("a", x=1)


def said(*events: Callable[[PlainStatus], None], detail: Detail = "usual") -> list[str]:
    stream, ticks = io.StringIO(), iter(range(100))
    status = PlainStatus(stream, clock=lambda: next(ticks), detail=detail)
    for event in events:
        event(status)
    status.close()
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
        "fresh  1 step",
        "pull   models/m",
        "skip   m/a, m/b",
    ]


@pytest.mark.parametrize(
    ("detail", "lines"),
    [
        ("usual", ["fresh  2 steps", "ran    m/a", "fresh  1 step"]),
        ("every", ["fresh  m/a", "fresh  m/a", "ran    m/a", "fresh  m/a"]),
        ("quiet", []),
    ],
)
def test_fresh_steps_are_counted_unless_each_is_wanted(detail: Detail, lines: list[str]) -> None:
    ended = [lambda s, how=how: s.finished(STEP, how) for how in ("fresh", "fresh", "ran", "fresh")]
    assert said(*ended, detail=detail) == lines


def test_failures_are_reported_even_quietly() -> None:
    assert said(lambda s: s.failed(STEP, EngineError("refused")), detail="quiet") == ["FAILED m/a: refused"]


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
