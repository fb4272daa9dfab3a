"""A job that answers questions about ONNX graphs until there are no more (workers/prober.py)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from trtbuild.core.complaint import Complaint
from trtbuild.core.job import Job

if TYPE_CHECKING:
    from trtbuild.trt.api import BuildOptions
    from trtbuild.trt.trtlog import Log
    from trtbuild.workers.prober import ComplaintReply, ProbeQuestion, ProbeReply, RefusalReply


def run(job: Job) -> None:
    from trtbuild.machine import gpu
    from trtbuild.trt import api, trtlog

    params = job.params
    if params["flavour"] == "tensorrt":
        gpu.check_device(gpu.require_device(), params["supported"], [])
    trt = api.use_flavour(params["flavour"], params["tensorrt"])
    log = trtlog.make_log(trt, Path(os.devnull))
    trtlog.use_log(log)
    for question in job.questions():
        del log.errors[:], log.warnings[:]
        started = time.monotonic()
        reply = _reply(job, trt, log, question)
        reply["seconds"] = time.monotonic() - started
        job.answer(reply)


def _reply(job: Job, trt: ModuleType, log: Log, question: ProbeQuestion) -> ProbeReply:
    from trtbuild.trt.diagnosis import Refusal, diagnose

    path = Path(question["model"])
    options: BuildOptions = {"profiles": question["profiles"], "compute_capabilities": [], "tf32": question["tf32"]}
    if job.params["flavour"] == "tensorrt":  # as a build for the default target has them
        options |= {"hardware_compatibility": "none", "version_compatible": False}
    else:
        options["compute_capabilities"] = job.params["compute_capabilities"]
    found = diagnose(
        trt, log, path.read_bytes(), question["shapes"], options, job.stage, every=question["every"], path=path
    )
    if isinstance(found, Refusal):
        complaints = [_complaint(one) for one in found.complaints]
        refusal: RefusalReply = {
            "stage": found.stage, "complaints": complaints, "words": list(found.words), "why": found.why,
        }  # fmt: skip
        return {"refusal": refusal, "warnings": [], "seconds": 0.0}
    return {"refusal": None, "warnings": [_complaint(one) for one in found.warnings], "seconds": 0.0}


def _complaint(one: Complaint) -> ComplaintReply:
    return {"node": one.node, "op_type": one.op_type, "stage": one.stage, "words": one.words}
