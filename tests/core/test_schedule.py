"""Tests of what may start when."""

from __future__ import annotations

from tests.fakes import chain, plan, step
from trtbuild.core.schedule import Schedule


def test_a_step_is_ready_when_its_inputs_are_done() -> None:
    """Steps of a chain become ready one after another."""
    steps = chain("a", "b")
    schedule = Schedule(steps)

    assert schedule.ready() == steps[:1]
    schedule.started(steps[0])
    assert (schedule.ready(), schedule.running) == ([], 1)
    schedule.finished(steps[0], ok=True)
    assert (schedule.ready(), schedule.running) == (steps[1:], 0)


def test_ready_steps_come_in_plan_order() -> None:
    """Independent steps keep the order of the plan."""
    root = step("root")
    branches = [step(kind, root) for kind in ("z", "a", "m")]
    schedule = Schedule(plan(*branches).steps)
    schedule.finished(root, ok=True)

    assert schedule.ready() == branches


def test_a_join_waits_for_all_its_inputs() -> None:
    """One finished input of two is not enough."""
    left, right = step("left"), step("right")
    join = step("join", left, right)
    schedule = Schedule(plan(join).steps)
    schedule.finished(left, ok=True)

    assert schedule.ready() == [right]
    schedule.finished(right, ok=True)
    assert schedule.ready() == [join]


def test_a_failure_blocks_everything_downstream_and_nothing_else() -> None:
    """Steps that read from a failed one, at any distance, never become ready."""
    first, second, third, fourth = chain("a", "b", "c", "d")
    beside = step("beside", first)
    schedule = Schedule(plan(fourth, beside).steps)
    schedule.finished(first, ok=True)
    blocked = schedule.finished(second, ok=False)

    assert blocked == [third, fourth]
    assert [schedule.state(s) for s in (first, second, third, beside)] == ["done", "failed", "blocked", "waiting"]
    assert schedule.ready() == [beside]


def test_a_blocked_step_is_reported_once() -> None:
    """A second failed input of a blocked step says nothing new."""
    left, right = step("left"), step("right")
    join = step("join", left, right)
    schedule = Schedule(plan(join).steps)

    assert (schedule.finished(left, ok=False), schedule.finished(right, ok=False)) == ([join], [])


def test_it_is_over_when_nothing_waits_or_runs() -> None:
    """Done, failed and blocked are all ends."""
    first, second = chain("a", "b")
    schedule = Schedule([first, second])
    schedule.started(first)

    assert not schedule.over
    schedule.finished(first, ok=False)
    assert schedule.over


def test_an_empty_plan_is_over() -> None:
    """There is nothing to wait for."""
    assert Schedule([]).over
