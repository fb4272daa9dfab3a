"""Tests of what a config states of inputs and outputs for those who deploy."""

from __future__ import annotations

from typing import Any

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.core.parse import parse
from trtbuild.core.recipes import input_params
from trtbuild.core.spec import Model

SOURCE = {"kind": "onnx", "path": "m.onnx"}
IMAGE = {"dtype": "float32", "shape": [None, 4, 4, 3], "profile": {"min": 1, "opt": 2, "max": 4}}
FIRST = {"resize": "bilinear", "channels": "bgr", "scale": 0.5, "mean": [1, 2, 3], "std": [1.5]}
STATED = {"layout": "NHWC", "note": "of the front camera", "preprocessing": FIRST}


def model(stated: dict[str, Any], outputs: dict[str, Any] | None = None) -> Model:
    return parse(Model, {"source": SOURCE, "inputs": {"image": IMAGE | stated}, "outputs": outputs or {}}, "model")


def test_statements_change_no_recipe() -> None:
    """They are read for bundles alone."""
    stated = model(STATED, {"scores": {"layout": "NC", "range": [0, 1]}})

    assert stated.inputs["image"].layout == "NHWC"
    assert input_params(stated, profiles=True) == input_params(model({}), profiles=True)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"preprocessing": FIRST | {"std": [1, 2]}}, "preprocessing: std: 2 values, but mean has 3"),
        ({"layout": "NHC"}, "layout: 'NHC' has 3 letters, but shape has 4 dimensions"),
        ({"layout": "nhwc"}, "layout: 'nhwc' is not a letter for each dimension, such as NHWC"),
        ({"layout": "NCCW"}, "layout: 'NCCW' is not a letter for each dimension"),
        ({"layout": "NHWC", "preprocessing": {"mean": [1, 2]}}, "mean: 2 values, but the input has 3 channels"),
        ({"preprocessing": {"std": [0]}}, r"std: \[0.0\] has a value that is not above 0"),
        ({"preprocessing": {"scale": 0}}, "scale: 0 leaves nothing of the input"),
        ({"preprocessing": {"channels": "rbg"}}, "'rbg' is not allowed; did you mean 'rgb'"),
        ({"preprocessing": {"men": [1]}}, "unknown key 'men'; did you mean 'mean'"),
        ({"layuot": "NHWC"}, "unknown key 'layuot'; did you mean 'layout'"),
    ],
)
def test_what_cannot_be_is_one_line(stated: dict[str, Any], message: str) -> None:
    """With the place and the nearest name."""
    with pytest.raises(ConfigError, match=message):
        model(stated)


@pytest.mark.parametrize("output", [{"layout": "n"}, {"range": [1, 0]}, {"dtype": "float32"}])
def test_an_output_has_layout_range_and_note(output: dict[str, Any]) -> None:
    """The rest is the engine's."""
    with pytest.raises(ConfigError, match=r"model\.outputs\.scores"):
        model({}, {"scores": output})
