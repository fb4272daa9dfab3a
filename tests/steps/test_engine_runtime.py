"""Tests of variants whose engine is executed: their plan, and their steps over a TensorRT that copies."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import trtbuild.documents
from tests.core.test_plan import planned
from tests.core.test_plan import variant as of_graph
from tests.support import fakegpu
from tests.support.graphs import graph
from tests.support.pages import PASSPORT as PAGE_PASSPORT
from trtbuild.arrays.arrayfile import open_npz
from trtbuild.base.packaged import templates
from trtbuild.core.job import prepare, read_result
from trtbuild.core.spec import Latency, Runtime, Target, Toolchain, Variant
from trtbuild.core.spec.data import Data, RandomData
from trtbuild.core.step import Step
from trtbuild.machine import device
from trtbuild.reports import layers as layers_page
from trtbuild.steps import report
from trtbuild.steps.infer import check_engine_fits
from trtbuild.workers.hermetic import WORKER

SCHEMA = Path(trtbuild.documents.__path__[0]) / "report.schema.json"
ROOT = Path(__file__).resolve().parents[2]
QUICK = Latency(warmup_s=0.0, seconds=0.02, rounds=2, batch=2, threads=1)
PLAN = {"inputs": {"x": {"dtype": "FLOAT", "profile": [[1, 8], [2, 8], [4, 8]]}}, "outputs": {"y": {"of": "x"}}}
PASSED = {**PAGE_PASSPORT, "flavour": "tensorrt"}
PASSPORT = {"device": {"name": "a GPU", "compute_capability": "8.9"}, "hardware_compatibility": "none"}


def variant(flavour: str = "tensorrt-rtx", latency: Latency = QUICK, **gpu: str | None) -> Variant:
    base = of_graph()
    toolchain = Toolchain(flavour, fakegpu.VERSION, (), ("8.9", "9.0"))  # type: ignore[arg-type]
    runtime = Runtime("onnxruntime", (), "tensorrt")
    spec = replace(base.spec, tensorrt=toolchain, runtime=runtime, latency=latency)
    names = replace(base.names, runtime="tensorrt")
    return replace(base, spec=spec, names=names, gpu={**fakegpu.device(), **gpu}, device=device.identity())


def roles(made: Variant) -> dict[str, Step]:
    return dict(next(iter(planned(made).variants.values())))


def run(folder: Path, step: Step, **inputs: Any) -> tuple[str, Path]:
    """The failure of a step, or nothing, and its outputs: by the worker itself, as in a build."""
    given = {"model": PLAN, "engine": PLAN, "baseline": PLAN, "passport": {"device": None}, **inputs}
    engine = given["engine" if "engine" in step.inputs else "model"]
    text = engine if isinstance(engine, str) else json.dumps(engine)
    given["passport"] = {"sha256": hashlib.sha256(text.encode()).hexdigest(), **given["passport"]}
    paths = {}
    for name in step.inputs:
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(given[name] if isinstance(given[name], str) else json.dumps(given[name]), "utf-8")
    place = folder / "sandbox"
    prepare(place, step.kind, step.params, paths, folder)
    argv = [sys.executable, "-s", str(WORKER), str(place)]
    subprocess.run(argv, cwd=place, capture_output=True, timeout=60, env=fakegpu.environment(folder))
    result = read_result(place)
    assert result is not None
    failed = result.failure
    return "" if failed is None else f"{failed.error}: {failed.where}: {failed.what}; {failed.hint}", place / "out"


def test_the_graphs_steps_are_those_of_the_runtime_without_engine() -> None:
    """Steps that run on the CPU anyway are shared; those that measure and judge differ."""
    engine, graph = (
        roles(variant()),
        roles(replace(variant(), spec=replace(variant().spec, runtime=of_graph().spec.runtime))),
    )
    shared = {role for role in graph if engine[role].key == graph[role].key}

    assert set(engine) - set(graph) == {"infer-engine"}
    assert shared == {"export", "reference", "lower", "infer-export", "infer-lower", "layers", "engine"}
    assert set(engine["deviation"].inputs) - set(graph["deviation"].inputs) == {"engine", "engine_runtime"}
    assert set(engine["validate"].inputs) == {"deviation", "reference", "engine"}


def test_every_set_of_inputs_goes_through_the_engine() -> None:
    """With its own name."""
    base = variant()
    data = Data(None, base.spec.model.data.validation, {"night": RandomData(4, 1)})
    found = roles(replace(base, spec=replace(base.spec, model=replace(base.spec.model, data=data))))

    assert found["infer-engine-night"].folder.startswith("build/m/infer-fp32-rtx-1.7-tensorrt-night-")
    assert "night_engine" in found["deviation"].inputs


def test_what_hangs_on_the_gpu_has_it_in_its_recipe() -> None:
    """Inference has its name and compute capability, a measurement also the driver; no other step has any."""
    plain = roles(variant())
    changed = {
        what: {role for role, step in roles(variant(**{what: "other"})).items() if step.key != plain[role].key}
        for what in ("gpu", "driver")
    }

    assert changed["gpu"] == {"infer-engine", "deviation", "validate", "latency", "report"}
    assert changed["driver"] == {"latency", "report"}
    assert plain["infer-engine"].slot == "gpu-exclusive" and plain["latency"].slot == "exclusive"
    assert {plain[role].environment for role in ("infer-engine", "latency")} == {"runtime"}


def test_an_engine_is_executed_and_its_outputs_recorded(tmp_path: Path) -> None:
    """With the runtime that executed it, for every page that shows its numbers."""
    failure, out = run(tmp_path, roles(variant("tensorrt"))["infer-engine"])
    about = json.loads((out / "runtime.json").read_text("utf-8"))

    assert failure == ""
    assert open_npz(out / "outputs.npz")["y"].shape == (8, 8)
    assert (about["executes"], about["samples"], about["rows"]) == ("engine", 8, {"y": "sample"})
    assert about["providers"][0].startswith(str(fakegpu.device()["gpu"]))


@pytest.mark.parametrize("role", ["infer-engine", "latency"])
def test_an_engine_that_is_not_its_passports_does_not_run(tmp_path: Path, role: str) -> None:
    """Its numbers would be recorded under another engine's name."""
    failure, out = run(tmp_path, roles(variant("tensorrt"))[role], passport={"device": None, "sha256": "0" * 64})

    assert failure.startswith("PlaceError: engine.plan: it is not the engine that its passport.json describes")
    assert not list(out.iterdir())


