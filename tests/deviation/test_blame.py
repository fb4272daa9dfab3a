"""Tests of naming the hop that moved the outputs, with planted faults."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trtbuild.deviation.blame import guilty_hop, guilty_of_model
from trtbuild.deviation.statistics import compare

HOPS = {"export": (0, 1), "precision": (1, 2), "engine": (2, 3), "total": (0, 3)}
Moves = dict[str, float]


def hops(moves: Moves, size: float = 1.0) -> dict[str, dict[str, Any]]:
    """Statistics of an output of RMS ``size`` that each hop moves by a share of it."""
    reference = np.random.default_rng(0).normal(size=500) * size
    runs = [reference]
    for stage in ("export", "precision", "engine"):
        noise = np.random.default_rng(len(runs)).normal(size=500)
        runs.append(runs[-1] + moves.get(stage, 0.0) * size * noise)
    return {hop: compare(runs[a], runs[b]) for hop, (a, b) in HOPS.items()}


@pytest.mark.parametrize(
    ("moves", "who"),
    [
        ({"export": 0.3, "precision": 0.01}, "export"), ({"export": 1e-7, "precision": 0.01}, "precision"),
        ({"export": 1e-7, "precision": 0.01, "engine": 0.2}, "engine"), ({}, "nobody"),
        ({"export": float("nan"), "precision": 0.5}, "export"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_named(moves: Moves, who: str) -> None:
    """A wrong export, a wrong scale, a wrong engine; NaN is worse than any number."""
    assert guilty_hop(hops(moves)) == who
    assert guilty_of_model({"y": hops(moves)}) == who


def test_one_wrong_scale_among_many_outputs() -> None:
    """Seven outputs that the exporter moves a little more do not hide the one that precision ruins."""
    outputs = {f"y{i}": hops({"export": 2e-3, "precision": 1e-3}) for i in range(7)}
    outputs["bad"] = hops({"export": 1e-7, "precision": 0.4})

    assert [guilty_hop(outputs[name]) for name in ("y0", "bad")] == ["export", "precision"]
    assert guilty_of_model(outputs) == "precision"


def test_an_output_of_large_numbers_has_no_more_votes() -> None:
    """Errors count in units of their own output."""
    outputs = {"pixels": hops({"precision": 0.001}, size=1e6), "scores": hops({"export": 0.5})}

    assert guilty_of_model(outputs) == "export"


def test_a_reference_of_zeros_still_has_a_guilty_hop() -> None:
    """Its error has no unit, but it counts."""
    zeros = np.zeros(4)
    found = {
        "export": compare(zeros, zeros),
        "precision": compare(zeros, zeros + 1),
        "total": compare(zeros, zeros + 1),
    }

    assert guilty_hop(found) == guilty_of_model({"y": found}) == "precision"
    assert guilty_of_model({}) == "nobody"
