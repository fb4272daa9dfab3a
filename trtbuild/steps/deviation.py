"""deviation: how far outputs move on each hop, so that a report can say whose fault it is.

Hops: ``export`` (TensorFlow -> exported ONNX: the exporter), ``ranges`` (exported ONNX -> the same with trained ranges
made symmetric, where there is such a step), ``precision`` (exported -> lowered ONNX: casts and
quantisation), ``engine`` (lowered ONNX -> engine: TensorRT, where a runtime executes it), ``total`` (TensorFlow ->
what runs).  Each named set of inputs is measured separately; only the validation set is judged.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

from trtbuild.base.errors import ModelError
from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.recipes import data_params, variant_label
from trtbuild.core.spec import Variant
from trtbuild.core.spec.data import VALIDATION, RandomData
from trtbuild.core.step import Input, Out, Plot, Step
from trtbuild.documents import reading
from trtbuild.documents.deviation import RecordedOutputs
from trtbuild.steps import ranges

if TYPE_CHECKING:
    from trtbuild.deviation.statistics import ComparisonResult

VERSION = 3
SIDES = {
    "reference": "source model", "exported": "exported graph", "symmetric": "symmetric graph",
    "lowered": "lowered graph", "engine": "engine",
}  # fmt: skip
STAGES = {"exported": "export", "symmetric": "ranges", "lowered": "precision", "engine": "engine"}  # up to each side


def declare(variant: Variant, need: Need) -> Step:
    data, executes = variant.spec.model.data, variant.spec.runtime.engine is not None
    symmetric = ranges.applies(variant)
    inputs: dict[str, Input] = {}
    for name in data.sets:
        choice = {} if name == VALIDATION else {"data": name}
        runs = {
            "reference": need("reference", **choice),
            "exported": need("infer", of="export", **choice),
            **({"symmetric": need("infer", of="ranges", **choice)} if symmetric else {}),
            "lowered": need("infer", of="lower", **choice),
        }
        if executes:
            runs["engine"] = need("infer", of="engine", **choice)
        prefix = _prefix(name)
        inputs |= {f"{prefix}{side}": run.out("outputs.npz") for side, run in runs.items()}
        inputs |= {f"{prefix}{side}_runtime": run.out("runtime.json") for side, run in runs.items()}
    task = variant.spec.model.validation.task
    left_out = {*(() if executes else ("engine",)), *(() if symmetric else ("ranges",))}
    hops = [hop for hop in STAGES.values() if hop not in left_out]
    return Step(
        kind="deviation",
        version=VERSION,
        model=variant.names.model,
        label=variant_label(variant),
        params={
            "sets": {
                name: {"source": data_params(source), "random": isinstance(source, RandomData)}
                for name, source in data.sets.items()
            },
            "task": {"metric": task.metric, "output": task.output} if task else None,
        },
        inputs=inputs,
        outs=(
            Out("deviation.json", cache=False),
            Out("histograms.json"),
            Out("details.json"),
            Out("histograms.csv", plot=Plot("log10_error", (*hops, "total"), "elements by log10 of their error")),
        ),
    )


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


def _keep_freed_memory() -> None:
    """Let malloc keep what it frees, up to 64 MB: the temporary arrays of each block of samples come back at once.

    Given back to the kernel and taken again, page by page, they were a sixth of this step's time.
    """
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's only
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)
        mallopt(_TRIM_THRESHOLD, 64 << 20)


def run(job: Job) -> None:
    from trtbuild.deviation import histograms

    _keep_freed_memory()
    sets = {name: {**about, **_measure_set(job, _prefix(name))} for name, about in job.params["sets"].items()}
    edges = [round(float(edge), 6) for edge in histograms.LOG10_EDGES]
    job.write_json("deviation.json", _document(sets, "summary", ("samples", "runtimes"), ("source", "random")))
    job.write_json("histograms.json", {"log10_edges": edges, **_document(sets, "histogram")})
    job.write_json("details.json", _document(sets, "detail", ("rows",)))
    counted = {name: made["histogram"] for name, made in sets.items()}
    job.output("histograms.csv").write_text(histograms.csv_text(counted, edges), "utf-8", newline="")


def _document(
    sets: Mapping[str, Mapping[str, Any]], part: str, facts: tuple[str, ...] = (), about: tuple[str, ...] = ()
) -> dict[str, Any]:
    """One part of the validation set's numbers, with those of further sets under ``sets``."""

    def one(made: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
        return {"hops": made[part], **{key: made[key] for key in keys}}

    further = {name: one(made, facts + about) for name, made in sets.items() if name != VALIDATION}
    return {**one(sets[VALIDATION], facts), "sets": further}


def _prefix(name: str) -> str:
    return "" if name == VALIDATION else f"{name}_"


def hops_between(sides: list[str]) -> dict[str, tuple[str, str]]:
    """Hop -> the two sides that it compares, for the sides that ran, in order.

    >>> hops_between(["reference", "exported", "lowered"])["precision"]
    ('exported', 'lowered')
    """
    steps = {STAGES[after]: (before, after) for before, after in pairwise(sides)}
    return {**steps, "total": (sides[0], sides[-1])}


def _measure_set(job: Job, prefix: str) -> dict[str, Any]:
    from trtbuild.arrays import outputs
    from trtbuild.deviation import layout, statistics

    sides = [side for side in SIDES if f"{prefix}{side}" in job.inputs]
    arrays = {side: outputs.load(job.input(f"{prefix}{side}")) for side in sides}
    runtimes = {side: reading.read(job.input(f"{prefix}{side}_runtime"), RecordedOutputs) for side in sides}
    _check_alike(arrays)
    names, rows = sorted(arrays["reference"]), runtimes["reference"]["rows"]
    classes = {
        name: layout.classes_of(arrays["reference"][name].shape, arrays["reference"][name].dtype, metric)
        for name, metric in ((name, _metric(job.params["task"], name, names)) for name in names)
    }
    made: dict[str, Any] = {"summary": {}, "histogram": {}, "detail": {}, "rows": rows}
    hops = hops_between(sides)

    def compared(place: tuple[str, str]) -> ComparisonResult:
        (a, b), name = hops[place[0]], place[1]
        per_sample = rows[name] == "sample"
        return statistics.measure(arrays[a][name], arrays[b][name], per_sample=per_sample, classes=classes[name])

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        places = list(product(hops, names))
        results = dict(zip(places, pool.map(compared, places), strict=True))
    for hop in hops:
        found = {name: results[hop, name] for name in names}
        made["summary"][hop] = {name: m.summary for name, m in found.items()}
        made["histogram"][hop] = {name: m.histogram for name, m in found.items()}
        made["detail"][hop] = {name: m.detail for name, m in found.items()}
    made["samples"] = runtimes["reference"]["samples"]
    made["runtimes"] = {
        side: {key: value for key, value in about.items() if key not in ("samples", "rows")}
        for side, about in runtimes.items()
    }
    return made


def _check_alike(arrays: Mapping[str, Mapping[str, Any]]) -> None:
    reference = arrays["reference"]
    for side, found in arrays.items():
        if sorted(found) != sorted(reference):
            what = f"the {SIDES[side]} has outputs {sorted(found)}, the source model {sorted(reference)}"
            raise ModelError(what, where="deviation")
        for name in sorted(reference):
            want, have = reference[name].shape, found[name].shape
            if want != have:
                what = f"output '{name}' has shape {list(have)} in the {SIDES[side]}, {list(want)} in the source model"
                raise ModelError(what, where="deviation", hint="the exporter changed the model's meaning")


def _metric(task: Mapping[str, Any] | None, name: str, names: list[str]) -> str | None:
    """The task's metric for the output that it judges; a single output need not be named."""
    if task is None or (task["output"] or (names[0] if len(names) == 1 else None)) != name:
        return None
    metric: str = task["metric"]
    return metric
