"""Tests of choosing among calibrations by the outputs of the whole graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.graphs import Array, copy, graph
from trtbuild.arrays.samples import Samples
from trtbuild.core.spec import Lowering
from trtbuild.graphs import lowered, qdq
from trtbuild.graphs.placement import Placement
from trtbuild.quantizers import Candidates, best
from trtbuild.runtimes import choice

PLACEMENT = Placement(Lowering("int8", "int8", quantize_ops=("Conv", "MatMul")), {})
NET = """float[N,8] x => float[N,4] y, int64[N] i {
  a = MatMul(x, v) b = Relu(a) y = MatMul(b, w) i = ArgMax<axis = 1, keepdims = 0>(y) }"""


def draw(*shape: int) -> Array:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def chosen(x: Array, candidates: dict[str, float] | None = None, batch: int = 8, *, correct: bool = True) -> Any:
    """``candidates``: one range for all tensors, by name; those of ``best`` by default."""
    model = copy(graph(NET, v=draw(8, 8), w=draw(8, 4)))
    nodes = lowered.quantised_nodes(model, PLACEMENT)[0]
    tensors = qdq.activations(nodes, model.graph, PLACEMENT)
    given = {name: dict.fromkeys(tensors, top) for name, top in (candidates or {}).items()}
    inputs: Any = {"x": {"dtype": "float32", "shape": [None, 8]}}
    parts = [Samples({"x": x}, len(x), "data")]
    return choice.choose(model, nodes, PLACEMENT, given, parts, inputs, batch, correct=correct)


@pytest.mark.parametrize(("reach", "wins"), [(1.0, "narrow"), (30.0, "wide")])
def test_the_range_that_fits_wins(reach: float, wins: str) -> None:
    """Integers that a network gives, too, do not count."""
    found = chosen(draw(64, 8) * reach, {"narrow": 8.0, "wide": 240.0})

    assert found.name.startswith(wins) and found.sqnr_db[found.name] == max(found.sqnr_db.values())
    assert set(found.ranges.values()) == {{"narrow": 8.0, "wide": 240.0}[wins]}


def test_many_output_values_need_fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four logits and a class need all that may be taken."""
    counts = list[int]()
    some = Samples.some

    def watched(samples: Samples, most: int) -> Samples:
        counts.append(most)
        return some(samples, most)

    monkeypatch.setattr(Samples, "some", watched)
    for enough in (choice.FEWER * 5, choice.FEWER * 5 + 1):
        monkeypatch.setattr(choice, "MANY_VALUES", enough)
        chosen(draw(64, 8), {"one": 8.0})

    assert counts == [choice.FEWER, choice.SAMPLES]


def test_biases_are_corrected_only_where_that_helps() -> None:
    """Without the option, that is not tried; here no operation has a place for a bias."""
    x = draw(64, 8)

    assert list(chosen(x, {"one": 8.0}, correct=False).sqnr_db) == ["one"]
    found = chosen(x, {"one": 8.0})
    assert found.sqnr_db["one"] == found.sqnr_db["one, biases corrected"] and found.name == "one" and not found.errors


def test_the_batch_and_the_order_of_samples_change_nothing() -> None:
    x = draw(37, 8)
    first = chosen(x, {"narrow": 6.0, "wide": 24.0}, batch=1)

    assert chosen(x[::-1].copy(), {"narrow": 6.0, "wide": 24.0}, batch=5) == first


def test_what_is_tried_comes_from_one_histogram() -> None:
    """The first is what a caller without outputs gets."""
    quantizer = best.make({"bins": 2048, "percentile": 99.0})
    quantizer.observe("x", draw(64, 8))
    assert isinstance(quantizer, Candidates)

    assert list(quantizer.candidates()) == ["minmax", "mse", "percentile"]
    assert quantizer.candidates()["minmax"] == quantizer.ranges() == {"x": float(np.abs(draw(64, 8)).max())}


def test_a_final_softmax_is_looked_through() -> None:
    """Probabilities would hide what saturates: here they are one and zero, whatever the range."""
    text = "float[N,8] x => float[N,4] y { a = MatMul(x, w) y = Softmax(a) }"
    model = graph(text, w=1000 * draw(8, 4))
    nodes = lowered.quantised_nodes(model, PLACEMENT)[0]
    x = draw(64, 8)
    inputs: Any = {"x": {"dtype": "float32", "shape": [None, 8]}}
    parts = [Samples({"x": x}, len(x), "data")]
    given = {name: {"x": top} for name, top in (("narrow", 1.0), ("wide", 4.0))}
    found = choice.choose(model, nodes, PLACEMENT, given, parts, inputs, 8, correct=False)

    assert found.name == "wide" and found.sqnr_db["wide"] > found.sqnr_db["narrow"] + 6
    assert [value.name for value in model.graph.output] == ["y"]
