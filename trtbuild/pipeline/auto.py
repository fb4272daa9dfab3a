"""``precision=auto``: search the precision of each part of a model that costs least within a budget of accuracy.

A driver of successive static plans, whose steps are cached and run like all others:

1. one engine with everything in the base, one in each candidate, and the sensitivity of each group;
2. engines of assignments along the predicted front, which correct the predicted costs, twice;
3. the outputs of a few compiled assignments, from the cheapest on, until the cheapest within the budget is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from trtbuild.auto.certificate import cheapest_within
from trtbuild.auto.costs import CostSample, Shares, corrected, shared_out
from trtbuild.auto.front import Choice, Point, beside, front, spread
from trtbuild.auto.scopes import possible, shortest
from trtbuild.base.errors import ModelError, ToolchainError, TrtbuildError
from trtbuild.base.workspace import Workspace
from trtbuild.building.planned import Planned
from trtbuild.building.states import Outcome
from trtbuild.config.option import precision as read_precision
from trtbuild.core.plan import Plan, make_plan, post_order
from trtbuild.core.spec import Variant
from trtbuild.core.step import Step
from trtbuild.documents import reading
from trtbuild.documents.auto import GroupEntry, Sensitivity
from trtbuild.documents.verdict import Check
from trtbuild.pipeline.autobase import budget, certified, measured, result_name, uniform
from trtbuild.pipeline.autocosts import EngineCost, engine_cost
from trtbuild.steps import Declarations
from trtbuild.store import Store

Build = Callable[[Planned], Outcome]
RESERVED = 8  # one engine in so many is left for what the budget decides, so that a second budget compiles few
EVALUATIONS = 8  # at most, of an assignment's outputs on the whole set


@dataclass(frozen=True)
class Assignment:
    """A compiled assignment; ``cost`` of its engine, in the search's unit, and each group's by the layers' limit."""

    precisions: tuple[str, ...]
    variant: Variant
    scopes: Mapping[str, str]
    error: float
    cost: float
    bytes_moved: int
    shares: tuple[Shares, ...]


