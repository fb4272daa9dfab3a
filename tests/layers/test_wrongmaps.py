"""Tests of suspected maps: a difference that nothing computed from the tensor shows."""

from __future__ import annotations

import pytest

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
def test_what_is_not_passed_on_is_suspected(compared: dict[str, TensorComparison], wrong: list[str]) -> None:
    """Only a difference that every tensor computed from it contradicts."""
    assert sorted(suspects("abc", CHAIN, compared, set())) == wrong


def test_an_output_is_mapped_by_its_own_name() -> None:
    """The model says what it is: its error is the graph's."""
    assert suspects("abc", CHAIN, chain(a=0.0, b=0.5, c=0.0), {"b"}) == {}


def test_what_fits_no_shape_is_looked_through() -> None:
    """It could not be compared at all; what is computed from it could."""
    assert suspects("abc", CHAIN, chain(a=0.5, c=0.0), set()) == {"a": ["c"]}
