"""``precision=auto`` against all assignments and a greedy search, on small networks; and on the demonstration models.

``python -m benchmarks.auto [parts=optimum,planted,models] [seeds=0:20] [models=A,B]``
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks import automodels, autosearches
from benchmarks.autobuild import InProcess
from benchmarks.autonetworks import Network
from benchmarks.autosearches import Answer
from benchmarks.measure import say
from trtbuild.auto.front import front
from trtbuild.base.workspace import find_workspace
from trtbuild.core.plan import make_plan
from trtbuild.pipeline.auto import EVALUATIONS, Assignment, Search
from trtbuild.pipeline.autobase import MAX_DROP, load_base
from trtbuild.pipeline.autodocument import placement
from trtbuild.steps import Declarations

CHOICES: Mapping[str, str] = {
    "parts": "optimum,planted,models", "seeds": "0:20", "models": ",".join(automodels.MODELS),
}  # fmt: skip
WITHIN = 1.02  # of the exhaustive optimum's cost
MORE_RUNS = 10  # than groups times candidates
WITHOUT_TASK = "~model.validation.task"
Start = Callable[[Sequence[str]], Search]


@contextmanager
def workspace(network: Network) -> Iterator[Start]:
    """What makes a search in a workspace with this network; all of them share what was built."""
    with tempfile.TemporaryDirectory(prefix="trtbuild-auto-") as folder:
        root = network.workspace(Path(folder))
        build, place = InProcess(root), find_workspace(root)

        def start(words: Sequence[str]) -> Search:
            given = [*network.words, *words]
            return Search(place, load_base(place, given), given, build, lambda line: None)

        yield start


def observed(start: Start, words: Sequence[str], but: str = "") -> float:
    """The first number of the budget, where everything is in the last candidate, except the group ``but``."""
    probe = oracle_of(start, words)
    precisions = [
        probe.auto.base if group["name"] == but else name
        for group, name in zip(probe.groups, probe.all_in(probe.auto.candidates[-1]), strict=True)
    ]
    one = autosearches.compiled(probe, tuple(precisions))
    assert one is not None, probe.refused
    probe.meets(one)
    (check,) = (check for name, check in probe.measured[one.precisions].items() if "NaN" not in name)
    return check["observed"] or 0.0


def oracle_of(start: Start, words: Sequence[str]) -> Search:
    """A search that has only begun."""
    oracle = start(words)
    oracle.first_round()
    autosearches.compiled(oracle, oracle.base_precisions)
    return oracle


def budget_words(start: Start, seed: int) -> tuple[str, ...]:
    """A budget that the lowest precision everywhere exceeds: on the drop of the metric, or on the outputs."""
    random = Random(seed)
    drop = observed(start, ["auto.max_drop=0.5"])
    if seed % 2 and drop > 0:
        return (f"auto.max_drop={drop * random.uniform(0.1, 0.95):.6f}",)
    sqnr = observed(start, [WITHOUT_TASK, "auto.deviation={sqnr_db: 0}"])
    return WITHOUT_TASK, f"auto.deviation={{sqnr_db: {sqnr + random.uniform(0.5, 12):.2f}}}"


def within(search: Search, one: Assignment) -> bool:
    """The budget, computed from the arrays that the answer's outputs were written to."""
    import numpy as np

    plan = make_plan([one.variant], ("deviation", "validate"), Declarations())
    (roles,) = plan.variants.values()
    root, inputs = search.workspace.root, roles["validate"].inputs
    made, reference = (np.load(root / inputs[name].path)["y"].astype(float) for name in ("lowered", "reference"))
    labels = np.load(root / "models" / "validation.npz")["label"]
    if MAX_DROP in search.budget:
        scores = [float((array.argmax(-1) == labels).mean()) for array in (reference, made)]
        return bool(scores[0] - scores[1] <= search.budget[MAX_DROP] + 1e-12)
    noise = float(np.square(made - reference).sum())
    return noise == 0 or bool(10 * np.log10(np.square(reference).sum() / noise) >= search.budget["sqnr_db"] - 1e-6)


@dataclass(frozen=True)
class Rival:
    """Another search: its evaluations of the whole set, and its cost as a share of the optimum's."""

    evaluations: int
    cost: float


@dataclass(frozen=True)
class Case:
    """One small network at one budget; costs as shares of the optimum's."""

    mixed: bool
    cost: float
    within: bool
    runs_left: int  # below the bar
    evaluations: int
    greedy: Rival
    bisected: Rival


def case(seed: int) -> Case:
    network = Network.seeded(seed)
    with workspace(network) as start:
        words = budget_words(start, seed)
        search = start(words)
        chosen = search.run()
        oracle = oracle_of(start, words)
        greedy, bisected = autosearches.greedy(oracle), autosearches.by_bisection(oracle_of(start, words))
        best = autosearches.exhaustive(oracle).one
        assert chosen is not None and best is not None, f"seed {seed}: not even the base is within the budget"
        cost = best.cost
        made = Case(
            len(set(chosen.precisions)) > 1, chosen.cost / cost, within(search, chosen),
            len(search.groups) * len(network.candidates) + MORE_RUNS - search.runs, len(search.measured),
            _rival(greedy, cost), _rival(bisected, cost),
        )  # fmt: skip
        budget = ", ".join(f"{name} {limit:.4g}" for name, limit in search.budget.items())
        says = ": ".join((placement(search, chosen.precisions), placement(oracle, best.precisions)))
        count = len(oracle.compiled)
        print(f"seed {seed}: {network.device}, batch {network.batch}, {len(search.groups)} groups, {count} engines, "
              f"{len(oracle.refused)} refused, {budget}\n  ours: optimum: {says}\n  {made}", flush=True)  # fmt: skip
        return made


