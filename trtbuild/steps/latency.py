"""latency: how long the source model, the exported and the lowered graph take on this machine, measured in turns.

What runs is the graph, never the engine.  Samples are wall-clock time of one call from NumPy arrays to NumPy arrays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trtbuild.core.job import Job
from trtbuild.core.latency import NOISE, judge, warnings
from trtbuild.core.plan import Need
from trtbuild.core.spec import Model, Onnx, Variant
from trtbuild.core.step import File, Input, Out, Step
from trtbuild.errors import ModelError, PlaceError
from trtbuild.steps._shared import data_inputs, data_params, input_params, source_inputs, source_params, tools

VERSION = 1
PROFILE_SECONDS = 0.5
GRAPHS = {"exported": "exported", "lowered": "lowered", "baseline": "baseline"}  # side -> the input it runs


def declare(variant: Variant, need: Need) -> Step:
    model, options, names = variant.spec.model, variant.spec.latency, variant.names
    libraries = ("onnxruntime", "numpy") if isinstance(model.source, Onnx) else ("tensorflow", "keras", "onnxruntime")
    inputs: dict[str, Input] = {
        "exported": need("export").out("model.onnx"),
        "lowered": need("lower").out("lowered.onnx"),
        **source_inputs(variant),
        **data_inputs(variant, model.data.validation),
    }
    if options.baseline is not None:
        inputs["baseline"] = File(options.baseline)
    return Step(
        kind="latency",
        version=VERSION,
        model=names.model,
        label=f"{names.precision}-{names.runtime}",
        params={
            "source": source_params(model),
            "inputs": input_params(model, profiles=True),
            "data": data_params(model.data.validation),
            "runtime": {"module": variant.spec.runtime.module, "providers": list(variant.spec.runtime.providers)},
            "batch": options.batch or opt_batch(model),
            "threads": options.threads,
            "warmup_s": options.warmup_s,
            "seconds": options.seconds,
            "rounds": options.rounds,
            "lowering": variant.spec.precision.lowering,
            "baseline": options.baseline,
            "device": dict(variant.device),
            "tools": tools(variant, *libraries),
        },
        inputs=inputs,
        outs=(Out("latency.json", cache=False), Out("samples.json"), Out("profile.json")),
        slot="exclusive",
        memory_bytes=2_000_000_000,
    )


def opt_batch(model: Model) -> int:
    """The batch the engine is tuned for: the profiles' opt, or what static shapes say."""
    return min((i.shapes[1][0] for i in model.inputs.values() if i.shapes[1]), default=1)


def run(job: Job) -> None:
    from trtbuild import device

    cores = device.cores()
    params = {**job.params, "threads": job.params["threads"] or cores}
    here, asked = device.identity(), job.params["device"]
    if asked and asked != here:
        changed = ", ".join(
            f"{k} {asked.get(k)} -> {here.get(k)}" for k in sorted({*asked, *here}) if asked.get(k) != here.get(k)
        )
        raise PlaceError(f"this step is another device's ({changed})", where="latency", hint="run trtbuild here")
    facts, before = device.facts(), device.counters()
    folder = Path(job.out).with_name("sides")
    measured, failed, profile = _measure(job, params, folder)
    stolen = device.growth(before, device.counters())
    page = summary(params, measured, failed)
    # A profile without a latency to stand beside says nothing.
    page["profile"] = _profile_page(profile, page["sides"]["lowered"])
    page["warnings"] = [*_precision_doubts(page, params["lowering"]), *warnings(page["sides"], facts, cores, stolen)]
    page["environment"] = {**here, **facts, "threads": params["threads"], "stolen": stolen}
    job.write_json("latency.json", page)
    samples = {name: {"rounds": side.rounds, "starts_s": side.starts_s} for name, side in measured.items()}
    job.output("samples.json").write_text(_compact({"unit": "us", "sides": samples}), "utf-8")
    # In execution order, so not by write_json.
    times = profile["times"] if isinstance(profile, dict) else {}
    job.output("profile.json").write_text(_compact(times), "utf-8")


