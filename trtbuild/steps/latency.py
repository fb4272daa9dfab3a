"""latency: how long the source model, the exported and the lowered graph take on this machine, measured in turns.

A sample is the wall-clock time of one call, from NumPy arrays to NumPy arrays.  Where the runtime executes engines, the
engine is measured instead, by events on its GPU and without copies: the others would run on another device.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ModelError, PlaceError
from trtbuild.core.job import Job
from trtbuild.core.memory import activation_bytes
from trtbuild.core.plan import Need
from trtbuild.core.recipes import (
    data_inputs,
    data_params,
    engine_runtime,
    graph_runtime,
    input_params,
    source_inputs,
    source_params,
    tools,
    variant_label,
)
from trtbuild.core.spec import Model, Onnx, Variant
from trtbuild.core.step import File, Input, Out, Step
from trtbuild.latency.interval import NOISE, judge, subject, warnings

VERSION = 1
PROFILE_SECONDS = 0.3
SIDES = ("source", "exported", "lowered", "engine", "baseline")
GRAPHS = ("exported", "lowered", "engine", "baseline")  # sides that run the input of their name
OUTS = (Out("latency.json", cache=False), Out("samples.json"), Out("profile.json"))


def declare(variant: Variant, need: Need) -> Step:
    if variant.spec.runtime.engine is not None:
        return _declare_engine(variant, need)
    model, names = variant.spec.model, variant.names
    runtime = graph_runtime(variant, tf32=variant.spec.precision.tf32)
    libraries = ("onnxruntime", "numpy") if isinstance(model.source, Onnx) else ("tensorflow", "keras", "onnxruntime")
    inputs: dict[str, Input] = {
        "exported": need("export").out("model.onnx"),
        "lowered": need("lower").out("lowered.onnx"),
        **source_inputs(variant),
        **data_inputs(variant, model.data.validation),
        **_baseline(variant),
    }
    return Step(
        kind="latency",
        version=VERSION,
        model=names.model,
        label=f"{names.precision}-{names.runtime}",
        params={
            **_settings(variant),
            **runtime,
            "source": source_params(model),
            "device": {**variant.device, **variant.gpu},
            "tools": tools(variant, *libraries),
        },
        inputs=inputs,
        outs=OUTS,
        slot="exclusive",
        work_bytes=activation_bytes(model.inputs.values(), variant.spec.latency.batch or opt_batch(model)),
    )


def _declare_engine(variant: Variant, need: Need) -> Step:
    model, engine = variant.spec.model, need("engine")
    return Step(
        kind="latency",
        version=VERSION,
        model=variant.names.model,
        label=variant_label(variant),
        params={
            **_settings(variant),
            **engine_runtime(variant),
            "source": {"kind": model.source.kind},
            "device": {**variant.device, **variant.gpu},
        },
        inputs={
            "engine": engine.out("engine.plan"),
            "passport": engine.out("passport.json"),
            **data_inputs(variant, model.data.validation),
            **_baseline(variant),
        },
        outs=(*OUTS, Out("layers.json")),
        slot="exclusive",
        environment="runtime",
    )


def _settings(variant: Variant) -> dict[str, Any]:
    model, options = variant.spec.model, variant.spec.latency
    return {
        "inputs": input_params(model, profiles=True),
        "data": data_params(model.data.validation),
        "batch": options.batch or opt_batch(model),
        "threads": options.threads,
        "warmup_s": options.warmup_s,
        "seconds": options.seconds,
        "rounds": options.rounds,
        "lowering": "mixed" if variant.spec.precision.scopes else variant.spec.precision.lowering,
        "baseline": options.baseline,
    }


def _baseline(variant: Variant) -> dict[str, Input]:
    path = variant.spec.latency.baseline
    return {} if path is None else {"baseline": File(path)}


def opt_batch(model: Model) -> int:
    """The batch that the engine is tuned for: the profiles' opt, or that of static shapes."""
    return min((i.shapes[1][0] for i in model.inputs.values() if i.shapes[1]), default=1)


