"""What each precision of each group costs, from compiled engines: the prediction, and what further builds taught.

A prediction comes from one engine for each precision, all groups in it.  The cost of a layer belongs to the groups
whose operations it computes, or whose operand it quantises or casts.  Fusion and conversions at borders are not
additive, so engines of mixed assignments correct the prediction, the more the less certain it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from trtbuild.auto.front import Choice
from trtbuild.documents.estimate import Bounded

Shares = Mapping[Bounded | None, float]  # of a group: limit -> cost of the layers that it binds

_UNCERTAINTY = 0.5  # of a predicted share of the cost: its standard deviation as a part of it
_FLOOR = 0.02  # and at least this part of the mean group's
_NOISE = 0.005  # what is not additive even so, as a part of an engine's cost


@dataclass(frozen=True)
class LayerCost:
    """A layer's cost, the names of the nodes and tensors of the exported graph that its record lists, and its limit.

    ``limit``: the resource that binds it, by its estimate.
    """

    names: tuple[str, ...]
    cost: float
    limit: Bounded | None = None


@dataclass(frozen=True)
class CostSample:
    """The cost of the engine of an assignment."""

    precisions: tuple[str, ...]
    cost: float


def shared_out(layers: Sequence[LayerCost], owners: Mapping[str, int], count: int) -> tuple[list[Shares], float]:
    """The cost of each of ``count`` groups in one engine by the limit of its layers, and what belongs to none.

    Args:
        owners: node, or tensor that a node reads -> index of its group.

    >>> shared_out([LayerCost(("a", "b"), 4.0, "memory"), LayerCost(("pool",), 1.0)], {"a": 0, "b": 1}, 2)
    ([{'memory': 2.0}, {'memory': 2.0}], 1.0)
    """
    costs: list[dict[Bounded | None, float]] = [{} for _ in range(count)]
    rest = 0.0
    for layer in layers:
        found = sorted({owners[name] for name in layer.names if name in owners})
        for index in found:
            costs[index][layer.limit] = costs[index].get(layer.limit, 0.0) + layer.cost / len(found)
        if not found:
            rest += layer.cost
    return list(costs), rest


def corrected(groups: Sequence[Sequence[Choice]], rest: float, built: Sequence[CostSample]) -> list[list[Choice]]:
    """The choices with costs that fit the engines that were built, changed as little as their uncertainty asks for.

    This is the mean of a Gaussian process whose prior is the prediction (linear regression with a prior).

    Args:
        rest: predicted cost of what belongs to no group; it is kept.
    """
    import numpy as np

    keys = [(index, choice.precision) for index, choices in enumerate(groups) for choice in choices]
    prior = np.array([choice.cost for choice in chain.from_iterable(groups)])
    if not built or not keys:
        return [list(choices) for choices in groups]
    chosen = np.array([[float(one.precisions[index] == precision) for index, precision in keys] for one in built])
    costs = np.array([one.cost for one in built])
    spread = (_UNCERTAINTY * np.maximum(prior, _FLOOR * costs.mean() / len(groups))) ** 2
    noise = np.diag((_NOISE * costs) ** 2 + 1e-12)
    weights = np.linalg.solve((chosen * spread) @ chosen.T + noise, costs - rest - chosen @ prior)
    found = dict(zip(keys, np.maximum(prior + spread * (chosen.T @ weights), 0.0).tolist(), strict=True))
    return [
        [replace(choice, cost=found[index, choice.precision]) for choice in choices]
        for index, choices in enumerate(groups)
    ]
