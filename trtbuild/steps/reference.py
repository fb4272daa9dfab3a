"""reference: the source model's own outputs on one set of samples."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from trtbuild.core.job import Job
from trtbuild.core.memory import activation_bytes
from trtbuild.core.plan import Need
from trtbuild.core.recipes import data_inputs, set_params, set_place, source_inputs, source_params, tools
from trtbuild.core.spec import VALIDATION, Onnx, Variant
from trtbuild.core.spec.data import BATCH
from trtbuild.core.step import Out, Step

VERSION = 3


def declare(variant: Variant, need: Need, data: str = VALIDATION) -> Step:
    """``data``: the name of a measured set."""
    model = variant.spec.model
    library = "onnxruntime" if isinstance(model.source, Onnx) else "tensorflow"
    libraries = ("onnxruntime", "numpy") if library == "onnxruntime" else ("tensorflow", "keras", "numpy")
    return Step(
        kind="reference",
        version=VERSION,
        model=variant.names.model,
        label=library if data == VALIDATION else f"{library}-{data}",
        params={
            "source": source_params(model),
            **set_params(model, data),
            "tools": tools(variant, *libraries),
        },
        inputs=source_inputs(variant) | data_inputs(variant, model.data.sets[data]),
        outs=(Out("outputs.npz"), Out("runtime.json")),
        work_bytes=activation_bytes(model.inputs.values(), BATCH),
    )


def run(job: Job) -> None:
    from trtbuild.arrays import data, outputs
    from trtbuild.arrays.outputs import Session

    inputs = job.params["inputs"]
    path = job.input("data") if "data" in job.inputs else None
    scratch = Path(job.out)
    samples = data.Source(job.params["data"], path, inputs, set_place(job.params), scratch=scratch).samples()
    source = job.input("source") if "source" in job.inputs else None
    session: Session
    if job.params["source"]["kind"] == "onnx":
        import onnx

        from trtbuild.runtimes import onnxruntime
        from trtbuild.sources import onnxsource

        assert source is not None
        # As a single file: ONNX Runtime cannot read shapes from external data.
        whole = job.output("whole.onnx")
        onnx.save(onnxsource.load_source(source, job.params["source"]["path"], inputs), whole)
        session = onnxruntime.open_session(whole, {"providers": ["CPUExecutionProvider"]})
        whole.unlink()
    else:
        from trtbuild.runtimes import tensorflow

        session = tensorflow.open_session(job.params["source"], source, inputs)
    recorded = outputs.record(job.output("outputs.npz"), outputs.run_all(session, samples, inputs))
    job.write_json("runtime.json", {**session.about, **asdict(recorded)})