def run(job: Job) -> None:
    from trtbuild.machine import device, gpu
    from trtbuild.steps.infer import check_engine_fits, check_seal

    cores = device.cores()
    params = {**job.params, "threads": job.params["threads"] or cores}
    gpu.check_gpu(job.params)
    recorded = job.params["device"]
    here = device.identity() | (gpu.identity(gpu.find_device()) if "gpu" in recorded else {})
    if recorded and recorded != here:
        changed = ", ".join(
            f"{k} {recorded.get(k)} -> {here.get(k)}"
            for k in sorted({*recorded, *here})
            if recorded.get(k) != here.get(k)
        )
        raise PlaceError(f"this step is for another device ({changed})", where="latency", hint="run trtbuild here")
    if "passport" in job.inputs:
        passport = job.read_json("passport")
        check_seal(passport, job.input("engine"))
        check_engine_fits(passport, recorded)
    facts, before = device.facts(), device.counters()
    folder = Path(job.out).with_name("sides")
    measured, failed, profile = _measure(job, params, folder)
    stolen = device.growth(before, device.counters())
    page = summary(params, measured, failed)
    # A profile means nothing without a latency to compare it with.
    page["profile"] = _profile_page(profile, page["sides"][subject(page["sides"])])
    page["warnings"] = [*_precision_doubts(page, params["lowering"]), *warnings(page["sides"], facts, cores, stolen)]
    page["environment"] = {**here, **facts, "threads": params["threads"], "stolen": stolen}
    job.write_json("latency.json", page)
    samples = {name: {"rounds": side.rounds, "starts_s": side.starts_s} for name, side in measured.items()}
    job.output("samples.json").write_text(_compact({"unit": "us", "sides": samples}), "utf-8")
    # In execution order, hence not by write_json; an engine's layers in trtexec's form.
    found = profile if isinstance(profile, dict) else {"times": {}, "rows": [], "layers": {}}
    job.output("profile.json").write_text(_compact(found["rows"] or found["times"]), "utf-8")
    if "engine" in job.inputs:
        job.write_json("layers.json", found["layers"])


def _measure(job: Job, params: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, ModelError], Any]:
    """Samples and failures by side, and the node times of the shipped side, or why there are none."""
    from trtbuild.arrays import arrayfile, data
    from trtbuild.latency import contender

    path = job.input("data") if "data" in job.inputs else None
    source = data.Source(params["data"], path, params["inputs"], "model.data.validation", scratch=Path(job.out))
    samples = source.samples()
    folder.mkdir()
    feeds = folder / "feeds.npz"
    arrayfile.write_npz(feeds, one_batch(samples, params["inputs"], params["batch"]))
    opened: dict[str, contender.Contender] = {}
    try:
        for name in sides_of(params, job.inputs):
            inputs = {"feeds": feeds, **({"graph": job.input(name)} if name in GRAPHS else {})}
            if name == "source" and "source" in job.inputs:
                inputs["source"] = job.input("source")
            opened[name] = contender.Contender(name, folder / name, {**params, "side": name}, inputs, job.workspace)
        job.stage("measuring")
        timing = {key: params[key] for key in ("warmup_s", "seconds", "rounds")}
        measured, failed = contender.measure(opened, **timing)
        chosen = subject(opened)
        profile: Any = f"{TITLES[chosen]} was not measured"
        if chosen in measured:
            job.stage("profiling")
            try:
                profile = opened[chosen].profile(PROFILE_SECONDS)
            except ModelError as error:
                profile = error.what
        return measured, failed, profile
    finally:
        for one in opened.values():
            one.stop()


TITLES = {"lowered": "the lowered graph", "engine": "the engine"}


def sides_of(params: Mapping[str, Any], inputs: Iterable[str]) -> list[str]:
    """The sides that are timed in turns: all that run on the same device.

    TensorFlow computes on the CPU, so it is left out where graphs run on a GPU; an ONNX source runs where they do.
    """
    sides = [side for side in GRAPHS if side in inputs]
    on_gpu = "gpu" in params["device"]
    alone = "engine" in sides or (on_gpu and params["source"]["kind"] != "onnx")
    return sides if alone else ["source", *sides]


