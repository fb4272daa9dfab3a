"""Builds whose steps are fakes, with documents and arrays as a bundle needs them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.versions import Fake
from trtbuild.building.planned import Planned
from trtbuild.core.job import Job

SAMPLES = 8
RUNTIME = {"runtime": "onnxruntime", "version": "1", "executes": "graph", "emulated": None, "samples": SAMPLES,
           "rows": {"scores": "sample"}}  # fmt: skip


def passport(plan: bytes) -> dict[str, Any]:
    return {
        "sha256": hashlib.sha256(plan).hexdigest(), "bytes": len(plan), "flavour": "tensorrt-rtx",
        "version": "1.7.1.116", "compute_capabilities": "portable default of the builder", "strongly_typed": True,
        "tf32": False, "onnx_sha256": "0" * 64, "network_layers": 1, "executed": False, "compute_nodes": {},
        "unproved_nodes": [], "work_share": {}, "profiles": {"x": [[1, 4], [2, 4], [4, 4]]},
        "inputs": [{"name": "x", "dtype": "float32", "shape": [-1, 4]}],
        "outputs": [{"name": "scores", "dtype": "float32", "shape": [-1, 3]}],
    }  # fmt: skip


PRECISION: Mapping[str, object] = {
    "precision": "fp32", "compute": {}, "unpromised": {}, "macs": {}, "nodes_by_dtype": {}, "tensors": {},
}  # fmt: skip


@dataclass
class Recorded(Fake):
    """The outputs of what runs last are off by ``error``."""

    error: float = 0.01

    def _worker(self, p: Planned) -> Callable[[Job], None]:
        plain = super()._worker(p)

        def work(job: Job) -> None:
            plain(job)
            kind = Path(job.out).parent.name.partition(".")[2].split("-")[0]
            outputs = np.arange(3 * SAMPLES, dtype=np.float32).reshape(SAMPLES, 3)
            if kind in ("infer", "reference"):
                np.savez(job.output("outputs.npz"), scores=outputs + (self.error if kind == "infer" else 0))
                job.write_json("runtime.json", RUNTIME)
            if kind == "engine":
                job.write_json("passport.json", passport(job.output("engine.plan").read_bytes()))
            if kind == "lower":
                job.output("precision.json").write_text(json.dumps(PRECISION), "utf-8")

        return work
