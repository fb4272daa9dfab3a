"""Tests of the latency page: what it shows of real statistics, and what no name and no gap can break."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.reports.test_render import HOSTILE, Parsed
from tests.support.pages import ONNXRUNTIME, TENSORFLOW, TENSORRT
from tests.support.pages import page as base_page
from trtbuild.base.errors import ModelError
from trtbuild.base.packaged import templates
from trtbuild.latency import contender as kit
from trtbuild.latency.interval import latency_checks
from trtbuild.reports import latency
from trtbuild.reports.render import render
from trtbuild.steps.latency import summary

ROOT = Path(__file__).resolve().parents[2]
ENGINE = {**TENSORRT, "clock": "CUDA events", "copies": "copies between host and GPU are not included"}
ABOUT = {
    "engine": ENGINE,
    "source": TENSORFLOW,
    "exported": ONNXRUNTIME,
    "lowered": ONNXRUNTIME,
    "baseline": ONNXRUNTIME,
}
MEDIANS = {"source": 8000, "exported": 4000, "lowered": 2000, "baseline": 1900}
WITH_ENGINE = {**MEDIANS, "engine": 100}
ENVIRONMENT = {
    "machine": "x86_64", "cpu": "Example CPU", "cores": 2, "cpu_quota": "none", "clock_mhz": "unknown",
    "governor": "unknown", "load_average": "0.1", "kernel": "Linux 6", "threads": 2, "stolen": {},
}  # fmt: skip


def samples(names: tuple[str, ...], calls: int = 100) -> dict[str, kit.Samples]:
    generator = np.random.default_rng(4)
    rounds = {n: generator.normal(WITH_ENGINE[n], WITH_ENGINE[n] / 100, (5, calls)).astype(int).tolist() for n in names}
    return {
        name: kit.Samples(ABOUT[name], tuple(map(tuple, rounds[name])), tuple(2.0 * i + k for i in range(5)))
        for k, name in enumerate(names)
    }


def artifacts(
    names: tuple[str, ...] = tuple(MEDIANS), failed: str = "", node: str = "conv", calls: int = 100
) -> tuple[dict[str, Any], dict[str, Any]]:
    """latency.json and samples.json as the step makes them."""
    measured = samples(names, calls)
    params = {"batch": 4, "warmup_s": 0.5, "seconds": 1.0, "rounds": 5, "baseline": f"models/{node}.onnx",
              "source": {"kind": "keras"}}  # fmt: skip
    made = summary(params, measured, {failed: ModelError(f"cannot load {node}")} if failed else {})
    top = {"name": node, "op_type": "Conv", "ms": 1.5, "share": 0.75, "cumulative": 0.75}
    made |= {
        "profile": {"measured": True, "runs": 7, "nodes": 3, "sum_ms": 2.0, "latency_ms": 2.0, "ratio": 1.0,
                    "coarse": 1, "top": [top], "op_types": [{"op_type": "Conv", "ms": 2.0, "share": 1.0, "nodes": 3}]},
        "environment": ENVIRONMENT, "warnings": [f"lowered: {node}"],
    }  # fmt: skip
    raw = {name: {"rounds": side.rounds, "starts_s": side.starts_s} for name, side in measured.items()}
    return made, {"unit": "us", "sides": json.loads(json.dumps(raw))}


def page(**changed: Any) -> dict[str, Any]:
    return {**base_page(), "latency": latency.collect(*artifacts(**changed))}


def rendered(page: dict[str, Any]) -> Parsed:
    data = {"page": page, "charts": latency.charts(page), "current": "latency", "pages": ["latency"]}
    return Parsed(render(templates(ROOT), "latency.html.j2", data))


def test_the_headline_is_the_median_and_the_speed_against_tensorflow() -> None:
    """With intervals, and with what was measured."""
    made = page()
    text, data = rendered(made).text, made["latency"]
    median = data["sides"][2]["p50_ms"]["value"]

    assert data["speedup"]["value"] == pytest.approx(4.0, rel=0.02)
    for said in (f"{data['speedup']['value']:.2f}× the speed of TensorFlow", f"{median:.3f} ms", "was not executed"):
        assert said in text


def test_a_slower_build_is_said_to_be_slower() -> None:
    """Five percent, with a sign that needs no colour."""
    text = rendered(page()).text

    assert "▲ regressed" in text
    assert "models/conv.onnx" in text


def test_without_a_baseline_there_is_no_verdict() -> None:
    """And the page says how to get one."""
    assert "No verdict: there is no baseline" in rendered(page(names=("source", "exported", "lowered"))).text


def test_a_side_that_was_not_measured_says_why() -> None:
    """A row without numbers, no headline, no ratio."""
    made = page(names=("source", "exported"), failed="lowered")
    text = rendered(made).text

    assert (made["latency"]["measured"], made["latency"]["speedup"]) == (False, None)
    assert "not measured: cannot load conv" in text
    assert "the speed of" not in text


def test_nothing_measured_is_said() -> None:
    """latency=off."""
    made = {**base_page(), "latency": latency.collect(None)}

    assert "latency=off" in rendered(made).text
    assert latency.charts(made) == []


def test_limits_show_the_upper_end_or_why_not() -> None:
    """One judged, one not."""
    made = page()
    change = made["latency"]["ratios"]["baseline"]["value"] - 1
    checks, not_judged = latency_checks(artifacts()[0], {"p99_ms": 100.0, "max_regression": change})
    assert list(checks) == ["latency: p99_ms"]
    made["verdict"] = {**made["verdict"], "checks": checks, "not_judged": not_judged}
    text = rendered(made).text

    assert f"{checks['latency: p99_ms']['upper']:.4g}" in text
    assert "not judged: inconclusive" in text


def test_without_samples_there_are_no_pictures() -> None:
    """The tables stand alone."""
    made = {**base_page(), "latency": latency.collect(artifacts()[0])}

    assert latency.charts(made) == []
    assert "effective n" in rendered(made).text


def test_a_hostile_name_is_only_text() -> None:
    """Of a node, in a reason, in a path."""
    plain, hostile = rendered(page()), rendered(page(node=HOSTILE))

    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert HOSTILE in hostile.text
    assert hostile.open == []


def test_every_chart_has_its_place_on_the_page() -> None:
    """By its id, once."""
    made = page()
    names = [found["id"] for tag, found in rendered(made).elements if tag == "div" and "id" in found]

    assert sorted(names) == sorted(chart["id"] for chart in latency.charts(made))


def test_figures_hold_every_call() -> None:
    """Counts of the histogram add up, the distribution goes from the fastest to the slowest, rounds have medians."""
    made, raw = artifacts()
    pictures = latency.pictures(raw["sides"])
    calls = [us / 1000 for r in raw["sides"]["lowered"]["rounds"] for us in r]

    assert sum(pictures["histograms"]["lowered"]) == 500
    assert (pictures["quantiles_ms"]["lowered"][0], pictures["quantiles_ms"]["lowered"][-1]) == (min(calls), max(calls))
    assert pictures["rounds_ms"]["lowered"] == [r["p50_ms"] for r in made["sides"]["lowered"]["rounds"]]
    edges = pictures["edges_ms"]
    expected = [sum(a <= ms < b for ms in calls) for a, b in pairwise(edges)]
    assert sum(abs(a - b) for a, b in zip(expected, pictures["histograms"]["lowered"], strict=True)) <= 2


def test_a_long_strip_keeps_its_spikes() -> None:
    """Few points, the slowest and the fastest call among them, rounds apart."""
    rounds = [[100] * 5000, [100] * 5000]
    rounds[1][1234], rounds[0][77] = 9000, 3
    drawn = latency.strip(rounds, [0.0, 60.0])
    y = [v for v in drawn["y"] if v is not None]

    assert len(y) <= latency.MOST_POINTS + 4
    assert (max(y), min(y)) == (9.0, 0.003)
    assert drawn["y"].count(None) == 2


@pytest.mark.parametrize("us", [[[5]], [[0]], [[7, 7, 7]]])
def test_calls_of_one_length_can_be_drawn(us: list[list[int]]) -> None:
    """No bin of no width, no logarithm of nothing."""
    drawn = latency.pictures({"lowered": {"rounds": us, "starts_s": [0.0]}})

    assert sum(drawn["histograms"]["lowered"]) == len(us[0])
    assert drawn["edges_ms"][0] < drawn["edges_ms"][-1]


def test_an_onnx_source_is_not_called_tensorflow() -> None:
    """The ratio is then to ONNX Runtime's own run of the source."""
    assert latency.title("source", "onnx") == "ONNX source"


