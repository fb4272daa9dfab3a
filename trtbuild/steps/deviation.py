"""deviation: how far outputs move on each hop, so that a report can say whose fault it is.

Hops: ``export`` (TensorFlow -> exported ONNX: the exporter), ``precision`` (exported -> lowered ONNX: casts and
quantisation), ``total`` (TensorFlow -> what runs).
"""

from __future__ import annotations

from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.spec import Variant
from trtbuild.core.step import Out, Step
from trtbuild.errors import ModelError

VERSION = 1
HOPS = {"export": ("reference", "exported"), "precision": ("exported", "lowered"), "total": ("reference", "lowered")}


def declare(variant: Variant, need: Need) -> Step:
    runs = {
        "reference": need("reference"),
        "exported": need("infer", of="export"),
        "lowered": need("infer", of="lower"),
    }
    outputs = {name: run.out("outputs.npz") for name, run in runs.items()}
    runtimes = {f"{name}_runtime": run.out("runtime.json") for name, run in runs.items()}
    return Step(
        kind="deviation",
        version=VERSION,
        model=variant.names.model,
        label=f"{variant.names.precision}-{variant.names.runtime}",
        params={},
        inputs=outputs | runtimes,
        outs=(Out("deviation.json", cache=False), Out("histograms.json")),
    )


def run(job: Job) -> None:
    from trtbuild.kit import outputs, statistics

    arrays = {name: outputs.load(job.input(name)) for name in ("reference", "exported", "lowered")}
    names = sorted(arrays["reference"])
    for side in ("exported", "lowered"):
        if sorted(arrays[side]) != names:
            what = f"the {side} graph has outputs {sorted(arrays[side])}, the source model {names}"
            raise ModelError(what, where="deviation")
        for name in names:
            want, have = arrays["reference"][name].shape, arrays[side][name].shape
            if want != have:
                what = f"output '{name}' has shape {list(have)} in the {side} graph, {list(want)} in the source model"
                raise ModelError(what, where="deviation", hint="the exporter changed the model's meaning")
    hops = {
        hop: {name: statistics.compare(arrays[a][name], arrays[b][name]) for name in names}
        for hop, (a, b) in HOPS.items()
    }
    job.write_json(
        "deviation.json",
        {
            "hops": hops,
            "runtimes": {name: job.read_json(f"{name}_runtime") for name in arrays},
            "samples": len(next(iter(arrays["reference"].values()))),
        },
    )
    job.write_json(
        "histograms.json",
        {
            "log10_edges": [round(float(edge), 6) for edge in statistics.LOG10_EDGES],
            "hops": {
                hop: {name: statistics.histogram(arrays[a][name], arrays[b][name]) for name in names}
                for hop, (a, b) in HOPS.items()
            },
        },
    )
