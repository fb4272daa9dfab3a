"""Tests of weights that several graphs share: what is taken out of a graph comes back to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.graphs import constants, copy, graph
from trtbuild.selftest.weights import decoded, encoded, remade, rounded, take_out

DTYPES = ("float32", "float16", "int8", "uint8", "int32", "int64")


@given(st.sampled_from(DTYPES).flatmap(lambda d: arrays.arrays(d, arrays.array_shapes(max_dims=3))))
def test_any_array_comes_back_to_the_bit(array: Any) -> None:
    codec, content = encoded(array)
    assert decoded(content, codec, array.dtype.name) == array.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numbers_that_are_bfloat16_are_kept_as_such(dtype: str) -> None:
    values = np.linspace(-3, 3, 999).astype(ml_dtypes.bfloat16).astype(dtype)
    codec, content = encoded(values)
    assert codec == "bfloat16" and len(content) == 2 * values.size


def test_one_number_that_is_not_bfloat16_keeps_the_tensor_as_it_is() -> None:
    values = np.ones(100, np.float32)
    values[70] = np.nextafter(np.float32(1), np.float32(2))
    assert encoded(values)[0] == "raw"


def test_float32_and_float16_graphs_of_one_network_share_their_blobs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(24, 24)).astype(ml_dtypes.bfloat16).astype(np.float32)
    blobs: dict[str, bytes] = {}
    models = {
        "a": graph("float[n, 24] x => float[n, 24] y { y = MatMul(x, w) }", w=weights),
        "b": graph("float16[n, 24] x => float16[n, 24] y { y = MatMul(x, w) }", w=weights.astype(np.float16)),
    }
    for name, model in models.items():
        whole = copy(model)
        stored = take_out(model, f"{name}.weights", blobs)
        (tmp_path / f"{name}.onnx").write_bytes(model.SerializeToString())
        (tmp_path / f"{name}.weights").write_bytes(remade(stored, blobs))
        assert model.ByteSize() < 400
        np.testing.assert_equal(constants(onnx.load(tmp_path / f"{name}.onnx")), constants(whole))
    assert len(blobs) == 1


def test_several_tensors_lie_at_aligned_places(tmp_path: Path) -> None:
    sizes = {"a": 301, "b": 999, "small": 3, "c": 450}
    values = {name: np.arange(size, dtype=np.float32) / 7 for name, size in sizes.items()}
    model = graph("float[1] x => float[1] y { y = Identity(x) }", **values)
    blobs: dict[str, bytes] = {}
    stored = take_out(model, "w", blobs)
    assert len(stored) == 3 and all(one["offset"] % 64 == 0 for one in stored)
    (tmp_path / "w").write_bytes(remade(stored, blobs))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.testing.assert_equal(constants(onnx.load(tmp_path / "m.onnx")), values)


def test_rounding_is_bfloat16s() -> None:
    values = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    values[0, :4] = (1 + 2**-8, 1 + 3 * 2**-8, -0.0, 1e30)  # two ties, and one that float16 lacks
    model = graph("float[n, 64] x => float[n, 64] y { y = MatMul(x, w) }", w=values)
    rounded(model)
    with np.errstate(over="ignore"):
        within = np.where(values == np.float32(1e30), values, values.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(constants(model)["w"], within.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_what_is_rounded_is_the_same_number_in_float16() -> None:
    values = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32) * np.float32(1e-6)
    model = graph("float[n, 64] x => float[n, 64] y { y = MatMul(x, w) }", w=values)
    rounded(model)
    found = constants(model)["w"]
    assert np.abs(found - values).max() <= 2**-25 + 1e-6 * 2**-7 and encoded(found)[0] == "bfloat16"
    assert encoded(found) == encoded(found.astype(np.float16))
