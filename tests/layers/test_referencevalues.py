"""Tests of reference values: they have the graph's layout, which its own values reveal where shapes cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from trtbuild.layers.referencevalues import Fit, ReferenceValues, of_tensorflow

RNG = np.random.default_rng(0)
CUBE = RNG.normal(size=(1, 4, 4, 4)).astype(np.float32)  # NHWC and NCHW have one shape


def reference(folder: Path, layout: str | None, value: Any = CUBE) -> ReferenceValues:
    np.save(folder / "0.npy", value)
    (folder / "index.json").write_text(json.dumps({"t": "0.npy"}), "utf-8")
    return of_tensorflow(folder, {"tensors": {"t": {"tensor": "t:0", "layout": layout}}})


def test_the_exporters_word_on_a_layout_holds(tmp_path: Path) -> None:
    """Whatever the values are like."""
    found = reference(tmp_path, "NCHW")

    assert found.fit("t", CUBE) == Fit(CUBE.shape)
    assert np.array_equal(found.values("t", Fit(CUBE.shape)), CUBE.transpose(0, 3, 1, 2))


def test_values_tell_a_layout_that_shapes_do_not(tmp_path: Path) -> None:
    """The nearer candidate is the one."""
    found = reference(tmp_path, None)
    for value in (CUBE, CUBE.transpose(0, 3, 1, 2)):
        fit = found.fit("t", value + 1e-3)

        assert fit is not None and np.array_equal(found.values("t", fit), value)


def test_another_size_fits_nothing(tmp_path: Path) -> None:
    """The map is wrong, then."""
    assert reference(tmp_path, None).fit("t", CUBE[:, :2]) is None


def test_values_are_float32_in_memory(tmp_path: Path) -> None:
    """TensorFlow may hold float64 where the graph has float32; the budget counts what is stored."""
    found = reference(tmp_path, None, CUBE.astype(np.float64))

    assert found.values("t", Fit(CUBE.shape)).dtype == np.float32
    assert found.bytes_of(["t", "t"]) == 2 * 8 * CUBE.size
