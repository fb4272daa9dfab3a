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


def test_a_running_step_is_mentioned_again() -> None:
    """After a minute, and at twice the time; not once it has ended."""
    now, stream = [0.0], io.StringIO()
    status = PlainStatus(stream, clock=lambda: now[0])
    status.started(STEP, "never built here")
    for seconds in (10, 61, 62, 121, 180, 239, 241):
        now[0] = float(seconds)
        status.tick()
    status.finished(STEP, "ran")
    now[0] = 1000.0
    status.tick()

    assert stream.getvalue().splitlines()[1:] == [
        "still running  m/a  61 s", "still running  m/a  121 s", "still running  m/a  241 s", "ran    m/a  241.0 s",
    ]  # fmt: skip


def test_control_characters_are_shown_not_sent() -> None:
    """Of a user's code, of another machine: in errors, their details, and notes."""
    error = EngineError("a\x1b[2Jb", where="c\x07d", hint="e\rf", details=("g\x1b]0;h",))
    lines = said(lambda s: s.failed(STEP, error), lambda s: s.note("note   \x1b[31mred"))

    assert lines == [
        r"FAILED m/a: c\x07d: a\x1b[2Jb; e f", r"         g\x1b]0;h", r"note   \x1b[31mred",
    ]  # fmt: skip
    assert "\x1b" not in str(error)
