"""Tests of what may start when."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.support.fakes import chain, plan, step
from trtbuild.core.schedule import Resources, Schedule, fits
from trtbuild.core.step import Step


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


def test_what_more_waits_for_comes_first() -> None:
    """A chain of a variant comes before what only its end reads; variants come in the order of the plan."""
    root, second = step("root"), step("second")
    aside, begin = step("aside", root), step("begin", root)
    ends = [step("report", step("middle", begin), aside), step("report", second)]
    schedule = Schedule(plan(*ends).steps)
    assert schedule.ready() == [root, second]
    schedule.finished(root, ok=True)

    assert schedule.ready() == [begin, aside, second]


def test_measurements_come_last() -> None:
    """Whatever else is ready starts first, be it of another variant."""
    measure, other = replace(step("measure"), slot="exclusive"), step("other")

    assert Schedule([measure, other]).ready() == [other, measure]


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


def measuring(kind: str, *upstream: Step) -> Step:
    return replace(step(kind, *upstream), slot="exclusive")


def test_a_step_that_measures_fits_an_empty_machine_only() -> None:
    """And nothing fits beside it, however many slots there are."""
    alone, other = measuring("latency"), step("a")

    assert fits(alone, [], resources(8))
    assert not fits(alone, [other], resources(8))
    assert not fits(other, [alone], resources(8))
    assert not fits(alone, [alone], resources(8))
    assert (fits(other, [other], resources(2)), fits(other, [other], resources(1))) == (True, False)


def test_the_gpu_is_shared_but_not_with_a_step_that_measures_on_it() -> None:
    """Steps of the CPU go on beside both."""
    cpu, uses, measures = (replace(step(name), slot=name) for name in ("cpu", "gpu", "gpu-exclusive"))

    assert (
        fits(uses, [uses, cpu], resources(8))
        and fits(cpu, [measures], resources(8))
        and fits(measures, [cpu], resources(8))
    )
    assert not fits(uses, [cpu, measures], resources(8))
    assert not fits(measures, [uses], resources(8))
    assert not fits(measures, [measures], resources(8))


def test_steps_that_would_not_fit_into_memory_together_run_one_after_another() -> None:
    """One that is larger than everything there is runs alone."""
    large, small = replace(step("export"), memory_bytes=6), replace(step("infer"), memory_bytes=2)

    assert fits(small, [large], resources(8, 8)) and not fits(small, [large], resources(8, 7))
    assert fits(large, [], resources(8, 1)) and not fits(small, [large], resources(8, 1))


def resources(cpus: int, memory_bytes: int = 10**12) -> Resources:
    return Resources(cpus, memory_bytes)


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_measuring_steps_are_alone_and_never_starve(slots: int) -> None:
    """Long chains of other steps, measurements before, between and after them: all end, none meets another."""
    chains = [chain(f"a{i}", f"b{i}", f"c{i}") for i in range(4)]
    first = [measuring(f"latency{i}", steps[0]) for i, steps in enumerate(chains)]
    last = [step(f"report{i}", steps[-1], alone) for i, (steps, alone) in enumerate(zip(chains, first, strict=True))]
    schedule, running, most = Schedule(plan(measuring("lone"), *last).steps), [], 0
    while not schedule.over:
        for ready in schedule.ready():
            if fits(ready, running, resources(slots)):
                schedule.started(ready)
                running.append(ready)
        assert len(running) == 1 or all(one.slot != "exclusive" for one in running)
        most = max(most, len(running))
        schedule.finished(running.pop(0), ok=True)  # empty: a deadlock

    assert most == min(slots, 4)
    assert all(schedule.state(alone) == "done" for alone in first)


@pytest.mark.parametrize("seed", range(20))
def test_it_says_what_its_definition_says(seed: int) -> None:
    """On random plans with random failures: what is ready, blocked and over, after every step."""
    draw = random.Random(seed)
    steps: list[Step] = []
    for i in range(30):
        upstream = draw.sample(steps, min(len(steps), draw.choice((0, 1, 1, 2, 3))))
        steps.append((measuring if draw.random() < 0.2 else step)(f"s{i}", *upstream))
    schedule, running = Schedule(steps), list[Step]()
    while not schedule.over:
        state = {one.key: schedule.state(one) for one in steps}
        waiting = [one for one in steps if state[one.key] == "waiting"]
        ready = [one for one in waiting if all(state[up.key] == "done" for up in one.upstream)]
        readers = {one.key: [i for i, reader in enumerate(steps) if one in reader.upstream] for one in ready}
        first = {one.key: min(readers[one.key], default=steps.index(one)) for one in ready}
        assert schedule.ready() == sorted(ready, key=lambda one: (one.slot == "exclusive", first[one.key]))
        assert schedule.running == len(running) == list(state.values()).count("running")
        if ready and draw.random() < 0.6:
            running.append(draw.choice(ready))
            schedule.started(running[-1])
            continue
        ended = running.pop(draw.randrange(len(running))) if running else draw.choice(ready)
        ok = draw.random() < 0.9
        blocked = schedule.finished(ended, ok=ok)
        dead = {ended.key} if not ok else set()
        for one in waiting:
            dead |= {one.key} if any(up.key in dead for up in one.upstream) else set()
        assert blocked == [one for one in waiting if one.key in dead - {ended.key}]
    assert not running and schedule.ready() == []
