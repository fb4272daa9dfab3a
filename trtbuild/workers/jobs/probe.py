"""Not a step: answers questions about ONNX graphs, one a line, until there are no more (workers/prober.py)."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trtbuild.core.job import Job

if TYPE_CHECKING:
    from trtbuild.trt.api import BuildOptions


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
        answer = _answer(job, trt, log, question)
        job.answer(answer | {"seconds": time.monotonic() - started})


def _answer(job: Job, trt: Any, log: Any, question: dict[str, Any]) -> dict[str, Any]:
    from trtbuild.trt.diagnosis import Refusal, diagnose

    path = Path(question["model"])
    options: BuildOptions = {"profiles": question["profiles"], "compute_capabilities": [], "tf32": question["tf32"]}
    if job.params["flavour"] == "tensorrt":  # as a build for the default target has them
        options |= {"hardware_compatibility": "none", "version_compatible": False}
    found = diagnose(
        trt, log, path.read_bytes(), question["shapes"], options, job.stage, every=question["every"], path=path
    )
    if isinstance(found, Refusal):
        return {"refusal": asdict(found), "warnings": []}
    return {"refusal": None, "warnings": [asdict(warning) for warning in found.warnings]}
