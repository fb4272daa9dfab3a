"""A job that examines cases, one for each question (suite/pool.py); TensorFlow is loaded once."""

from __future__ import annotations

import os
from pathlib import Path

from trtbuild.core.job import Job
from trtbuild.workers.process import inherited


def run(job: Job) -> None:
    from trtbuild.suite.collection import collect
    from trtbuild.suite.examination import examine

    cases = collect(root_of(job))
    calm()
    job.answer({"stage": "ready"})
    for question in job.questions():
        case = cases[question["id"]]
        examine(case, Path(job.params["graphs"]), job.answer)
        job.answer({"stage": "end"})


def root_of(job: Job) -> Path | None:
    """The workspace whose own cases there are; not the job's, which it always has."""
    return Path(job.params["root"]) if job.params["root"] else None


def environment() -> dict[str, str]:
    """For processes that run cases: the CPU, kernels that compute in the written order, and the user's own modules."""
    own = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    return inherited(CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0", **own)


def calm() -> None:
    """One thread for each kernel, since workers share the cores; and the source as it is written.

    TensorFlow's run-time optimiser computes log(x + 1) of a maximum of exponentials wrongly (2.21: 0.267 for 0.880,
    which eager execution gives), so the reference does without it.  The export runs its own pass all the same.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
