"""Tests of wrong maps: a difference that nothing computed from the tensor shows is suspected, then proved or not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.inspection import blamed, inspected, saturated, set_constant, swapped
from trtbuild.layers.cumulativeerrors import TensorComparison
from trtbuild.layers.referencevalues import Fit
from trtbuild.layers.wrongmaps import suspects

CHAIN = {"a": ("x",), "b": ("a",), "c": ("b",)}


def chain(**nrmse: float) -> dict[str, TensorComparison]:
    return {name: TensorComparison({"export": {"nrmse": n}}, n < 1e-3, Fit((1,))) for name, n in nrmse.items()}


@pytest.mark.parametrize(
    ("compared", "wrong"),
    [
        (chain(a=0.0, b=1e-7, c=1e-7), []),
        (chain(a=0.0, b=0.5, c=1e-7), ["b"]),
        (chain(a=0.5, b=0.5, c=1e-7), ["a", "b"]),  # a is looked through b to c
        (chain(a=0.0, b=0.5, c=0.5), []),  # passed on: a fault of the graph
        (chain(a=0.0, b=2e-3, c=1e-4), []),  # c has more than a hundredth of it
        (chain(a=0.0, b=0.0, c=0.5), []),  # nothing is computed from it
    ],
)
def test_a_difference_not_passed_on_is_suspected(compared: dict[str, TensorComparison], wrong: list[str]) -> None:
    """A difference is suspected only if every tensor computed from it contradicts it."""
    assert sorted(suspects("abc", CHAIN, compared, set())) == wrong


def test_an_output_is_mapped_by_its_own_name() -> None:
    """The model itself names it, so its error is the graph's."""
    assert suspects("abc", CHAIN, chain(a=0.0, b=0.5, c=0.0), {"b"}) == {}


def test_a_tensor_that_fits_no_shape_is_looked_through() -> None:
    """It could not be compared at all, but the tensors computed from it could."""
    assert suspects("abc", CHAIN, chain(a=0.5, c=0.0), set()) == {"a": ["c"]}


def test_a_tensor_mapped_to_another_is_left_out(tmp_path: Path) -> None:
    """Its values differ, but those computed from it agree: the map is wrong, not the graph."""

    found = inspected(tmp_path, exported=swapped(tmp_path, c1="c2"))

    assert list(found["taps"]["wrongly_mapped"]) == ["c1"]
    assert "c1" not in [layer["name"] for layer in found["layers"]]
    assert blamed(found, "export") == []


def test_neighbours_that_are_both_mapped_wrongly_are_left_out(tmp_path: Path) -> None:
    """The check looks through each of them to the tensors computed from it later."""

    found = inspected(tmp_path, exported=swapped(tmp_path, c1="c2", r1="r2"))

    assert sorted(found["taps"]["wrongly_mapped"]) == ["c1", "r1"]
    assert blamed(found, "export") == []


def test_an_error_that_saturation_swallows_is_not_a_wrong_map(tmp_path: Path) -> None:
    """Tensors that carry the error are compared and not blamed; nothing shows whether its source matters."""
    found = inspected(tmp_path, of=saturated, exported=set_constant("w0", lambda w: w * 1.3))
    proofs = {layer["name"]: layer["proof"] for layer in found["layers"]}

    assert found["taps"]["wrongly_mapped"] == {}
    assert list(found["taps"]["undecided"]) == ["c0"]
    assert (proofs["r0"], proofs["c1"], proofs["r1"], proofs["y"]) == ("local value", "local value", "value", "value")
    assert blamed(found, "export") == []


def test_a_wrong_map_before_saturation_is_not_called_proved(tmp_path: Path) -> None:
    """Any value gives the same result there: the tensor is left out, and the exporter is not blamed for it."""

    def another(model: onnx.ModelProto) -> None:
        path = tmp_path / "values" / json.loads((tmp_path / "values" / "index.json").read_text("utf-8"))["c1"]
        np.save(path, 3 * np.load(path))

    found = inspected(tmp_path, of=saturated, exported=another)

    assert found["taps"]["wrongly_mapped"] == {} and list(found["taps"]["undecided"]) == ["c1"]
    assert blamed(found, "export") == []


def test_a_wrong_map_beside_a_swallowed_error_is_still_proved(tmp_path: Path) -> None:
    """Each is fed alone; the tensors before the saturation stay."""

    def both(model: onnx.ModelProto) -> None:
        set_constant("w0", lambda w: w * 1.3)(model)
        swapped(tmp_path, c2="c3")(model)

    found = inspected(tmp_path, of=saturated, exported=both)

    assert list(found["taps"]["wrongly_mapped"]) == ["c2"]
    assert {"r0", "c1", "r2"} <= {layer["name"] for layer in found["layers"]}
