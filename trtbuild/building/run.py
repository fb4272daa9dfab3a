"""A plan -> its outcome: the one place that joins plan, executor, toolchains and status."""

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
from trtbuild.workers.executors import Site
from trtbuild.workers.executors.local import needs_tensorflow
from trtbuild.workers.forks import shared_nursery
from trtbuild.workers.status import Status, make_status


def build_planned(p: Planned, *, install: bool = True, status: Status | None = None) -> Outcome:
    """Bring every variant of a plan up to date, reporting to ``status`` (default: stderr).

    Args:
        install: whether to install a missing TensorRT version; otherwise the steps that need it fail.
    """
    from trtbuild import toolchains

    p.workspace.prepare()
    executor = next(iter(p.plan.specs.values())).spec.executor
    if (early := shared_nursery()) and not (executor.module == "local" and any(map(needs_tensorflow, p.plan.steps))):
        early.end()
    reporter = status or make_status()
    try:
        builder = Builder(
            p.store,
            import_module(f"trtbuild.workers.executors.{executor.module}").make(executor, Site(p.store, reporter.note)),
            lambda step: toolchains.of_step(step, install=install, note=reporter.note),
            reporter,
        )
        unfit_here = unfit_steps(p)
        for step in p.plan.steps:
            if step.key in unfit_here:
                reporter.failed(step, unfit_here[step.key])
        return refuse(builder.build(without(p.plan, unfit_here)), p.plan, unfit_here)
    finally:
        reporter.close()


def unfit_steps(p: Planned) -> dict[str, TrtbuildError]:
    """Steps that need a GPU that is not here, by key; without such steps, no GPU is looked for."""
    if not any(needs_gpu(step) for step in p.plan.steps):
        return {}
    judged = {step.key: judgement for step, judgement in judge_plan(p.plan, p.store)}
    errors: dict[str, TrtbuildError] = {}
    for name, roles in p.plan.variants.items():
        errors |= unfit(p.plan.specs[name], roles, judged)
    return errors


def without(plan: Plan, steps: Container[str]) -> Plan:
    """The part of a plan for the variants that need none of these steps: the others could not be finished."""
    kept = {
        name: roles for name, roles in plan.variants.items() if not any(step.key in steps for step in roles.values())
    }
    return Plan(post_order(step for roles in kept.values() for step in roles.values()), kept, plan.specs)


def refuse(outcome: Outcome, plan: Plan, errors: Mapping[str, TrtbuildError]) -> Outcome:
    """The outcome, with the reasons for the variants that were not started."""
    for step in plan.steps:
        if step.key in errors:
            outcome.steps[step.key], outcome.failures[step.key] = "failed", errors[step.key]
        else:
            outcome.steps.setdefault(step.key, "blocked")
    return outcome