def one_batch(samples: Any, inputs: Mapping[str, Any], batch: int) -> dict[str, Any]:
    """Feeds of one call: the first samples, repeated where there are fewer than a batch."""
    import numpy as np

    from trtbuild.arrays.samples import rows_per_call

    first = next(iter(samples.batches(inputs, batch)))
    rows = rows_per_call(inputs, batch)
    return {n: np.resize(a, (rows[n], *a.shape[1:])) if n in rows else a for n, a in first.feeds.items()}


def summary(params: Mapping[str, Any], measured: Mapping[str, Any], failed: Mapping[str, ModelError]) -> dict[str, Any]:
    """The numbers of every side, the ratios shipped / other, and the verdict against the baseline."""
    import numpy as np

    from trtbuild.latency import timing

    batch = params["batch"]
    rounds = {name: [np.array(us) / 1000 for us in side.rounds] for name, side in measured.items()}
    sides: dict[str, Any] = {
        name: {"measured": True, "about": _about(side.about), **timing.summarise(rounds[name], batch)}
        for name, side in measured.items()
    }
    sides |= {name: {"measured": False, "why": error.what} for name, error in failed.items()}
    chosen = subject(sides)
    others = [name for name in ("source", "exported", "baseline") if name in measured and chosen in measured]
    ratios = {name: timing.rounded(timing.ratio_of_medians(rounds[chosen], rounds[name])) for name in others}
    baseline = ratios.get("baseline")
    return {
        "batch": batch,
        "settings": {key: params[key] for key in ("warmup_s", "seconds", "rounds", "baseline")},
        "source_kind": params["source"]["kind"],
        "sides": sides,
        "ratios": ratios,
        "verdict": baseline
        and {"label": judge(baseline["low"], baseline["high"]), "noise": NOISE, "against": params["baseline"]},
    }


def _about(about: Mapping[str, Any]) -> dict[str, Any]:
    return {"optimisation": None, "note": None, "providers": [], **about}


def _profile_page(profile: Any, side: Mapping[str, Any]) -> dict[str, Any]:
    from trtbuild.graphs.profile import Profile, summarise

    if not isinstance(profile, dict):
        return {"measured": False, "why": profile}
    numbers = summarise(Profile(profile["times"], profile["op_types"]), side["p50_ms"]["value"])
    return {"measured": True, "kernels": profile["kernels"], **numbers}


def _precision_doubts(page: Mapping[str, Any], lowering: str) -> list[str]:
    """Where the runtime did not compute in the graph's precision, judging by its kernels."""
    from trtbuild.graphs.profile import ON_CPU, integer_share

    chosen = subject(page["sides"])
    side = page["sides"][chosen]
    if not side["measured"]:
        return [f"{TITLES[chosen].capitalize()} was not measured: {side['why']}."]
    if chosen == "engine":
        return []  # its types are proved when it is built
    doubts = [f"lowered: {side['about']['note']}."] if side["about"]["note"] else []
    kernels = page["profile"]["kernels"] if page["profile"]["measured"] else {}
    if on_cpu := {kind.removesuffix(ON_CPU): n for kind, n in kernels.items() if kind.endswith(ON_CPU)}:
        listed = ", ".join(f"{kind} {n}" for kind, n in on_cpu.items())
        doubts.append(f"lowered: {sum(on_cpu.values())} of {sum(kernels.values())} kernels ran on the CPU ({listed}).")
    if lowering == "int8" and page["profile"]["measured"]:
        integer, compute = integer_share(page["profile"]["kernels"])
        if integer < compute:
            doubts.append(
                f"lowered: {integer} of {compute} convolutions and matrix products ran in integer kernels, the rest "
                "in float32 between Q/DQ pairs: this is not the speed of int8 arithmetic."
            )
    return doubts


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n"
