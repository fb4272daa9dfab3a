"""Overrides -> workspace, store, variants and plan: the start of every verb that works on variants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from trtbuild import config
from trtbuild.base.errors import TrtbuildError
from trtbuild.base.text import printable
from trtbuild.base.uncollected import uncollected
from trtbuild.base.workspace import Workspace
from trtbuild.building.sourcefiles import SourceFiles
from trtbuild.config import sweep as words_of_a_sweep
from trtbuild.config.composed import Composed
from trtbuild.config.places import placing
from trtbuild.core.plan import Plan, Planner, make_plan, post_order
from trtbuild.steps import Declarations
from trtbuild.store import Store

WANTED = ("report",)


@dataclass(frozen=True)
class Planned:
    workspace: Workspace
    store: Store
    plan: Plan
    invalid: Mapping[str, TrtbuildError] = field(default_factory=dict)  # overrides -> why they are not a variant
    named: Mapping[str, str] = field(default_factory=dict)  # overrides -> the id of their variant in the plan
    other_configs: tuple[str, ...] | None = ()  # configs beyond conf/ that matter; None: more than files does


def plan_overrides(workspace: Workspace, overrides: Sequence[str], *, sweep: bool, files: bool = True) -> Planned:
    """Compose the variant, or every variant of a sweep, and plan them as one.

    Args:
        files: whether the files that the config names must be here, as for a build; what was built elsewhere can be
            moved, compared and accepted without them.

    Raises:
        ConfigError: a mistake in the words, or several values without ``sweep``.  In a sweep, other errors make a
            variant ``invalid``, and the others go on; if none can be planned, the first error is raised.
    """
    if sweep:
        return plan_combinations(workspace, words_of_a_sweep.expand(workspace.root, overrides), files=files)
    words_of_a_sweep.check_none(workspace.root, overrides)
    composed = Composed(workspace.private, config.conf_folders(workspace.root))
    variant = config.load_variant(workspace.root, overrides, composed)
    composed.keep()
    store = Store(workspace)
    if files:
        with placing(workspace.root, overrides):
            SourceFiles(store).check(variant)
    plan = make_plan([variant], WANTED, Declarations())
    named = {" ".join(overrides): next(iter(plan.variants))}
    return Planned(workspace, store, plan, {}, named, composed.other_configs)


@uncollected()
def plan_combinations(workspace: Workspace, combinations: Sequence[Sequence[str]], *, files: bool = True) -> Planned:
    """Every combination of overrides in one plan; one that cannot be planned is invalid, and the others go on.

    Raises:
        ConfigError: an option that its group does not have.  TrtbuildError: none can be planned (the first reason).
    """
    root, store = workspace.root, Store(workspace)
    composed = Composed(workspace.private, config.conf_folders(root))
    loader, files_here = config.Loader(root, composed, combine=len(combinations) > 1), SourceFiles(store)
    for combination in combinations:
        loader.check_choices(combination)  # a misspelt option is a mistake in the sweep, not in a variant
    planner = Planner(WANTED, Declarations())
    named: dict[tuple[str, ...], str] = {}
    invalid: dict[str, TrtbuildError] = {}
    for combination in combinations:
        try:
            variant = loader.load(combination)
            if files:
                with placing(root, combination, loader.places):
                    files_here.check(variant)
            named[tuple(combination)] = planner.add(variant)
        except TrtbuildError as error:
            invalid[" ".join(combination)] = error
    composed.keep()
    if not named:
        raise next(iter(invalid.values()))
    made, telling = planner.plan(), telling_names(named)
    plan = Plan(
        made.steps,
        {telling[name]: roles for name, roles in made.variants.items()},
        {telling[name]: spec for name, spec in made.specs.items()},
    )
    by_words = {" ".join(words): telling[name] for words, name in named.items()}
    return Planned(workspace, store, plan, invalid, by_words, composed.other_configs)


def telling_names(named: Mapping[tuple[str, ...], str]) -> dict[str, str]:
    """Variants' ids -> the same, with the words in which those of one id differ in place of a number.

    >>> telling_names({("model=m", "target=sm89"): "m", ("model=m", "target=sm90"): "m#2"})
    {'m': 'm#target=sm89', 'm#2': 'm#target=sm90'}
    """
    alike: dict[str, dict[str, tuple[str, ...]]] = {}  # id -> numbered id -> the first words of it
    for words, name in named.items():
        alike.setdefault(name.partition("#")[0], {}).setdefault(name, words)
    found: dict[str, str] = {}
    for identity, numbered in alike.items():
        count = Counter(word for words in numbered.values() for word in set(words))
        for name, words in numbered.items():
            own = ",".join(word for word in words if count[word] < len(numbered))
            found[name] = f"{identity}#{printable(own)}" if own else name
    return found


def only(p: Planned, names: Iterable[str]) -> Planned:
    """The part of a plan that these variants need, without what is invalid."""
    wanted = {name: p.plan.variants[name] for name in dict.fromkeys(names)}
    steps = post_order(step for roles in wanted.values() for step in roles.values())
    named = {words: name for words, name in p.named.items() if name in wanted}
    return Planned(p.workspace, p.store, Plan(steps, wanted, {n: p.plan.specs[n] for n in wanted}), {}, named)
