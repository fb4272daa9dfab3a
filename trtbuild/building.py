"""What is planned -> what was built: the one place that joins plan, executor, toolchains and status."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from trtbuild.builder import Builder, Outcome
from trtbuild.planned import Planned
from trtbuild.status import Status, make_status
from trtbuild.summary import verdict_of


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
            import_module(f"trtbuild.executors.{executor.module}").make(executor.workers, executor.memory_bytes),
            lambda step: toolchains.of_step(step, install=install, note=told.note),
            told,
        )
        return builder.build(p.plan)
    finally:
        told.close()


def exit_status(p: Planned, outcome: Outcome, names: Iterable[str] | None = None) -> int:
    """The highest class met by the variants of these names (default: all, and what was refused): failures first."""
    chosen = {name: p.plan.variants[name] for name in (p.plan.variants if names is None else names)}
    refused = p.refused.values() if names is None else ()
    steps = {step.key for roles in chosen.values() for step in roles.values()}
    failures = [*(error for key, error in outcome.failures.items() if key in steps), *refused]
    worst = max((error.exit_status for error in failures), default=0)
    verdicts = [verdict_of(p.store, roles["validate"]) for roles in chosen.values()]
    return worst or int(any(v is not None and not v["passed"] for v in verdicts))
