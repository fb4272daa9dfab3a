"""What a workspace holds of each step of a plan, and so the state of each step, without running anything."""

from __future__ import annotations

from functools import cache

from trtbuild.base.uncollected import uncollected
from trtbuild.core.explain import Judgement, Observation, judge
from trtbuild.core.plan import Plan
from trtbuild.core.record import same
from trtbuild.core.step import File, Step
from trtbuild.store import RecordOf, Store


def observe(step: Step, store: Store, recorded: RecordOf | None = None) -> Observation:
    """Record, digests of inputs and outputs, and which recorded objects are in the cache.

    ``recorded``: the record of a step, if it need not be looked for anew.
    """
    recorded = recorded or store.record
    record = recorded(step)
    if record is None:
        return Observation(None, None, {}, frozenset())
    outs = {name: store.digest(f"{step.folder}/{name}") for name in record.outs}
    # The cache is not searched for outputs that are correct in the workspace: objects are read in full the first time.
    lacking = {name: digest for name, digest in record.outs.items() if not same(outs[name], digest)}
    cached = frozenset(name for name, digest in lacking.items() if store.objects.has(digest))
    inputs = store.input_digests(step, recorded)
    unpulled = "" if inputs is not None else next(iter(unpulled_sources(step, store)), "")
    return Observation(record, inputs, outs, cached, unpulled)


def unpulled_sources(step: Step, store: Store) -> list[str]:
    """Entries of models.dvc that hold a source of the step which is not in the workspace."""
    absent = [s.path for s in step.inputs.values() if isinstance(s, File) and store.digest(s.path) is None]
    return [tracked for path in absent if (tracked := store.models.tracked_by(path)) is not None]


def judge_step(step: Step, store: Store) -> Judgement:
    """State and reason of one step on its own."""
    return judge(step, observe(step, store))


@uncollected()
def judge_plan(plan: Plan, store: Store) -> list[tuple[Step, Judgement]]:
    """State and reason of every step; a stale input makes everything downstream stale.

    What was read of records and files is kept for the next process.
    """
    judged: dict[str, Judgement] = {}
    recorded = cache(store.record)  # each is asked for by its own step and by all that read from it
    for step in plan.steps:
        judgement = judge(step, observe(step, store, recorded))
        waiting = next((up for up in step.upstream if judged[up.key].state in ("stale", "missing")), None)
        if judgement.state == "fresh" and waiting is not None and not judged[waiting.key].restorable:
            judgement = Judgement("stale", f"waits for {waiting.kind}")
        judged[step.key] = judgement
    store.save_state()
    return [(step, judged[step.key]) for step in plan.steps]
