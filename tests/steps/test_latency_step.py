"""Tests of the latency step: real ONNX Runtime on a tiny graph, in processes as in a build; no time is judged."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import graph
from tests.support.variants import variant_of
from trtbuild.core.job import prepare, read_result
from trtbuild.core.plan import make_plan
from trtbuild.core.spec import Latency, Model, Precision, Runtime, Variant
from trtbuild.core.spec.model import Input, Onnx, Profile
from trtbuild.core.spec.validation import LatencyLimits, Validation
from trtbuild.core.step import File, Step
from trtbuild.documents import latency as documents
from trtbuild.documents import reading
from trtbuild.machine import device
from trtbuild.steps import Declarations
from trtbuild.steps.latency import one_batch, opt_batch
from trtbuild.workers.hermetic import WORKER

NO_LIMITS = LatencyLimits()
QUICK = Latency(warmup_s=0.0, seconds=0.05, rounds=2, batch=2, threads=1)


def variant(latency: Latency = QUICK, limits: LatencyLimits = NO_LIMITS) -> Variant:
    model = Model(
        Onnx("models/m.onnx"),
        {"x": Input("float32", (None, 2), Profile(1, 3, 4))},
        validation=Validation(latency=limits),
    )
    runtime = Runtime("onnxruntime", ("CPUExecutionProvider",))
    return variant_of(model, Precision("none"), runtime=runtime, latency=latency, device=device.identity())


def planned(made: Variant, kind: str) -> Step:
    return next(s for s in make_plan([made], ("latency", "validate"), Declarations()).steps if s.kind == kind)


def tiny(text: str = "float[n,2] x => float[n,2] y { a = MatMul(x, w) y = Relu(a) }") -> onnx.ModelProto:
    return graph(text, w=[[1, 2], [3, 4]])


def run(folder: Path, step: Step, **graphs: onnx.ModelProto | bytes) -> tuple[dict[str, Any], Path]:
    """The step's answer and its outputs, by the worker itself; every graph is the tiny one where none is given."""
    paths = {}
    for name in step.inputs:
        paths[name] = folder / f"{name}.onnx"
        content = graphs.get(name, tiny())
        paths[name].write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    place = folder / "sandbox"
    prepare(place, step.kind, step.params, paths, folder)
    subprocess.run([sys.executable, "-s", str(WORKER), str(place)], cwd=place, capture_output=True, timeout=60)
    result = read_result(place)
    assert result is not None
    failure = {} if result.failure is None else {"error": result.failure.error, "what": result.failure.what}
    return failure, place / "out"


def read(out: Path, name: str) -> Any:
    return json.loads((out / name).read_text("utf-8"))


def test_all_sides_are_measured_in_turns(tmp_path: Path) -> None:
    """Every side in every round, the second round backwards, with a baseline, a profile and a verdict."""
    step = planned(variant(replace(QUICK, baseline="models/old.onnx")), "latency")
    failure, out = run(tmp_path, step)
    page, samples = read(out, "latency.json"), read(out, "samples.json")
    assert (reading.fault_of(page, documents.Latency), reading.fault_of(samples, documents.Samples)) == ("", "")

    assert failure == {}
    assert set(page["sides"]) == {"source", "exported", "lowered", "baseline"}
    assert set(page["ratios"]) == {"source", "exported", "baseline"}
    assert page["verdict"]["label"] in ("improved", "regressed", "no change", "inconclusive")
    starts = {name: side["starts_s"] for name, side in samples["sides"].items()}
    first, second = (sorted(starts, key=lambda name: starts[name][i]) for i in (0, 1))
    assert first == second[::-1] == ["source", "exported", "lowered", "baseline"]
    assert all(isinstance(us, int) for side in samples["sides"].values() for r in side["rounds"] for us in r)
    assert list(read(out, "profile.json")) == ["MatMul_0", "Relu_1"]
    assert page["environment"]["threads"] == 1
    assert {p.name for p in out.iterdir()} == {"latency.json", "samples.json", "profile.json"}


