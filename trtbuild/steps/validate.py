"""validate: the measured numbers against the model's thresholds -> a verdict."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from trtbuild.core.job import Job
from trtbuild.core.latency import latency_checks
from trtbuild.core.plan import Need
from trtbuild.core.spec import Variant
from trtbuild.core.step import Input, Out, Step
from trtbuild.core.verdict import deviation_checks, missing_threshold, set_checks, task_check, verdict_document
from trtbuild.errors import ConfigError
from trtbuild.steps._shared import code_inputs, data_inputs, data_params, input_params, variant_label

VERSION = 3


def declare(variant: Variant, need: Need) -> Step:
    model, names = variant.spec.model, variant.names
    task = model.validation.task
    inputs: dict[str, Input] = {
        "deviation": need("deviation").out("deviation.json"),
        "reference": need("reference").out("outputs.npz"),
    }
    if variant.spec.runtime.engine is None:
        inputs["lowered"] = need("infer", of="lower").out("outputs.npz")
    else:
        inputs["engine"] = need("infer", of="engine").out("outputs.npz")
    params: dict[str, Any] = {
        "precision": names.precision,
        "limits": model.validation.limits(names.precision),
        "task": asdict(task) if task else None,
        "latency": asdict(model.validation.latency),
    }
    if variant.spec.latency.measure and any(limit is not None for limit in params["latency"].values()):
        inputs["latency"] = need("latency").out("latency.json")
    if task:
        params |= {"inputs": input_params(model, profiles=True), "data": data_params(model.data.validation)}
        inputs |= data_inputs(variant, model.data.validation)
        inputs |= code_inputs(variant, task.metric, "metric_code")
    return Step(
        kind="validate",
        version=VERSION,
        model=names.model,
        label=variant_label(variant),
        params=params,
        inputs=inputs,
        outs=(Out("verdict.json", cache=False),),
    )


def run(job: Job) -> None:
    measured = job.read_json("deviation")
    total = measured["hops"]["total"]
    checks = deviation_checks(total, job.params["limits"]) | set_checks(measured["sets"])
    if job.params["task"]:
        checks[f"task: {job.params['task']['metric']} drop"] = _judge_task(job)
    latency = job.read_json("latency") if "latency" in job.inputs else None
    judged, not_judged = latency_checks(latency, job.params["latency"])
    checks |= judged
    document = verdict_document(
        checks,
        judging=len(job.params["limits"]) + bool(job.params["task"]),
        why_not=missing_threshold(job.params["precision"], total),
        latency=len(judged),
        not_judged=not_judged,  # said aloud, so that nobody takes silence for a pass
    )
    job.write_json("verdict.json", document)


def _judge_task(job: Job) -> dict[str, Any]:
    from trtbuild.kit import data, metrics, outputs

    task = job.params["task"]
    if not isinstance(job.params["data"], str) and job.params["data"]["kind"] == "random":
        hint = "give labelled data in model.data.validation"
        raise ConfigError("random data has no labels", where="model.validation.task", hint=hint)
    path = job.input("data") if "data" in job.inputs else None
    samples = data.open_samples(
        job.params["data"], path, job.params["inputs"], "model.data.validation", [task["labels"]], Path(job.out)
    )
    labels = samples.mapped(task["labels"])
    # Memory maps: a metric reads what it needs, and the kernel may take back what it has read.
    reference, observed = (
        metrics.score(task, {name: array.mapped() for name, array in outputs.load(job.input(side)).items()}, labels)
        for side in ("reference", "engine" if "engine" in job.inputs else "lowered")
    )
    better = metrics.higher_is_better(task)
    return task_check(task["metric"], reference, observed, task["max_drop"], higher_is_better=better)
