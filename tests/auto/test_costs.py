"""Tests of costs: shared out among groups, and corrected by the engines that were built."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from trtbuild.auto.costs import CostSample, LayerCost, corrected, shared_out
from trtbuild.auto.front import Choice


def test_every_cost_has_one_owner_or_none() -> None:
    layers = [
        LayerCost(("a", "relu"), 3.0, "arithmetic"), LayerCost(("x",), 1.0, "memory"), LayerCost((), 2.0, "memory"),
        LayerCost(("a", "b"), 4.0, "memory"),
    ]  # fmt: skip
    shares, rest = shared_out(layers, {"a": 0, "b": 1, "x": 1}, 2)
    assert (shares, rest) == ([{"arithmetic": 3.0, "memory": 2.0}, {"memory": 3.0}], 2.0)


def cost_of(groups: list[list[Choice]], precisions: tuple[str, ...], rest: float) -> float:
    return rest + sum(
        next(choice.cost for choice in choices if choice.precision == p)
        for choices, p in zip(groups, precisions, strict=True)
    )


@pytest.mark.parametrize("seed", range(5))
def test_engines_correct_a_wrong_prediction(seed: int) -> None:
    random = Random(seed)
    true = [[Choice(p, 0.0, random.uniform(1, 9)) for p in ("fp16", "int8")] for _ in range(6)]
    guess = [[Choice(c.precision, 0.0, c.cost * random.uniform(0.6, 1.4)) for c in choices] for choices in true]
    every = list(product(("fp16", "int8"), repeat=6))
    built = [CostSample(one, cost_of(true, one, 5.0)) for one in random.sample(every, 12)]
    after = corrected(guess, 5.0, built)

    def worst(groups: list[list[Choice]]) -> float:
        return max(abs(cost_of(groups, one, 5.0) / cost_of(true, one, 5.0) - 1) for one in every)

    assert worst(after) < 0.3 * worst(guess)
    assert [[c.precision for c in choices] for choices in after] == [["fp16", "int8"]] * 6


def test_a_right_prediction_stays() -> None:
    groups = [[Choice("fp16", 0.0, 3.0), Choice("int8", 1.0, 2.0)]] * 3
    built = [CostSample(("fp16", "int8", "int8"), 8.0)]
    assert (
        corrected(groups, 1.0, built)
        == [[Choice("fp16", 0.0, pytest.approx(3.0)), Choice("int8", 1.0, pytest.approx(2.0))]] * 3
    )


def test_without_engines_nothing_changes() -> None:
    groups = [[Choice("fp16", 0.0, 3.0)]]
    assert corrected(groups, 0.0, []) == groups
