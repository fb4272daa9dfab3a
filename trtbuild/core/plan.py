"""Variants -> plan: the deduplicated post-order of the wanted steps over the whole sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from trtbuild.core.spec import Variant
from trtbuild.core.step import Step
from trtbuild.core.tracing import Tree

Need = Callable[..., Step]
Declare = Callable[..., Step]  # declare(variant, need, **choice) of a steps/ file


@dataclass(frozen=True)
class Plan:
    """``steps`` in an order that can run; ``variants``: their steps by id and role; ``specs``: their specs by id."""

    steps: tuple[Step, ...]
    variants: Mapping[str, Mapping[str, Step]]
    specs: Mapping[str, Variant] = field(default_factory=dict)


def make_plan(variants: Iterable[Variant], wanted: Iterable[str], declarations: Mapping[str, Declare]) -> Plan:
    """Plan the ``wanted`` step kinds of every variant; equal recipes become one step."""
    planner = Planner(wanted, declarations)
    for variant in variants:
        planner.add(variant)
    return planner.plan()


class Planner:
    """A plan in the making: variants are added one by one, and share what they agree in."""

    def __init__(self, wanted: Iterable[str], declarations: Mapping[str, Declare]) -> None:
        self._wanted, self._declarations = tuple(wanted), declarations
        self._unique: dict[str, Step] = {}
        self._declared: dict[tuple[object, ...], Tree[Step]] = {}
        self._variants: dict[str, dict[str, Step]] = {}
        self._specs: dict[str, Variant] = {}

    def add(self, variant: Variant) -> str:
        """Add a variant; returns its id in the plan.  If its steps cannot be declared, nothing is added."""
        needs = _Needs(self, variant)
        for kind in self._wanted:  # each variant has its own, so there is nothing to trace
            made = self._declarations[kind](variant, needs.need)
            needs.roles[kind] = self._unique.setdefault(made.key, made)
        name = _unused(variant.id, needs.roles, self._variants)
        self._variants[name], self._specs[name] = needs.roles, variant
        return name

    def plan(self) -> Plan:
        steps = post_order(step for roles in self._variants.values() for step in roles.values())
        return Plan(steps, self._variants, self._specs)

    def declared(self, variant: Variant, kind: str, choice: Mapping[str, str], ask: Callable[..., object]) -> Step:
        """The step that ``declare`` makes, declared once for all variants that agree in what it reads."""

        def declare(seen: Variant, ask: Callable[..., object]) -> Step:
            def need(kind: str, *, against: bool = False, **choice: str) -> Step:
                return cast(Step, ask(kind, against, *choice.items()))

            made = self._declarations[kind](seen, need, **choice)
            return self._unique.setdefault(made.key, made)

        key = (kind, *choice.items())
        if key not in self._declared:
            self._declared[key] = Tree()
        return self._declared[key].result(variant, declare, ask)


class _Needs:
    """What the ``declare`` functions of one variant ask for, and so its ``roles``.

    Steps that only the compared variant has are among them too, as ``engine-fp16``: a build brings them up to date as
    well.
    """

    def __init__(self, planner: Planner, variant: Variant) -> None:
        self._planner, self._variant = planner, variant
        self._other = None if variant.against is None else _Needs(planner, variant.against)
        self.roles: dict[str, Step] = {}

    def need(self, kind: str, *, against: bool = False, **choice: str) -> Step:
        return self.step(kind, against, *choice.items())

    def step(self, kind: str, against: bool = False, *choice: tuple[str, str]) -> Step:
        """A step of this variant, or of the one that it is compared with."""
        if against:
            assert self._variant.against is not None and self._other is not None, "no variant to compare with"
            step, precision = self._other.step(kind, False, *choice), self._variant.against.names.precision
            own = self.roles.values()
            self.roles.update({f"{role}-{precision}": s for role, s in self._other.roles.items() if s not in own})
            return step
        role = "-".join([kind, *(value for _, value in choice)]) if choice else kind
        if role not in self.roles:
            self.roles[role] = self._planner.declared(self._variant, kind, dict(choice), self.step)
        return self.roles[role]


def _unused(name: str, roles: Mapping[str, Step], taken: Mapping[str, Mapping[str, Step]]) -> str:
    """The variant's id; numbered if another variant with that id has other recipes (a swept override, say)."""
    chosen, count = name, 2
    while chosen in taken and {r: s.key for r, s in taken[chosen].items()} != {r: s.key for r, s in roles.items()}:
        chosen, count = f"{name}#{count}", count + 1
    return chosen


def post_order(wanted: Iterable[Step]) -> tuple[Step, ...]:
    """Every step once, after all steps that it reads from."""
    order: dict[str, Step] = {}

    def visit(step: Step) -> None:
        if step.key not in order:
            for upstream in step.upstream:
                visit(upstream)
            order[step.key] = step

    for step in wanted:
        visit(step)
    return tuple(order.values())
