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
        need = _need(variant, roles, unique, declarations)
        for kind in wanted:
            need(kind)
        name = _unused(variant.id, roles, by_variant)
        by_variant[name], specs[name] = roles, variant
    return Plan(post_order(step for roles in by_variant.values() for step in roles.values()), by_variant, specs)


def _need(
    variant: Variant, roles: dict[str, Step], unique: dict[str, Step], declarations: Mapping[str, Declare]
) -> Need:
    """What ``declare`` asks for other steps: ``need(kind)``, of the variant that is compared with ``against=True``.

    Steps that only that one has are among the roles too, as ``engine-fp16``: a build brings them up to date as well.
    """
    compared: dict[str, Step] = {}
    other = None if variant.against is None else _need(variant.against, compared, unique, declarations)

    def need(kind: str, *, against: bool = False, **choice: str) -> Step:
        if against:
            assert variant.against is not None and other is not None, "no variant to compare with"
            step, precision = other(kind, **choice), variant.against.names.precision
            roles.update({f"{role}-{precision}": s for role, s in compared.items() if s not in roles.values()})
            return step
        role = "-".join([kind, *choice.values()])
        if role not in roles:
            declared = declarations[kind](variant, need, **choice)
            roles[role] = unique.setdefault(declared.key, declared)
        return roles[role]

    return need


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