def test_latency_is_the_engines(tmp_path: Path) -> None:
    """No other side: they would run on another device; with its layers' times in trtexec's form, and the GPU."""
    failure, out = run(tmp_path, roles(variant("tensorrt"))["latency"])
    page = json.loads((out / "latency.json").read_text("utf-8"))
    rows = json.loads((out / "profile.json").read_text("utf-8"))

    assert failure == ""
    assert (list(page["sides"]), page["ratios"]) == (["engine"], {})
    assert page["sides"]["engine"]["about"]["clock"] == "CUDA events"
    assert page["environment"]["gpu"] == fakegpu.device()["gpu"]
    assert [row.get("name") for row in rows] == [None, "copy", "copy"]
    assert json.loads((out / "layers.json").read_text("utf-8"))["Layers"][0]["LayerType"] == "Copy"


def test_an_engine_is_compared_with_another_one(tmp_path: Path) -> None:
    """In turns, as graphs are."""
    step = roles(variant("tensorrt", replace(QUICK, baseline="models/old.plan")))["latency"]
    failure, out = run(tmp_path, step)

    assert failure == ""
    assert list(json.loads((out / "latency.json").read_text("utf-8"))["ratios"]) == ["baseline"]


@pytest.mark.parametrize(
    ("baseline", "said"),
    [("not a plan", "'models/old.plan' cannot be loaded"),
     ({"inputs": {"z": PLAN["inputs"]["x"]}, "outputs": {}}, "'models/old.plan' has inputs ['z'], the model ['x']")],
)  # fmt: skip
def test_a_wrong_baseline_is_an_error_of_the_config(tmp_path: Path, baseline: Any, said: str) -> None:
    """It was named by the user."""
    step = roles(variant("tensorrt", replace(QUICK, baseline="models/old.plan")))["latency"]
    failure, _ = run(tmp_path, step, baseline=baseline)

    assert failure.startswith("ConfigError: latency.baseline")
    assert said in failure


def test_another_machines_step_is_refused(tmp_path: Path) -> None:
    """A folder that was carried here must not be filled with this GPU's numbers."""
    failure, _ = run(tmp_path, roles(variant("tensorrt", gpu="another GPU"))["infer-engine"])

    assert failure.startswith("PlaceError: runtime: this step is for another device (gpu another GPU -> ")


def test_an_engine_of_another_gpu_is_refused_before_it_is_loaded() -> None:
    """The hint names the target that builds for this GPU; an engine built for more than its own GPU may run."""
    here = {"gpu": "NVIDIA H200", "compute_capability": "9.0"}

    with pytest.raises(Exception, match="the engine was built on a GPU") as error:
        check_engine_fits(PASSPORT, here)
    assert "target=sm90" in str(error.value)
    check_engine_fits({**PASSPORT, "hardware_compatibility": "ampere_plus"}, here)
    check_engine_fits({}, here)


