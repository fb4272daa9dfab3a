"""What is planned -> what was built: the one place that joins plan, executor, toolchains and status."""

from __future__ import annotations

from collections.abc import Container, Mapping
from importlib import import_module

from trtbuild.base.errors import TrtbuildError
from trtbuild.building.fitness import needs_gpu, unfit
from trtbuild.building.loop import Builder
from trtbuild.building.observation import judge_plan
from trtbuild.building.planned import Planned
from trtbuild.building.states import Outcome
from trtbuild.core.plan import Plan, post_order
from trtbuild.workers.status import Status, make_status


def build_planned(p: Planned, *, install: bool = True, status: Status | None = None) -> Outcome:
    """Bring every variant of a plan up to date, and say on ``status`` (by default stderr) what happens.

    Args:
        install: whether a TensorRT version that is missing is installed, or fails the steps that need it.
    """
    from trtbuild import toolchains

    p.workspace.prepare()
    executor = next(iter(p.plan.specs.values())).spec.executor
    told = status or make_status()
    try:
        builder = Builder(
            p.store,
            import_module(f"trtbuild.workers.executors.{executor.module}").make(
                executor.workers, executor.memory_bytes
            ),
            lambda step: toolchains.of_step(step, install=install, note=told.note),
            told,
        )
        unfit_here = unfit_steps(p)
        for step in p.plan.steps:
            if step.key in unfit_here:
                told.failed(step, unfit_here[step.key])
        return refuse(builder.build(without(p.plan, unfit_here)), p.plan, unfit_here)
    finally:
        told.close()


def unfit_steps(p: Planned) -> dict[str, TrtbuildError]:
    """Steps that need a GPU which is not here, by key; a plan without any looks for none."""
    if not any(needs_gpu(step) for step in p.plan.steps):
        return {}
    judged = {step.key: judgement for step, judgement in judge_plan(p.plan, p.store)}
    found: dict[str, TrtbuildError] = {}
    for name, roles in p.plan.variants.items():
        found |= unfit(p.plan.specs[name], roles, judged)
    return found


def without(plan: Plan, steps: Container[str]) -> Plan:
    """The part of a plan that the variants without any of these steps need: the others would not come to an end."""
    kept = {
        name: roles for name, roles in plan.variants.items() if not any(step.key in steps for step in roles.values())
    }
    return Plan(post_order(step for roles in kept.values() for step in roles.values()), kept, plan.specs)


def refuse(outcome: Outcome, plan: Plan, errors: Mapping[str, TrtbuildError]) -> Outcome:
    """What was built, and of the variants that were not begun why."""
    for step in plan.steps:
        if step.key in errors:
            outcome.steps[step.key], outcome.failures[step.key] = "failed", errors[step.key]
        else:
            outcome.steps.setdefault(step.key, "blocked")
    return outcome