def _measure(job: Job, params: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, ModelError], Any]:
    """Samples and failures by side, and node times of the lowered graph, or why there are none."""
    from trtbuild.kit import arrayfile, data, sides

    path = job.input("data") if "data" in job.inputs else None
    samples = data.open_samples(params["data"], path, params["inputs"], "model.data.validation", scratch=Path(job.out))
    folder.mkdir()
    feeds = folder / "feeds.npz"
    arrayfile.write_npz(feeds, one_batch(samples, params["inputs"], params["batch"]))
    opened: dict[str, sides.Side] = {}
    try:
        for name in ("source", *(side for side, source in GRAPHS.items() if source in job.inputs)):
            inputs = {"feeds": feeds, **({"graph": job.input(GRAPHS[name])} if name in GRAPHS else {})}
            if name == "source" and "source" in job.inputs:
                inputs["source"] = job.input("source")
            opened[name] = sides.Side(name, folder / name, {**params, "side": name}, inputs, job.workspace)
        job.stage("measuring")
        timing = {key: params[key] for key in ("warmup_s", "seconds", "rounds")}
        measured, failed = sides.measure(opened, **timing)
        profile: Any = "the lowered graph was not measured"
        if "lowered" in measured:
            job.stage("profiling")
            try:
                profile = opened["lowered"].ask(do="profile", seconds=PROFILE_SECONDS)
            except ModelError as error:
                profile = error.what
        return measured, failed, profile
    finally:
        for side in opened.values():
            side.kill()


def one_batch(samples: Any, inputs: Mapping[str, Any], batch: int) -> dict[str, Any]:
    """Feeds of one call: the first samples, repeated where there are fewer than a batch."""
    import numpy as np

    from trtbuild.kit.data import rows_per_call

    first = next(iter(samples.batches(inputs, batch)))
    rows = rows_per_call(inputs, batch)
    return {name: np.resize(array, (rows[name], *array.shape[1:])) for name, array in first.feeds.items()}


def summary(params: Mapping[str, Any], measured: Mapping[str, Any], failed: Mapping[str, ModelError]) -> dict[str, Any]:
    """Numbers of every side, ratios lowered / other, and the verdict against the baseline."""
    import numpy as np

    from trtbuild.kit import timing

    batch = params["batch"]
    rounds = {name: [np.array(us) / 1000 for us in side.rounds] for name, side in measured.items()}
    sides: dict[str, Any] = {
        name: {"measured": True, "about": _about(side.about), **timing.summarise(rounds[name], batch)}
        for name, side in measured.items()
    }
    sides |= {name: {"measured": False, "why": error.what} for name, error in failed.items()}
    others = [name for name in ("source", "exported", "baseline") if name in measured and "lowered" in measured]
    ratios = {name: timing.rounded(timing.ratio_of_medians(rounds["lowered"], rounds[name])) for name in others}
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


def _profile_page(profile: Any, lowered: Mapping[str, Any]) -> dict[str, Any]:
    from trtbuild.kit.profile import Profile, summarise

    if not isinstance(profile, dict):
        return {"measured": False, "why": profile}
    numbers = summarise(Profile(profile["times"], profile["op_types"]), lowered["p50_ms"]["value"])
    return {"measured": True, "kernels": profile["kernels"], **numbers}


def _precision_doubts(page: Mapping[str, Any], lowering: str) -> list[str]:
    """What the runtime computed in where that is not the precision of the graph, read from its kernels."""
    from trtbuild.kit.profile import integer_share

    lowered = page["sides"]["lowered"]
    if not lowered["measured"]:
        return [f"The lowered graph was not measured: {lowered['why']}."]
    doubts = [f"lowered: {lowered['about']['note']}."] if lowered["about"]["note"] else []
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
