"""Tests of the deviation step on recorded arrays, and of its sets of inputs in a plan."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.test_plan import planned, variant
from tests.support import graphs
from trtbuild.arrays.arrayfile import write_npz
from trtbuild.base.errors import ConfigError, ModelError
from trtbuild.core.job import Job
from trtbuild.core.parse import parse
from trtbuild.core.spec import Lowering
from trtbuild.core.spec.data import Data, RandomData
from trtbuild.deviation.blame import guilty_hop, guilty_of_model
from trtbuild.graphs import qdq
from trtbuild.graphs.graph import element_types
from trtbuild.graphs.placement import Placement
from trtbuild.steps import deviation

Array = np.ndarray[Any, Any]
FACTS = {"version": "1", "executes": "graph", "emulated": None}


def job(folder: Path, runs: dict[str, dict[str, Array]], sets: tuple[str, ...] = ("validation",), **about: Any) -> Job:
    """A job whose inputs hold ``runs[side]`` for every set; the reference's runtime says what rows are."""
    (folder / "out").mkdir()
    inputs = {}
    for name in sets:
        for side, arrays in runs.items():
            key = side if name == "validation" else f"{name}_{side}"
            write_npz(folder / f"{key}.npz", arrays)
            rows = dict.fromkeys(arrays, "sample")
            runtime = {**FACTS, "runtime": side, "samples": 3, "rows": rows, **about}
            (folder / f"{key}.json").write_text(json.dumps(runtime), "utf-8")
            inputs |= {key: str(folder / f"{key}.npz"), f"{key}_runtime": str(folder / f"{key}.json")}
    params = {"sets": {name: {"source": "models/x.npz", "random": False} for name in sets}, "task": None}
    return Job("deviation", params, inputs, str(folder / "out"), str(folder))


def moved(*steps: float, symmetric: bool = False) -> dict[str, dict[str, Array]]:
    base = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    ends = np.cumsum([0.0, *steps])
    sides = [side for side in deviation.SIDES if symmetric or side != "symmetric"]
    return {side: {"y": base + np.float32(e)} for side, e in zip(sides, ends, strict=False)}


def ran(work: Job) -> dict[str, Any]:
    deviation.run(work)
    return {n: json.loads(work.output(f"{n}.json").read_text("utf-8")) for n in ("deviation", "histograms", "details")}


def test_each_hop_lies_between_its_two_sides(tmp_path: Path) -> None:
    """And the total between the ends; keys are those that thresholds and metrics use."""
    found = ran(job(tmp_path, moved(0.5, 0.25)))["deviation"]

    assert {hop: by["y"]["max_abs"] for hop, by in found["hops"].items()} == pytest.approx(
        {"export": 0.5, "precision": 0.25, "total": 0.75}, rel=1e-6
    )
    assert (found["samples"], found["runtimes"]["lowered"], found["sets"]) == (3, {**FACTS, "runtime": "lowered"}, {})


def test_symmetric_ranges_are_a_hop_of_their_own(tmp_path: Path) -> None:
    """Between the exporter's and the precision's."""
    found = ran(job(tmp_path, moved(0.5, 0.125, 0.25, symmetric=True)))["deviation"]["hops"]

    assert {hop: by["y"]["max_abs"] for hop, by in found.items()} == pytest.approx(
        {"export": 0.5, "ranges": 0.125, "precision": 0.25, "total": 0.875}, rel=1e-6
    )


def test_an_engine_that_ran_is_a_hop_of_its_own(tmp_path: Path) -> None:
    """The total then ends at the engine."""
    found = ran(job(tmp_path, moved(0.5, 0.25, 2.0)))["deviation"]["hops"]

    assert list(found) == ["engine", "export", "precision", "total"]
    assert found["engine"]["y"]["max_abs"] == pytest.approx(2.0, rel=1e-6)
    assert found["total"]["y"]["max_abs"] == pytest.approx(2.75, rel=1e-6)


def test_further_sets_stand_below_the_validation_set(tmp_path: Path) -> None:
    """In all three documents, and as rows of the table."""
    work = job(tmp_path, moved(0.5, 0.25), ("validation", "night"))
    found = ran(work)

    for part in found.values():
        assert part["sets"]["night"]["hops"] == part["hops"]
    assert found["deviation"]["sets"]["night"]["source"] == "models/x.npz"
    assert {line.partition(",")[0] for line in work.output("histograms.csv").read_text("utf-8").splitlines()[1:]} == {
        "validation", "night",
    }  # fmt: skip