def test_a_version_compatible_engine_may_run_its_own_runtime() -> None:
    """Such an engine contains one; any other may not bring its own."""
    base = variant("tensorrt")
    compatible = replace(base, spec=replace(base.spec, target=Target(version_compatible=True)))

    assert [roles(made)["infer-engine"].params["runtime"] for made in (base, compatible)] == [
        {"module": "tensorrt", "version_compatible": wanted} for wanted in (False, True)
    ]


def test_from_the_model_to_the_page_the_engine_is_what_counts(tmp_path: Path) -> None:
    """Every step but the engine's own build, by the worker: hops, verdict, latency and report of an executed engine."""
    made = variant("tensorrt")
    root, environment = tmp_path / "workspace", fakegpu.environment(tmp_path)
    (root / "models").mkdir(parents=True)
    (root / "reports_templates").mkdir()
    model = graph("float[n,8] x => float[n,8] y { h = Relu(x) y = Identity(h) }")
    (root / "models" / "m.onnx").write_bytes(model.SerializeToString())
    for step in planned(made).steps:
        out = root / step.folder
        if step.kind == "engine":  # an engine that copies: of what is not below zero, Relu makes as much
            out.mkdir(parents=True)
            sealed = {**PASSED, "sha256": hashlib.sha256(json.dumps(PLAN).encode()).hexdigest()}
            layers: dict[str, Any] = {"Layers": []}
            for name, content in (("engine.plan", PLAN), ("passport.json", sealed), ("engine_layers.json", layers)):
                (out / name).write_text(json.dumps(content), "utf-8")
            continue
        place = tmp_path / step.key
        inputs = {name: root / source.path for name, source in step.inputs.items()}
        prepare(place, step.kind, step.params, inputs, root)
        subprocess.run([sys.executable, "-s", str(WORKER), str(place)], cwd=place, env=environment, check=True)
        shutil.copytree(place / "out", out)
    folder = root / planned(made).steps[-1].folder
    page = json.loads((folder / "report.json").read_text("utf-8"))
    pages = "".join(path.read_text("utf-8") for path in folder.glob("*.html"))

    jsonschema.validate(page, json.loads(SCHEMA.read_text("utf-8")))
    assert page["engine"]["executed"] is True
    assert list(page["outputs"]["y"]["hops"]) == ["engine", "export", "precision", "total"]
    assert page["outputs"]["y"]["hops"]["total"]["max_abs"] == 0.0
    assert page["verdict"]["word"] == "unjudged" and page["latency"]["subject"] == "engine"
    assert "add model.validation.deviation.cosine.fp32: … (measured 1)" in page["verdict"]["unjudged"]
    assert layers_page.NOT_THE_ENGINE in page["layers"]["notes"]
    assert "not executed" not in pages and "the engine in tensorrt on" in pages
    assert "copy" in (folder / "flamegraph.folded").read_text("utf-8")


def flame_page(layers: list[dict[str, str]]) -> tuple[dict[str, Any], str]:
    """The page and the folded stacks of an engine of two layers, as its inspector describes them."""
    rows = [{"count": 3}, {"name": "fused_1", "averageMs": 0.25}, {"name": "fused_2", "averageMs": 0.5}]
    side = {"name": "engine", "p50_ms": {"value": 0.7}}
    page: dict[str, Any] = {"variant": {"id": "m"}, "latency": {"sides": [side], "warnings": []}}
    scopes = {"nodes": {name: {"op": "Relu", "type": "Relu", "name": name} for name in ("net/a/relu", "net/b/relu")}}
    artifacts = {"profile": rows, "scopes": scopes, "engine_layers": {"Layers": layers}}
    return page, report._flame_graph(page, artifacts, templates(ROOT))["flamegraph.folded"]


def test_an_engines_layers_are_attributed_to_scopes_by_its_inspector() -> None:
    """Names of fused layers say nothing; their metadata names the nodes."""
    layers = [
        {"Name": f"fused_{i}", "LayerType": "CaskActivation", "Metadata": f"[ONNX Layer: net/{s}/relu]"}
        for i, s in ((1, "a"), (2, "b"))
    ]
    page, folded = flame_page(layers)

    assert page["latency"]["warnings"] == []
    assert "net;a" in folded and "net;b" in folded


def test_an_inspector_that_names_other_layers_is_done_without_and_said() -> None:
    """The page is drawn all the same."""
    page, folded = flame_page([{"Name": "something else"}])

    assert "flame graph does without the inspector's layers" in page["latency"]["warnings"][0]
    assert "fused_1" in folded