def _rival(answer: Answer, cost: float) -> Rival:
    assert answer.one is not None
    return Rival(answer.evaluations, answer.one.cost / cost)


def optimum(seeds: range) -> None:
    """Small networks: against the cheapest of all assignments, and against a greedy search."""
    cases, count = [case(seed) for seed in seeds], len(seeds)
    good, most = sum(one.cost <= WITHIN for one in cases), max(one.cost for one in cases)
    say("within 2 % of the optimum's cost", f"{good} of {count} (most: {most:.4f})", f"bar {count}")
    say("  not over budget, from the arrays", f"{sum(one.within for one in cases)} of {count}", f"bar {count}")
    say("  mixed answers", f"{sum(one.mixed for one in cases)} of {count}", "")
    fits = sum(one.runs_left >= 0 for one in cases)
    say("  runs on few samples within the bar", f"{fits} of {count}", f"bar {count}")
    say("  evaluations of the whole set", _range([one.evaluations for one in cases]), f"bar {EVALUATIONS} each")
    for name, rivals in (("greedy", [one.greedy for one in cases]), ("its bisection", [one.bisected for one in cases])):
        pairs = list(zip(cases, rivals, strict=True))
        fewer = sum(one.evaluations < other.evaluations for one, other in pairs)
        equal = sum(one.evaluations == other.evaluations for one, other in pairs)
        better = sum(one.cost < other.cost - 1e-9 for one, other in pairs)
        worse = sum(one.cost > other.cost + 1e-9 for one, other in pairs)
        costs = statistics.mean(other.cost for other in rivals)
        said = f"{_range([other.evaluations for other in rivals])}; ours fewer in {fewer}, as many in {equal}"
        say(f"  {name}: evaluations", said, f"ours cheaper in {better}, dearer in {worse}; its mean cost {costs:.3f}")


def _range(values: Sequence[int]) -> str:
    return f"{sum(values)} in all ({min(values)} to {max(values)})"


def planted(seeds: range) -> None:
    """An outlier in one layer's weights, at a budget between all int8 and all but that layer."""
    largest = steepest = kept = 0
    count = len(seeds)
    for seed in seeds:
        network = Network.planted(seed)
        where = f"net/conv{network.outlier}"
        with workspace(network) as start:
            words = (WITHOUT_TASK, "auto.deviation={sqnr_db: 0}", "auto.builds=8")
            everything, without = observed(start, words), observed(start, words, but=where)
            search = start((*words, f"auto.deviation={{sqnr_db: {(everything + without) / 2:.3f}}}"))
            chosen = search.run()
            assert chosen is not None
            names = [group["name"] for group in search.groups]
            errors = [max(choice.error for choice in choices) for choices in search.choices]
            largest += names[errors.index(max(errors))] == where
            steepest += first_kept(search) == [where]
            kept += chosen.precisions[names.index(where)] == network.base and within(search, chosen)
            says = placement(search, chosen.precisions)
            print(f"seed {seed}: {where}: int8 {everything:.1f} dB, without it {without:.1f} dB: {says}", flush=True)
    say("the planted layer has the largest error", f"{largest} of {count}", f"bar {count}")
    say("  is the first that the front keeps", f"{steepest} of {count}", f"bar {count}")
    say("  and is kept by an answer within budget", f"{kept} of {count}", f"bar {count}")


def first_kept(search: Search) -> list[str]:
    """The groups that change in the steepest step from the cheapest point of the front that was predicted at first."""
    cheapest, *others = front(search.choices)
    step = max(others, key=lambda one: (cheapest.error - one.error) / (one.cost - cheapest.cost))
    pairs = zip(search.groups, cheapest.precisions, step.precisions, strict=True)
    return [group["name"] for group, before, after in pairs if before != after]


def measure(scratch: Path, trtbuild: str, chosen: Mapping[str, str] = CHOICES) -> None:
    first, _, end = chosen["seeds"].partition(":")
    seeds, parts = range(int(first), int(end)), chosen["parts"].split(",")
    if "models" in parts:
        from benchmarks.__main__ import fresh_workspace

        names = chosen["models"].split(",")
        place, other = (automodels.with_vgg16(fresh_workspace(scratch / name)) for name in ("models", "killed"))
        found = [automodels.model(place, trtbuild, name) for name in names]
        automodels.killed(other, trtbuild, names[0], found[0])
    if "planted" in parts:
        planted(seeds)
    if "optimum" in parts:
        optimum(seeds)


def main(words: Sequence[str]) -> None:
    chosen = dict(CHOICES)
    for word in words:
        key, equals, value = word.partition("=")
        if key not in chosen or not equals:
            raise SystemExit(f"{word}: expected one of {', '.join(f'{key}=…' for key in chosen)}")
        chosen[key] = value
    with tempfile.TemporaryDirectory(prefix="trtbuild-auto-") as scratch:
        measure(Path(scratch), str(Path(sys.executable).with_name("trtbuild")), chosen)


if __name__ == "__main__":
    main(sys.argv[1:])
