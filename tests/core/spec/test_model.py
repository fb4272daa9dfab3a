"""Tests of what a model of a config may mean: shapes, profiles, ranges, opsets, inputs."""

from __future__ import annotations

from typing import Any

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.core.parse import parse
from trtbuild.core.spec.model import Export, Input, Model, Profile

DYNAMIC = (None, 8)
PLANE = (None, None, 3)


def test_a_number_fills_the_one_dynamic_dimension() -> None:
    """A scalar profile gives concrete min, opt and max shapes."""
    assert Input("float32", DYNAMIC, Profile(1, 4, 8)).shapes == ((1, 8), (4, 8), (8, 8))


def test_several_dynamic_dimensions_take_whole_shapes() -> None:
    """A profile of lists names every dimension."""
    profile = Profile((1, 32, 3), (1, 64, 3), (2, 64, 3))

    assert Input("float32", PLANE, profile).shapes == ((1, 32, 3), (1, 64, 3), (2, 64, 3))


def test_a_static_shape_needs_no_profile() -> None:
    """All three shapes of a static input are its shape."""
    assert Input("float32", (2, 8)).shapes == ((2, 8),) * 3


@pytest.mark.parametrize(
    ("shape", "profile", "said"),
    [
        (DYNAMIC, None, "profile: missing for a dynamic dimension"),
        ((2, 8), Profile(1, 4, 8), "profile: given, but no dimension"),
        (PLANE, Profile(1, 4, 8), "profile: several dimensions are null"),
        (DYNAMIC, Profile(4, 1, 8), "profile: needs min <= opt <= max"),
        (DYNAMIC, Profile(1, 9, 8), "profile: needs min <= opt <= max"),
        (PLANE, Profile((1, 64, 3), (1, 64, 3), (2, 32, 3)), "profile: needs min <= opt <= max"),
        (DYNAMIC, Profile((1, 9), (1, 8), (1, 8)), r"profile: \[1, 9\] does not fit shape"),
        (DYNAMIC, Profile((1, 8, 1), (1, 8, 1), (1, 8, 1)), "does not fit shape"),
        (DYNAMIC, Profile(0, 1, 2), "does not fit shape"),
        ((0, 8), None, "shape: .* below 1"),
    ],
)
def test_a_profile_that_does_not_fit(shape: Any, profile: Profile | None, said: str) -> None:
    """Every way in which shape and profile contradict one another is named."""
    with pytest.raises(ValueError, match=said):
        Input("float32", shape, profile)


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (1.0,), (0.0, 1.0, 2.0)])
def test_a_range_has_a_low_and_a_high_end(bounds: tuple[float, ...]) -> None:
    """Random data needs two numbers in order."""
    with pytest.raises(ValueError, match="range: expected"):
        Input("float32", (1, 8), range=bounds)


@pytest.mark.parametrize(("opset", "fits"), [(12, False), (13, True), (25, True), (26, False)])
def test_opsets_have_a_range(opset: int, fits: bool) -> None:
    """Both ends belong to it."""
    if fits:
        assert Export(opset).opset == opset
    else:
        with pytest.raises(ValueError, match="opset"):
            Export(opset)


def test_a_model_has_an_input() -> None:
    """A model without inputs cannot be run."""
    with pytest.raises(ConfigError, match="model: inputs: at least one"):
        parse(Model, {"source": {"kind": "onnx", "path": "m.onnx"}, "inputs": {}}, "model")
