"""Tests of report.md as text: what it says of a failure, and what it does not claim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trtbuild.bugreport import text
from trtbuild.bugreport.matrix import Row
from trtbuild.reducing.failure import Failure

ENVIRONMENT: dict[str, Any] = {
    "tensorrt": {"module": "tensorrt_rtx", "version": "1.7.1.116"},
    "gpu": {"name": "none", "compute_capability": "none", "driver": "none"}, "cuda": "none", "cudnn": "none",
    "system": "Debian", "kernel": "Linux 6", "machine": "x86_64", "python": "3.11", "container": "not known",
    "packages": {"tf2onnx": "1.17.0", "onnxruntime": "1.31.1"},
}  # fmt: skip
ROWS = [
    Row("the failing graph", "fp32", "rtx-1.6", "1.6.1.120", "none", "builds", "", "rtx-1.7", "rtx-1.6"),
    Row("the failing graph", "fp32", "rtx-1.7", "1.7.1.116", "none", "crash", "", "rtx-1.7", "rtx-1.6"),
    Row("the failing graph", "int8", "-", "", "none", "not tried", "nothing to quantise"),
    Row("control: Relu alone", "fp32", "rtx-1.7", "1.7.1.116", "none", "builds"),
]
FACTS = text.Facts(
    Failure("crash", "parsing", "", "SIGSEGV", "TensorRT died of SIGSEGV while parsing"), ["Loop (Add)"], 17, "fp32",
    ENVIRONMENT, ROWS, 25, 2, True, [], 0, 139, "none", "ONNX Runtime", "", "yes", "no weights in it", False, 4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("failure", "title"),
    [
        (
            FACTS.failure,
            "Crash of TensorRT 1.7.1.116 when running Loop (Add) on GPU: none (ahead-of-time build on a CPU)",
        ),
        (
            Failure("misread", "misread", "", "", "x"),
            "Misread graph of TensorRT 1.7.1.116 when running Loop (Add) on GPU: ",
        ),
        (
            Failure("mismatch", "export", "", "", "x"),
            "Mismatch of values of tf2onnx 1.17.0 when exporting to Loop (Add)",
        ),
        (Failure("mismatch", "lower", "", "", "x"), "Mismatch of values of Loop (Add) in fp32, by ONNX Runtime 1.31.1"),
    ],
)
def test_the_title_names_symptom_version_structure_and_gpu(failure: Failure, title: str) -> None:
    """And whoever is at fault."""
    assert text.title(replace(FACTS, failure=failure)).startswith(title)


def test_versions_and_controls_are_in_the_report() -> None:
    """First bad and last good; near misses apart."""
    said = text.report(FACTS)

    assert "| fp32 | rtx-1.7 (1.7.1.116) | crash | rtx-1.7 | rtx-1.6 |" in said
    assert "not tried: nothing to quantise" in said
    assert "Near misses that build, of 4 that were tried:\n\n- Relu alone (1.7.1.116)" in said


def test_what_was_not_run_is_called_so() -> None:
    """A script without an end, Polygraphy that was not run, a runtime that cannot run the graph."""
    said = text.report(replace(FACTS, repro=None, polygraphy=None, reference="", unable="no kernel"))

    assert "it did not end here" in said and "repro.sh: not run here" in said
    assert "**: no: no kernel" in said and "ONNX Runtime does not run" in said
