"""A job that writes a graph in a precision, its weights in a file of their own; for checker/precision.py."""

from __future__ import annotations

from trtbuild.core.job import Job
from trtbuild.core.parse import parse
from trtbuild.core.spec import Lowering


def run(job: Job) -> None:
    import onnx

    from trtbuild.graphs import externaldata, uncalibrated

    model = onnx.load(job.input("model"), load_external_data=False)
    externaldata.read(model, job.input("model").parent, "check", linked=True)
    p = job.params
    kept = uncalibrated.lower(model, parse(Lowering, p["lowering"], "lowering"), p["scoped"])
    path = job.output("lowered.onnx")
    onnx.save(model, path, save_as_external_data=True, location="lowered.bin", size_threshold=p["threshold"])
    job.write_json("kept.json", kept)
