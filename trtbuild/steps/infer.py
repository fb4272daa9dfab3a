"""infer: outputs of the exported graph, the lowered graph or the engine on one set of samples, by its runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from trtbuild.base.errors import PlaceError
from trtbuild.core.job import Job
from trtbuild.core.memory import activation_bytes
from trtbuild.core.plan import Need
from trtbuild.core.recipes import (
    data_inputs,
    engine_runtime,
    graph_name,
    graph_runtime,
    graph_slot,
    session_options,
    set_params,
    set_place,
    tools,
)
from trtbuild.core.spec import VALIDATION, Variant
from trtbuild.core.spec.data import BATCH
from trtbuild.core.step import Out, Step
from trtbuild.machine import gpu
from trtbuild.steps import ranges

VERSION = 3
GRAPHS = {"export": "model.onnx", "ranges": ranges.GRAPH, "lower": "lowered.onnx"}
LABELS = {"export": "exported", "ranges": "symmetric"}
OUTS = (Out("outputs.npz"), Out("runtime.json"))


def declare(variant: Variant, need: Need, of: str, data: str = VALIDATION) -> Step:
    """``of``: the step whose graph or engine runs; ``data``: the name of a measured set."""
    if of == "engine":
        return _declare_engine(variant, need, data)
    model = variant.spec.model
    upstream = need(of)
    label = LABELS.get(of, f"{variant.names.precision}-{graph_name(variant)}")
    return Step(
        kind="infer",
        version=VERSION,
        model=variant.names.model,
        label=_with_set(label, data),
        params={
            **graph_runtime(variant, tf32=of == "lower" and variant.spec.precision.tf32),
            **set_params(model, data),
            "tools": tools(variant, "onnxruntime", "numpy"),
        },
        inputs={"model": upstream.out(GRAPHS[of])} | data_inputs(variant, model.data.sets[data]),
        outs=OUTS,
        slot=graph_slot(variant),
        work_bytes=activation_bytes(model.inputs.values(), BATCH),
    )


def _declare_engine(variant: Variant, need: Need, data: str) -> Step:
    model, names, engine = variant.spec.model, variant.names, need("engine")
    return Step(
        kind="infer",
        version=VERSION,
        model=names.model,
        label=_with_set(f"{engine.label}-{names.runtime}", data),
        params={**engine_runtime(variant), **set_params(model, data)},
        inputs={
            "model": engine.out("engine.plan"),
            "passport": engine.out("passport.json"),
            **data_inputs(variant, model.data.sets[data]),
        },
        outs=OUTS,
        slot="gpu-exclusive",  # the GPU may not have memory for two engines
        environment="runtime",
    )


def _with_set(label: str, data: str) -> str:
    return label if data == VALIDATION else f"{label}-{data}"


def run(job: Job) -> None:
    from trtbuild.arrays import data, outputs

    inputs, runtime = job.params["inputs"], job.params["runtime"]
    gpu.check_gpu(job.params)
    if "passport" in job.inputs:
        passport = job.read_json("passport")
        check_seal(passport, job.input("model"))
        check_engine_fits(passport, job.params["device"])
    path = job.input("data") if "data" in job.inputs else None
    scratch = Path(job.out)
    samples = data.Source(job.params["data"], path, inputs, set_place(job.params), scratch=scratch).samples()
    job.stage("loading")
    module = import_module(f"trtbuild.runtimes.{runtime['module']}")
    session = module.open_session(job.input("model"), session_options(job.params))
    job.stage("running")
    recorded = outputs.record(job.output("outputs.npz"), outputs.run_all(session, samples, inputs))
    job.write_json("runtime.json", {**session.about, **asdict(recorded)})


def check_seal(passport: Mapping[str, Any], engine: Path) -> None:
    """Raises PlaceError when an engine is not the one described by its passport."""
    from trtbuild.base.files import file_sha256

    if passport.get("sha256") != file_sha256(engine):
        hint = "delete both and build again with the same trtbuild command"
        what = "it is not the engine that its passport.json describes (sha256)"
        raise PlaceError(what, where="engine.plan", hint=hint)


def check_engine_fits(passport: Mapping[str, Any], device: Mapping[str, Any]) -> None:
    """A TensorRT engine runs on the kind of GPU that it was built on, unless it was built for more.

    Raises:
        PlaceError: it was built on another kind.
    """
    built = passport.get("device")
    portable = passport.get("hardware_compatibility", "none") != "none"
    if built is None or portable or built["compute_capability"] == device["compute_capability"]:
        return
    capability = device["compute_capability"]
    what = (
        f"the engine was built on {built['name']} ({built['compute_capability']}), and {device['gpu']} is {capability}"
    )
    hint = f"build one for this GPU: target=sm{capability.replace('.', '')}"
    raise PlaceError(what, where="engine.plan", hint=hint)
