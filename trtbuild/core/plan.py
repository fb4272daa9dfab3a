"""Variants -> plan: the deduplicated post-order of the wanted steps over the whole sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from trtbuild.core.spec import Variant
from trtbuild.core.step import Step

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
    unique: dict[str, Step] = {}
    by_variant: dict[str, dict[str, Step]] = {}
    specs: dict[str, Variant] = {}
    wanted = tuple(wanted)
    for variant in variants:
        roles: dict[str, Step] = {}

        def need(kind: str, variant: Variant = variant, roles: dict[str, Step] = roles, **choice: str) -> Step:
            role = "-".join([kind, *choice.values()])
            if role not in roles:
                declared = declarations[kind](variant, need, **choice)
                roles[role] = unique.setdefault(declared.key, declared)
            return roles[role]

        for kind in wanted:
            need(kind)
        name = _unused(variant.id, roles, by_variant)
        by_variant[name], specs[name] = roles, variant
    return Plan(post_order(step for roles in by_variant.values() for step in roles.values()), by_variant, specs)


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
