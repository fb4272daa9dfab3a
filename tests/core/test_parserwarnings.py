"""Tests of what TensorRT's warnings come to."""

from __future__ import annotations

import pytest

from trtbuild.core.complaint import Complaint
from trtbuild.core.parserwarnings import misread, warnings

SCOPES = {"conv": {"op": "net/conv", "type": "Conv2D", "name": "net/conv"}}


def said(words: str, node: str = "conv") -> Complaint:
    return Complaint(node, "Conv", "parse", words)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("WeightsContext.cpp:73: Weight at index 0: 1e+300 is out of range. Clamping to: 3.40282e+38",
         "constants beyond the range of their type in TensorRT are clamped"),
        ("onnxOpImporters.cpp:5202: TensorRT currently ignores the \"seed\" field in RandomUniform or RandomNormal op.",
         "the seed of random numbers is ignored"),
        ("a.cpp:1: Something nobody has seen\n before", "TensorRT warns: Something nobody has seen before"),
    ],
)  # fmt: skip
def test_a_line_that_changes_meaning_is_a_warning(words: str, what: str) -> None:
    """In our words where they are known, else in TensorRT's; never dropped."""
    (warning,) = warnings([said(words)], SCOPES, {})

    assert warning.what.startswith(what)
    assert warning.where == "TensorFlow Conv2D net/conv, node conv"


def test_lines_of_one_kind_are_one_warning() -> None:
    """With the first few of their nodes; a node that the exporter made has the operation behind it."""
    lines = [said(f"1e{i} is out of range. Clamping to: 3e38", f"n{i}") for i in range(5)]
    (warning,) = warnings([*lines, said("One or more weights outside the range of FLOAT was clamped", "")],
                          SCOPES, {"n0": ["conv"]})  # fmt: skip

    assert warning.where == "TensorFlow Conv2D net/conv, node n0, n1, n2 and 2 more"


def test_harmless_lines_stay_in_the_log() -> None:
    """What the passport has anyway, what is of the machine, and a Resize without a region."""
    lines = [
        "ModelImporter.cpp:1071: Make sure input x has Int64 binding.", "CUDA lazy loading is not enabled.",
        "Empty initializer const__23 was provided with non-empty data. Overriding data to nullptr",
        "ModelImporter.cpp:416: UINT8 data z0 is being converted to INT32.", "Detected layernorm nodes in FP16.",
        "Was not able to infer kOPT value(s) for tensor Reshape__4:0. Using one(s).",
        "[RemoveDeadLayers] Input Tensor like is unused or used only at compile-time, but is not being removed.",
        "(foreignNode) Converting conv activation scales to fp32.",
    ]  # fmt: skip

    assert warnings(map(said, lines), SCOPES, {}) == []


def test_a_doubt_is_in_its_own_words() -> None:
    """With advice about what it is."""
    words = "int64 indices are computed as int32: those beyond 2^31 wrap around"
    (warning,) = warnings([Complaint("conv", "OneHot", "misread", words)], SCOPES, {})

    assert (warning.what, warning.hint) == (words, "keep values within int32")


@pytest.mark.parametrize(
    "words",
    [
        "TensorRT supports QuantizeLinear/DequantizeLinear with UINT8 zero_point only. Defaulting to INT8 instead.",
        "onnxOpImporters.cpp:1988: For zero_point with type int32 TensorRT will use INT8 instead.",
    ],
)
def test_another_quantisation_is_a_refusal(words: str) -> None:
    """Also where the graph alone does not show it."""
    assert [(c.node, c.stage) for c in misread([said(words), said("harmless")])] == [("conv", "misread")]