def test_an_executed_engine_is_what_was_measured() -> None:
    """The clock, the GPU, and what is left out; no page says that the engine was not executed."""
    made, samples = artifacts(("engine", "baseline"))
    made["environment"] = {**ENVIRONMENT, "gpu": "a GPU", "compute_capability": "8.9", "driver": "580.1"}
    text = rendered({**base_page(engine=0.5), "latency": latency.collect(made, samples)}).text

    assert "executed by tensorrt-rtx 1.7 on a GPU, timed by CUDA events on its stream; copies between" in text
    assert "Layers of the engine" in text and "a GPU, compute capability 8.9, driver 580.1" in text
    assert "engine / it" in text and "an engine.plan of another build" not in text
    assert "not executed" not in text


def test_two_devices_are_no_comparison() -> None:
    """TensorFlow computes on the CPU: beside graphs on a GPU it is not measured, and the page says why."""
    made, samples = artifacts(("exported", "lowered"))
    made["environment"] = {**ENVIRONMENT, "gpu": "a GPU", "compute_capability": "8.9", "driver": "580.1"}
    page = latency.collect(made, samples)

    assert page is not None and page["speedup"] is None and page["on"] == "a GPU"
    assert "times on two devices cannot be compared" in rendered({**base_page(), "latency": page}).text
