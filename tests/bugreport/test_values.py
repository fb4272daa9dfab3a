"""Tests of inputs.json and golden.json: Polygraphy itself reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from polygraphy.comparator import RunResults
from polygraphy.json import load_json

from trtbuild.bugreport import values

ARRAYS = {"t0": np.arange(6, dtype=np.float32).reshape(2, 3), "t1": np.array(4, np.int64)}


def test_polygraphy_loads_the_inputs(tmp_path: Path) -> None:
    """As one set of feeds."""
    path = tmp_path / "inputs.json"
    path.write_bytes(values.inputs_json(ARRAYS))
    (found,) = load_json(str(path))

    assert found["t0"].tolist() == ARRAYS["t0"].tolist() and found["t1"].dtype == np.int64


def test_polygraphy_loads_the_golden_outputs(tmp_path: Path) -> None:
    """As the results of a runner."""
    path = tmp_path / "golden.json"
    path.write_bytes(values.golden_json(ARRAYS, "tensorflow"))
    ((runner, (iteration,)),) = RunResults.load(str(path))

    assert runner == "tensorflow" and np.array_equal(iteration["t0"], ARRAYS["t0"])


def test_texts_have_no_form_there() -> None:
    """So no file is written."""
    assert not values.can_be_written({"x": np.array(["a"], object)}) and not values.can_be_written({})
