"""Tests of planted differences between a graph and TensorRT's importer, as far as the graph shows them."""

from __future__ import annotations

import pytest

from tests.support.plants import PLANTS, TWINS, Plant
from trtbuild.core import parserwarnings
from trtbuild.graphs.misreadings import doubtful, misread

SHOWN = [plant for plant in PLANTS if plant.by == "graph"]


@pytest.mark.parametrize("plant", SHOWN, ids=lambda plant: plant.name)
def test_a_planted_difference_is_found_with_advice(plant: Plant) -> None:
    """Refused where ordinary values differ, a warning where some may; each in words of its own."""
    refused, warned = misread(plant.model), doubtful(plant.model)
    found = refused if plant.outcome == "refused" else warned

    assert any(plant.words in one.words for one in found), (refused, warned)
    assert plant.outcome == "refused" or not refused
    assert all(one.node and one.stage == "misread" and parserwarnings.advice(one.words) for one in found)
    quantised = any("uantis" in one.words or "zero point" in one.words for one in found)
    assert quantised == all("int8" in parserwarnings.advice(one.words) for one in found)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_a_twin_that_agrees_is_silent(twin: Plant) -> None:
    """The same operations, where the importer does what ONNX says."""
    assert misread(twin.model) == ()
    assert doubtful(twin.model) == ()
