"""infer: outputs of the exported or the lowered graph on the validation samples, by the chosen runtime."""

from __future__ import annotations

from importlib import import_module

from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.spec import Variant
from trtbuild.core.step import Out, Step
from trtbuild.steps._shared import data_inputs, data_params, input_params, tools

VERSION = 1
GRAPHS = {"export": "model.onnx", "lower": "lowered.onnx"}


def declare(variant: Variant, need: Need, of: str) -> Step:
    model, runtime = variant.spec.model, variant.spec.runtime
    upstream = need(of)
    return Step(
        kind="infer",
        version=VERSION,
        model=variant.names.model,
        label="exported" if of == "export" else f"{variant.names.precision}-{variant.names.runtime}",
        params={
            "runtime": {"module": runtime.module, "providers": list(runtime.providers)},
            "inputs": input_params(model, profiles=True),
            "data": data_params(model.data.validation),
            "tools": tools(variant, "onnxruntime", "numpy"),
        },
        inputs={"model": upstream.out(GRAPHS[of])} | data_inputs(variant, model.data.validation),
        outs=(Out("outputs.npz"), Out("runtime.json")),
    )


def run(job: Job) -> None:
    from trtbuild.kit import data, outputs

    inputs, runtime = job.params["inputs"], job.params["runtime"]
    path = job.input("data") if "data" in job.inputs else None
    samples = data.open_samples(job.params["data"], path, inputs, "model.data.validation")
    session = import_module(f"trtbuild.runtimes.{runtime['module']}").open_session(
        job.input("model"), runtime["providers"]
    )
    outputs.save(job.output("outputs.npz"), outputs.run_all(session, samples, inputs))
    job.write_json("runtime.json", session.about)
