"""infer: outputs of the exported or the lowered graph on one set of samples, by the chosen runtime."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.spec import VALIDATION, Variant
from trtbuild.core.step import Out, Step
from trtbuild.steps._shared import data_inputs, set_params, set_place, tools

VERSION = 2
GRAPHS = {"export": "model.onnx", "lower": "lowered.onnx"}


def declare(variant: Variant, need: Need, of: str, data: str = VALIDATION) -> Step:
    """``of``: the step whose graph runs; ``data``: the name of a measured set."""
    model, runtime = variant.spec.model, variant.spec.runtime
    upstream = need(of)
    label = "exported" if of == "export" else f"{variant.names.precision}-{variant.names.runtime}"
    return Step(
        kind="infer",
        version=VERSION,
        model=variant.names.model,
        label=label if data == VALIDATION else f"{label}-{data}",
        params={
            "runtime": {"module": runtime.module, "providers": list(runtime.providers)},
            **set_params(model, data),
            "tools": tools(variant, "onnxruntime", "numpy"),
        },
        inputs={"model": upstream.out(GRAPHS[of])} | data_inputs(variant, model.data.sets[data]),
        outs=(Out("outputs.npz"), Out("runtime.json")),
    )


def run(job: Job) -> None:
    from trtbuild.kit import data, outputs

    inputs, runtime = job.params["inputs"], job.params["runtime"]
    path = job.input("data") if "data" in job.inputs else None
    scratch = Path(job.out)
    samples = data.open_samples(job.params["data"], path, inputs, set_place(job.params), scratch=scratch)
    session = import_module(f"trtbuild.runtimes.{runtime['module']}").open_session(
        job.input("model"), runtime["providers"]
    )
    recorded = outputs.record(job.output("outputs.npz"), outputs.run_all(session, samples, inputs))
    job.write_json("runtime.json", {**session.about, **asdict(recorded)})