def test_what_the_runtime_cannot_run_is_recorded_and_the_step_goes_on(tmp_path: Path) -> None:
    """A bfloat16 convolution: not measured, with the reason, and without any number that looks like a measurement."""
    weight = np.zeros((1, 1, 1, 1), onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.BFLOAT16))
    text = "float[n,2] x, bfloat16[1,1,4,4] i => float[n,2] y, bfloat16[1,1,4,4] c { y = Relu(x) c = Conv(i, w) }"
    failure, out = run(tmp_path, planned(variant(), "latency"), lowered=graph(text, w=weight))
    page = read(out, "latency.json")

    assert failure == {}
    assert page["sides"]["lowered"]["measured"] is False
    assert "ONNX Runtime cannot load it" in page["sides"]["lowered"]["why"]
    assert "/" not in page["sides"]["lowered"]["why"]  # it is shown on a page: no path of this machine
    assert page["sides"]["exported"]["measured"] is True
    assert (page["ratios"], page["profile"]["measured"], read(out, "profile.json")) == ({}, False, {})
    assert page["warnings"][0].startswith("The lowered graph was not measured: ONNX Runtime cannot load it")


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        (b"not a graph", "'models/old.onnx' is not an ONNX file"),
        (graph("float[2] z => float[2] y { y = Relu(z) }"), "has inputs ['z'], the model ['x']"),
    ],
)
def test_a_wrong_baseline_is_an_error_of_the_config(tmp_path: Path, baseline: Any, said: str) -> None:
    """The user named it, so it must not be left out quietly."""
    failure, _ = run(
        tmp_path, planned(variant(replace(QUICK, baseline="models/old.onnx")), "latency"), baseline=baseline
    )

    assert failure["error"] == "ConfigError"
    assert said in failure["what"]


def test_another_device_is_refused(tmp_path: Path) -> None:
    """A step folder carried to another machine (dvc repro) must not be filled with that machine's numbers."""
    step = planned(replace(variant(), device={**device.identity(), "cpu": "another"}), "latency")
    failure, _ = run(tmp_path, step)

    assert failure["error"] == "PlaceError"
    assert "cpu another -> " in failure["what"]


def test_a_batch_repeats_the_samples_there_are() -> None:
    """Three samples for a batch of eight; a static batch stays what it is."""
    from trtbuild.arrays.samples import Samples

    samples = Samples({"x": np.arange(3, dtype=np.float32)[:, None]}, 3, "here")
    dynamic = {"x": {"dtype": "float32", "shape": [None, 1], "profile": {"min": 1, "opt": 4, "max": 8}}}

    assert one_batch(samples, dynamic, 8)["x"].ravel().tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert one_batch(samples, {"x": {"dtype": "float32", "shape": [2, 1]}}, 8)["x"].shape == (2, 1)


def test_the_batch_is_the_profiles_opt() -> None:
    """What the engine is tuned for."""
    assert opt_batch(variant().spec.model) == 3
    assert planned(variant(Latency()), "latency").params["batch"] == 3


@pytest.mark.parametrize(
    "other",
    [variant(replace(QUICK, seconds=0.1)), variant(replace(QUICK, baseline="models/old.onnx")),
     replace(variant(), device={"cpu": "another"})],
    ids=["seconds", "baseline", "device"],
)  # fmt: skip
def test_another_way_to_measure_is_another_step(other: Variant) -> None:
    """Settings, baseline and device are in the recipe; it is alone on its device."""
    assert planned(other, "latency").key != planned(variant(), "latency").key
    assert planned(other, "latency").slot == "exclusive"


def test_limits_are_no_part_of_a_measurement() -> None:
    """A new threshold judges again without measuring again."""
    limited = variant(limits=LatencyLimits(p99_ms=5.0))

    assert planned(limited, "latency").key == planned(variant(), "latency").key
    assert planned(limited, "validate").inputs["latency"].identity.endswith("latency.json")
    assert "latency" not in planned(variant(), "validate").inputs


def test_nothing_is_measured_for_a_limit_when_it_is_off() -> None:
    """The verdict then says that the limit was not judged."""
    off = variant(Latency(measure=False), LatencyLimits(p99_ms=5.0))
    kinds = {s.kind for s in make_plan([off], ("validate",), Declarations()).steps}

    assert "latency" not in kinds


def test_a_baseline_is_an_input() -> None:
    """Its bytes are in the record."""
    made = planned(variant(replace(QUICK, baseline="models/old.onnx")), "latency")

    assert made.inputs["baseline"] == File("models/old.onnx")
