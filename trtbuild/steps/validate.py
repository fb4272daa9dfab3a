"""validate: the measured numbers, judged by the model's thresholds -> a verdict."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtbuild.base.errors import ConfigError
from trtbuild.core.job import Job
from trtbuild.core.parse import parse
from trtbuild.core.plan import Need
from trtbuild.core.recipes import code_inputs, data_inputs, data_params, input_params, variant_label
from trtbuild.core.spec import Variant
from trtbuild.core.spec.validation import BUILT_IN, EngineBudget
from trtbuild.core.step import File, Input, Out, Step
from trtbuild.core.taskgroups import class_drop_check
from trtbuild.core.verdict import (
    calibration_checks,
    deviation_checks,
    export_checks,
    missing_threshold,
    set_checks,
    task_check,
    verdict_document,
)
from trtbuild.core.warning import StepWarning
from trtbuild.documents import reading
from trtbuild.documents.deviation import Deviation
from trtbuild.documents.engine import Passport, Precision
from trtbuild.documents.latency import Latency
from trtbuild.documents.verdict import Check, NotJudged, WarningDocument
from trtbuild.latency.interval import latency_checks

if TYPE_CHECKING:
    from trtbuild.engine import Engine

VERSION = 4


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
        "export": model.validation.export_limits,
        "task": asdict(task) if task else None,
        "latency": asdict(model.validation.latency),
    }
    if variant.spec.latency.measure and any(limit is not None for limit in params["latency"].values()):
        inputs["latency"] = need("latency").out("latency.json")
    if variant.spec.precision.calibrated and variant.spec.calibration.strict:
        params["strict_calibration"] = True
        inputs["precision"] = need("lower").out("precision.json")
    budget = model.validation.engine.budget(names.precision)
    if budget:
        params["engine"] = asdict(budget)
        inputs |= {name: need("engine").out(f"{name}.json") for name in ("passport", "engine_layers")}
        if budget.moved is not None:
            inputs["compared_layers"] = need("engine", against=True).out("engine_layers.json")
    if task:
        params |= {"inputs": input_params(model, profiles=True), "data": data_params(model.data.validation)}
        inputs |= data_inputs(variant, model.data.validation)
        inputs |= {} if model.data.slices is None else {"slices": File(model.data.slices)}
        inputs |= code_inputs(variant, task.metric, "metric_code")
    return Step(
        kind="validate",
        version=VERSION,
        model=names.model,
        label=variant.id.removeprefix(f"{names.model}-") if budget else variant_label(variant),
        params=params,
        inputs=inputs,
        outs=(Out("verdict.json", cache=False), *((Out("task.json"),) if task and task.by_sample else ())),
    )


def run(job: Job) -> None:
    measured = reading.read(job.input("deviation"), Deviation)
    total = measured["hops"]["total"]
    checks = deviation_checks(total, job.params["limits"]) | set_checks(
        {name: further["hops"]["total"] for name, further in measured["sets"].items()}
    )
    checks |= export_checks(measured["hops"]["export"], job.params["export"], _whole(job))
    warnings: list[WarningDocument] = []
    if job.params["task"]:
        of_task, warnings = _judge_task(job)
        checks |= of_task
    if "precision" in job.inputs:
        calibration = reading.read(job.input("precision"), Precision).get("calibration")
        checks |= calibration_checks(calibration["doubts"] if calibration else 0)
    latency = reading.read(job.input("latency"), Latency) if "latency" in job.inputs else None
    judged, not_judged = latency_checks(latency, job.params["latency"])
    of_engine, unknown = _judge_engine(job)
    judged, not_judged = {**judged, **of_engine}, {**not_judged, **unknown}
    checks |= judged
    document = verdict_document(
        checks,
        judging=len(job.params["limits"]) + bool(job.params["task"]),
        why_not=missing_threshold(job.params["precision"], total),
        further=len(judged),
        not_judged=not_judged,  # listed, so that nobody mistakes silence for a pass
    )
    job.write_json("verdict.json", {**document, "warnings": warnings})


def _judge_engine(job: Job) -> tuple[dict[str, Check], dict[str, NotJudged]]:
    """The thresholds on the compiled engine, where there are any."""
    from trtbuild.engine import budget

    if "engine" not in job.params:
        return {}, {}
    passport = reading.read(job.input("passport"), Passport)
    limits = parse(EngineBudget, job.params["engine"], "validate.engine")
    return budget.engine_checks(
        limits, passport["bytes"], *(_engine(job, n) for n in ("engine_layers", "compared_layers"))
    )


def _engine(job: Job, name: str) -> Engine | None:
    """None where there is none, or where its version writes the layers in a way that nobody reads."""
    from trtbuild.engine import engine

    layers = job.read_json(name) if name in job.inputs else {"Layers": []}
    return engine(layers, f"{name}.json") if layers["Layers"] else None


def _whole(job: Job) -> set[str]:
    """The source model's outputs that are integers or booleans."""
    from trtbuild.arrays import outputs

    return {name for name, array in outputs.load(job.input("reference")).items() if array.dtype.kind in "iub"}


def _judge_task(job: Job) -> tuple[dict[str, Check], list[WarningDocument]]:
    """The checks; warnings where the source model's own score suggests wrong labels or preprocessing, and of falls.

    Writes ``task.json`` where the metric has one.
    """
    from trtbuild.arrays import data, outputs
    from trtbuild.arrays.slices import read_slices
    from trtbuild.deviation import metrics, taskscores

    task = job.params["task"]
    if not isinstance(job.params["data"], str) and job.params["data"]["kind"] == "random":
        hint = "give labelled data in model.data.validation"
        raise ConfigError("random data has no labels", where="model.validation.task", hint=hint)
    path = job.input("data") if "data" in job.inputs else None
    samples = data.Source(
        job.params["data"], path, job.params["inputs"], "model.data.validation", [task["labels"]], Path(job.out)
    ).samples()
    labels = samples.mapped(task["labels"])
    # Memory maps: a metric reads what it needs, and the kernel may take back what it has read.
    source, here = (
        {name: array.mapped() for name, array in outputs.load(job.input(side)).items()}
        for side in ("reference", "engine" if "engine" in job.inputs else "lowered")
    )
    reference = metrics.score(task, source, labels)
    if not math.isfinite(reference):
        what = f"the source model itself scores {reference}"
        hint = "check the metric and the labels"
        raise ConfigError(what, where=f"model.validation.task.metric: {task['metric']}", hint=hint)
    better = metrics.higher_is_better(task)
    check = task_check(
        task["metric"], reference, metrics.score(task, here, labels), task["max_drop"], higher_is_better=better
    )
    checks, warnings = {f"task: {task['metric']} drop": check}, []
    if doubt := metrics.doubt(task, source, labels, reference):
        what = f"the source model itself scores {reference:.4g} in {task['metric']}: {doubt}"
        hint = "labels or preprocessing are probably wrong, and the drop says nothing"
        warnings.append(StepWarning(what, "model.validation.task", hint))
    if task["metric"] in BUILT_IN:
        slices = job.inputs.get("slices")
        named = read_slices(Path(slices), len(labels), "model.data.slices") if slices else []
        scores = taskscores.measure(task, source, here, labels, named)
        warnings += taskscores.warnings(scores)
        job.write_json("task.json", scores)
        if (limit := task["max_class_drop"]) is not None:
            checks[f"task: {task['metric']} drop of worst class"] = class_drop_check(scores, limit)
    return checks, [warning.document() for warning in warnings]