@dataclass
class Search:
    """One search; the fields after ``build`` are what it finds, in this order."""

    workspace: Workspace
    base: Variant  # everything in the base precision
    words: Sequence[str]
    build: Build
    note: Callable[[str], None]
    dropped: dict[str, str] = field(default_factory=dict)  # candidate -> why this target cannot build it
    uniform: dict[str, Variant] = field(default_factory=dict)
    groups: list[GroupEntry] = field(default_factory=list)
    choices: list[list[Choice]] = field(default_factory=list)
    changed: dict[str, set[str]] = field(default_factory=dict)  # candidate -> operations that can be in it
    rest: float = 0.0  # predicted cost of what belongs to no group
    compiled: dict[tuple[str, ...], Assignment] = field(default_factory=dict)
    refused: dict[tuple[str, ...], str] = field(default_factory=dict)  # assignments, and what TensorRT says of them
    measured: dict[tuple[str, ...], dict[str, Check]] = field(default_factory=dict)
    runs: int = 0

    def __post_init__(self) -> None:
        self.store = Store(self.workspace)
        self.auto = self.base.spec.auto
        self.declarations = Declarations()
        self.has_device = self.base.spec.device.name is not None
        self.budget = budget(self.base)

    def run(self) -> Assignment | None:
        """The cheapest assignment within the budget; None if not even the base meets it."""
        self.first_round()
        self.compile([Point(self.all_in(name), 0.0, 0.0) for name in self.uniform])
        if self.base_precisions not in self.compiled:
            raise ModelError(self.refused[self.base_precisions], where=f"precision={self.auto.base}")
        for share in (3, 2, 1):
            left = self._builds_left()
            self.compile(self._worth_building(min(left, max(1, (left - self.auto.builds // RESERVED) // share))))
        chosen = cheapest_within(self.candidates(), self.meets)
        return None if chosen is None else self._refined(chosen)

    def _worth_building(self, count: int) -> list[Point]:
        """Points along the predicted front; where it has too few, assignments next to the best that are compiled."""
        points = spread(self._untried(), count)
        others = [point for one in self.candidates() for point in self._next_to(one)]
        return list(dict.fromkeys([*points, *sorted(others, key=lambda point: point.cost)]))[:count]

    def _refined(self, chosen: Assignment) -> Assignment:
        """A cheaper assignment between the chosen one and the next that exceeds the budget, if there is any."""

        def promising(error: float) -> bool:
            return error < min((self.compiled[p].error for p in self.measured if not self._within(p)), default=math.inf)

        before: Assignment | None = None
        while chosen is not before and (left := self._builds_left()) > 0:
            before = chosen
            along = [point for point in self._untried() if point.cost + self.rest < chosen.cost]
            around = sorted(self._next_to(chosen), key=lambda point: point.cost)
            points = [point for point in dict.fromkeys((*spread(along, left), *around)) if promising(point.error)]
            self.compile(points[:left])
            for one in sorted(self.compiled.values(), key=lambda a: (a.cost, a.error)):
                if one.cost >= chosen.cost or len(self.measured) >= EVALUATIONS:
                    break
                if one.precisions not in self.measured and promising(one.error) and self.meets(one):
                    chosen = one
        return chosen

    def _builds_left(self) -> int:
        return self.auto.builds + len(self.uniform) - len(self.compiled) - len(self.refused)

    def _next_to(self, one: Assignment) -> list[Point]:
        return self._new(beside(self.priced(), one.precisions))

    def _untried(self) -> list[Point]:
        return self._new(self.predicted())

    def _new(self, points: Iterable[Point]) -> list[Point]:
        known = self.compiled.keys() | self.refused.keys()
        return [point for point in points if point.precisions not in known]

    def predicted(self) -> list[Point]:
        """The front by what is known of the costs so far."""
        return front(self.priced())

    def priced(self) -> list[list[Choice]]:
        """The choices of each group, with costs by what is known so far."""
        built = [CostSample(one.precisions, one.cost) for one in self.compiled.values()]
        return corrected(self.choices, self.rest, built)

    def candidates(self) -> list[Assignment]:
        """Compiled assignments that no other beats in cost and predicted error, the cheapest first; the base last."""
        kept: list[Assignment] = []
        for one in sorted(self.compiled.values(), key=lambda a: (a.cost, a.error)):
            if not kept or one.error < kept[-1].error:
                kept.append(one)
        base = self.compiled[self.base_precisions]
        return [*(one for one in kept if one is not base and one.cost < base.cost), base]

    @property
    def base_precisions(self) -> tuple[str, ...]:
        return self.all_in(self.auto.base)

    def all_in(self, name: str) -> tuple[str, ...]:
        """Every group in a precision that it can be in, the others in the base."""
        known = [{choice.precision for choice in choices} for choices in self.choices]
        return tuple(name if name in precisions else self.auto.base for precisions in known)

    def first_plan(self) -> Plan:
        """An engine with everything in each precision, and the sensitivity of every group in each candidate."""
        self.uniform[self.auto.base] = self.base
        for name in self.auto.candidates:
            try:
                self.uniform[name] = uniform(self.workspace, self.words, name, self.base)
            except ToolchainError as error:
                self._drop(name, error.what)
        if len(self.uniform) == 1:
            raise self._nothing_left(ToolchainError)
        return self._plan([(variant, self._engine_kinds()) for variant in self.uniform.values()], parts=True)

    def first_round(self) -> None:
        plan = self.first_plan()
        built = self._buildable(plan)
        self._read_sensitivity(built)
        costs: dict[str, list[float]] = {}
        for name, roles in built.items():
            shares, rest = self._shared_out(engine_cost(self.workspace.root, roles))
            costs[name] = [sum(share.values()) for share in shares]
            if name == self.auto.base:
                self.rest = rest
        self.choices = [
            [replace(choice, cost=costs[choice.precision][i]) for choice in choices]
            for i, choices in enumerate(self.choices)
        ]

    def _buildable(self, plan: Plan) -> dict[str, Mapping[str, Step]]:
        """The steps of each precision in the first plan, which is built; candidates that failed are dropped."""
        failures = self._built(plan)
        built = dict(zip(list(self.uniform), plan.variants.values(), strict=True))
        for name, roles in list(built.items()):
            reason = next((failures[step.key] for step in roles.values() if step.key in failures), None)
            if reason is not None and (name == self.auto.base or not isinstance(reason, ModelError)):
                raise reason
            if reason is not None:
                self._drop(name, reason.what)
                del built[name], self.uniform[name]
        if len(built) == 1:
            raise self._nothing_left(ModelError)
        return built

    def _drop(self, name: str, why: str) -> None:
        self.dropped[name] = why
        self.note(f"auto: without {name}: {why}")

    def _nothing_left(self, kind: type[TrtbuildError]) -> TrtbuildError:
        what = f"none of {', '.join(self.auto.candidates)} can be built for this target"
        hint = "name others, or another target (docs/precisions.md)"
        return kind(f"{what}: {'; '.join(self.dropped.values())}", where="auto.candidates", hint=hint)

    def _read_sensitivity(self, built: Mapping[str, Mapping[str, Step]]) -> None:
        errors: dict[str, dict[str, float]] = {name: {} for name in built}
        for name, roles in built.items():
            for part in range(self.auto.parts if name != self.auto.base else 0):
                path = self.workspace.root / roles[f"sensitivity-{part}"].folder / "sensitivity.json"
                document: Sensitivity = reading.read(path, Sensitivity)
                self.groups, self.runs = document["groups"], self.runs + document["runs"]
                errors[name] |= {g: e for g, e in document["errors"].items() if e is not None}
                self.changed.setdefault(name, set()).update(*document["changed"].values())
        self.choices = [
            [Choice(self.auto.base, 0.0, 0.0)]
            + [Choice(name, errors[name][group["name"]], 0.0) for name in errors if group["name"] in errors[name]]
            for group in self.groups
        ]

    def compile(self, points: Sequence[Point]) -> None:
        """Compile the engines of these assignments, as one plan."""
        wanted = list({point.precisions: point for point in points}.values())
        if not wanted:
            return
        variants = [self.assigned(point.precisions) for point in wanted]
        plan = self._plan([(variant, self._engine_kinds()) for variant, _ in variants])
        failures = self._built(plan)
        for point, (variant, scopes), roles in zip(wanted, variants, plan.variants.values(), strict=True):
            reason = next((failures[step.key] for step in roles.values() if step.key in failures), None)
            if reason is not None:
                if not isinstance(reason, ModelError):
                    raise reason
                self.refused[point.precisions] = reason.what  # TensorRT's own optimiser may break what it promises
                continue
            self._remember(point.precisions, variant, scopes, engine_cost(self.workspace.root, roles))

    def assigned(self, precisions: Sequence[str]) -> tuple[Variant, dict[str, str]]:
        """The variant of an assignment, and its scopes as a precision file has them."""
        operations = [(op, p) for g, p in zip(self.groups, precisions, strict=True) for op in g["operations"]]
        scopes = shortest(possible(operations, self.changed, self.auto.base), self.auto.base)
        content = {"base": self.auto.base, "scopes": scopes}
        spec = replace(self.base.spec, precision=read_precision(self.workspace.root, content, "auto"))
        names = replace(self.base.names, precision=result_name(self.base))
        return replace(self.base, names=names, spec=spec), scopes

    def meets(self, one: Assignment) -> bool:
        """Whether the measured outputs of an assignment are within the budget; measured at most once."""
        if one.precisions not in self.measured:
            plan = self._plan([(certified(one.variant), ("deviation", "validate"))])
            if failures := self._built(plan):
                raise next(iter(failures.values()))
            (roles,) = plan.variants.values()
            self.measured[one.precisions] = measured(self.workspace.root, roles, self.budget)
        return self._within(one.precisions)

    def _within(self, precisions: tuple[str, ...]) -> bool:
        return all(check["passed"] for check in self.measured[precisions].values())

    def _remember(
        self, precisions: tuple[str, ...], variant: Variant, scopes: Mapping[str, str], cost: EngineCost
    ) -> None:
        by_name = [{choice.precision: choice for choice in choices} for choices in self.choices]
        error = sum(known[p].error for known, p in zip(by_name, precisions, strict=True) if p in known)
        shares, _ = self._shared_out(cost)
        self.compiled[precisions] = Assignment(
            precisions, variant, scopes, error, cost.total, cost.bytes_moved, tuple(shares)
        )

    def _shared_out(self, cost: EngineCost) -> tuple[list[Shares], float]:
        owners = {name: i for i, group in enumerate(self.groups) for name in (*group["reads"], *group["nodes"])}
        return shared_out(cost.layers, owners, len(self.groups))

    def _engine_kinds(self) -> tuple[str, ...]:
        return ("engine", "estimate") if self.has_device else ("engine",)

    def _plan(self, wanted: Sequence[tuple[Variant, Sequence[str]]], *, parts: bool = False) -> Plan:
        variants: dict[str, Mapping[str, Step]] = {}
        specs: dict[str, Variant] = {}
        for i, (variant, kinds) in enumerate(wanted):
            plan = make_plan([variant], kinds, self.declarations)
            roles = dict(next(iter(plan.variants.values())))
            if parts and variant is not self.base:
                roles |= self._parts(variant, roles)
            variants[f"{variant.id}#{i}"], specs[f"{variant.id}#{i}"] = roles, variant
        return Plan(post_order(step for roles in variants.values() for step in roles.values()), variants, specs)

    def _parts(self, variant: Variant, roles: Mapping[str, Step]) -> dict[str, Step]:
        declare, parts = self.declarations["sensitivity"], range(self.auto.parts)
        return {f"sensitivity-{i}": declare(variant, lambda kind: roles[kind], part=str(i)) for i in parts}

    def _built(self, plan: Plan) -> Mapping[str, TrtbuildError]:
        return self.build(Planned(self.workspace, self.store, plan)).failures
