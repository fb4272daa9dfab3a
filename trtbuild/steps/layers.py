"""layers: the error of every intermediate tensor that TensorFlow has, too, and which layer caused it.

Cumulative: the graph as it runs.  Local: each layer is fed the reference's own values, so that only the layer's own
error shows.  TensorFlow runs in a child process and leaves its values in files, so its memory is free before ONNX
Runtime starts.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ConfigError
from trtbuild.core.job import Job
from trtbuild.core.memory import activation_bytes
from trtbuild.core.plan import Need
from trtbuild.core.recipes import (
    data_inputs,
    data_params,
    graph_name,
    graph_runtime,
    graph_slot,
    input_params,
    tools,
)
from trtbuild.core.spec import Onnx, Variant
from trtbuild.core.step import Input, Out, Plot, Step
from trtbuild.documents import reading
from trtbuild.documents.engine import Precision
from trtbuild.layers.jumps import find_jumps
from trtbuild.machine import gpu

VERSION = 2


def declare(variant: Variant, need: Need) -> Step:
    model, names = variant.spec.model, variant.names
    of_onnx = isinstance(model.source, Onnx)
    export, lower = need("export"), need("lower")
    inputs: dict[str, Input] = {
        "exported": export.out("model.onnx"),
        "scopes": export.out("scopes.json"),
        "lowered": lower.out("lowered.onnx"),
        "precision": lower.out("precision.json"),
        "outputs_reference": need("reference").out("outputs.npz"),
        "outputs_exported": need("infer", of="export").out("outputs.npz"),
        "outputs_lowered": need("infer", of="lower").out("outputs.npz"),
    }
    if not of_onnx:
        inputs["frozen"] = export.out("frozen.pb")
    options = asdict(variant.spec.layers)
    return Step(
        kind="layers",
        version=VERSION,
        model=names.model,
        label=f"{names.precision}-{graph_name(variant)}" + ("" if options["mode"] == "all" else f"-{options['mode']}"),
        params={
            **options,
            "max_bytes": variant.spec.layers.bytes,
            **graph_runtime(variant, tf32=variant.spec.precision.tf32),
            "inputs": input_params(model, profiles=True),
            "data": data_params(model.data.validation),
            "tools": tools(variant, *(() if of_onnx else ("tensorflow",)), "onnx", "onnxruntime", "numpy"),
        },
        inputs=inputs | data_inputs(variant, model.data.validation),
        outs=(
            Out("layers.json"),
            Out("layers.csv", plot=Plot("index", ("total_median", "total_max"), "error of every layer")),
        ),
        slot=graph_slot(variant),
        work_bytes=variant.spec.layers.bytes + activation_bytes(model.inputs.values(), options["samples"]),
    )


def run(job: Job) -> None:
    from trtbuild.arrays import data
    from trtbuild.layers import inspection, tfvalues

    inputs, budget = job.params["inputs"], job.params["max_bytes"]
    gpu.check_gpu(job.params)
    path = job.input("data") if "data" in job.inputs else None
    samples = data.Source(job.params["data"], path, inputs, "model.data.validation", scratch=Path(job.out)).samples()
    batch = next(iter(samples.batches(inputs, job.params["samples"])))
    scopes, precision = job.read_json("scopes"), reading.read(job.input("precision"), Precision)
    values = Path(job.out).with_name("values")
    values.mkdir()
    if "frozen" in job.inputs:
        job.stage("running TensorFlow")
        tensors = {name: entry["tensor"] for name, entry in scopes["tensors"].items()}
        feeds = {tensors[name]: array for name, array in batch.feeds.items()}
        wanted = {name: tensor for name, tensor in tensors.items() if name not in batch.feeds}
        values = tfvalues.write_aside(job.input("frozen"), wanted, feeds, values, budget)
    job.stage("running ONNX Runtime")
    inspected = inspection.inspect(
        exported=job.input("exported"), lowered=job.input("lowered"), scopes=scopes, values=values, feeds=batch.feeds,
        options={**job.params, "compute": precision["compute"]}, from_tensorflow="frozen" in job.inputs,
    )  # fmt: skip
    layers, taps = inspected["layers"], inspected["taps"]
    if not layers:
        chosen = " and ".join(f"layers.{key}={v}" for key in ("scope", "op") if (v := job.params[key]))
        if chosen:
            hint = "layers=default lists scopes and types"
            raise ConfigError("it matches none of the compared tensors", where=chosen, hint=hint)
    taps["outputs"] = {
        side: inspected["final"].compare(side, job.input(f"outputs_{side}"), batch.rows or None)
        for side in ("exported", "lowered")
    }
    taps["frozen_outputs"] = inspected["final"].compare("reference", job.input("outputs_reference"), batch.rows or None)
    hops = ("export", "total") if "frozen" in job.inputs else ("total",)
    jumps = {hop: find_jumps(layers, hop) for hop in hops}
    job.write_json(
        "layers.json",
        {
            "mode": job.params["mode"], "scope": job.params["scope"], "op": job.params["op"],
            "samples": batch.rows or 1, "reference": inspected["reference"], "taps": taps,
            "layers": layers, "jumps": jumps,
        },
    )  # fmt: skip
    job.output("layers.csv").write_text(_csv(layers), "utf-8")


NUMBERS = ("median", "max", "nrmse", "sqnr_db", "cosine", "nonfinite")


def _csv(layers: list[dict[str, Any]]) -> str:
    """One line for each layer, for ``dvc plots``; ``own_…`` is the error of a layer fed with the reference's inputs."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    views = [("cumulative", "", hop) for hop in ("export", "precision", "total")]
    views += [("local", "own_", hop) for hop in ("export", "total")]
    about = ("name", "tensor", "path", "type", "op", "dtype")
    columns = [f"{prefix}{hop}_{number}" for _, prefix, hop in views for number in NUMBERS]
    writer.writerow(["index", *about, *columns, "expected_nrmse"])
    for index, layer in enumerate(layers):
        numbers = [(layer[view].get(hop) or {}).get(number) for view, _, hop in views for number in NUMBERS]
        writer.writerow([index, *(layer[key] for key in about), *numbers, layer["expected_nrmse"]])
    return text.getvalue()