def test_equal_arrays_give_equal_bytes(tmp_path: Path) -> None:
    """They do not depend on the clock, the order of dictionaries, or paths."""
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        work = job(tmp_path / name, moved(0.5, 0.25), ("validation", "night"))
        deviation.run(work)
        made.append({path.name: path.read_bytes() for path in sorted(Path(work.out).iterdir())})

    assert made[0] == made[1]
    assert list(made[0]) == ["details.json", "deviation.json", "histograms.csv", "histograms.json"]


@pytest.mark.parametrize(
    ("lowered", "said"),
    [
        ({"z": np.zeros((3, 5))}, "has outputs ['z']"),
        ({"y": np.zeros((3, 4))}, "has shape [3, 4] in the lowered graph"),
    ],
)
def test_what_cannot_be_compared_is_an_error(tmp_path: Path, lowered: dict[str, Array], said: str) -> None:
    """Another output, another shape."""
    with pytest.raises(ModelError) as caught:
        deviation.run(job(tmp_path, {**moved(0.5, 0.25), "lowered": lowered}))
    assert said in str(caught.value)


def test_a_set_is_measured_by_its_own_steps() -> None:
    """The validation set's recipes do not change when another set is added."""
    base = variant()
    data = replace(base.spec.model.data, inspection={"night": RandomData(4, 1)})
    more = replace(base, spec=replace(base.spec, model=replace(base.spec.model, data=data)))
    plain, roles = (next(iter(planned(v).variants.values())) for v in (base, more))

    assert set(roles) - set(plain) == {"reference-night", "infer-export-night", "infer-lower-night"}
    assert all(roles[role].key == plain[role].key for role in ("reference", "infer-export", "infer-lower", "engine"))
    assert roles["deviation"].key != plain["deviation"].key


@pytest.mark.parametrize(
    ("inspection", "said"),
    [
        ({"a/b": "x.npz"}, "'a/b' cannot name a set"), ({"validation": "x.npz"}, "'validation' cannot name a set"),
        ({"same": "models/v.npz"}, "'same' has the same source as 'validation'"),
        ({"one": "x.npz", "two": "x.npz"}, "'two' has the same source as 'one'"),
        ({"one": {"kind": "rnd"}}, "unknown kind 'rnd'"),
    ],
)  # fmt: skip
def test_a_set_needs_a_name_and_a_source_of_its_own(inspection: dict[str, Any], said: str) -> None:
    """One line, with the place in the config."""
    with pytest.raises(ConfigError, match=r"^model\.data") as caught:
        parse(Data, {"validation": "models/v.npz", "inspection": inspection}, "model.data")
    assert said in str(caught.value)


WEIGHTS = {"v": (8, 10), "w": (10, 6), "u": (6, 6)}
NETWORK = """float[N,8] x => float[N,6] a, float[N,6] b
    { h = MatMul(x, v) r = Relu(h) a = MatMul(r, w) k = Relu(a) b = MatMul(k, u) }"""


@pytest.mark.parametrize(
    ("fault", "by_output", "model"),
    [
        (None, {"a": "precision", "b": "precision"}, "precision"),
        ("exporter", {"a": "precision", "b": "export"}, "export"),
        ("scale", {"a": "precision", "b": "precision"}, "precision"),
    ],
)
def test_a_fault_planted_in_a_graph_is_named_by_its_hop(
    tmp_path: Path, fault: str | None, by_output: dict[str, str], model: str
) -> None:
    """A weight that the exporter got wrong, behind output ``a``; one scale ten times too large, before it."""
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in WEIGHTS.items()}
    x = rng.normal(size=(3, 8)).astype(np.float32)
    source = graphs.graph(NETWORK, **weights)
    wrong = {"u": weights["u"] + np.float32(0.7)} if fault == "exporter" else {}
    exported = graphs.graph(NETWORK, **{**weights, **wrong})
    lowered = graphs.copy(exported)
    products = Placement(Lowering("int8", "int8", quantize_ops=("MatMul",)))
    chosen, _ = qdq.candidates(lowered.graph, element_types(lowered), products)
    ranges = dict.fromkeys(qdq.activations(chosen, lowered.graph), 16.0)
    qdq.insert(lowered, chosen, ranges | ({"r": 160.0} if fault == "scale" else {}))
    runs = {"reference": source, "exported": exported, "lowered": lowered}
    found = ran(job(tmp_path, {side: graphs.run(graph, x=x) for side, graph in runs.items()}))["deviation"]["hops"]
    outputs = {name: {hop: found[hop][name] for hop in found} for name in ("a", "b")}

    assert {name: guilty_hop(hops) for name, hops in outputs.items()} == by_output
    assert guilty_of_model(outputs) == model
