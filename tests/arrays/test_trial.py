"""Tests of guessing which sizes a model takes, by running it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trtbuild.arrays import trial
from trtbuild.base.errors import ModelError, SourceError
from trtbuild.core.parse import parse
from trtbuild.core.spec.model import Input

Shape = list[int | None]


def fitted(takes: Callable[..., bool], **shapes: Shape) -> Any:
    """The guess for a model that takes the shapes that ``takes`` says yes to, given in the order of the inputs."""

    def make(inputs: Any) -> Any:
        def run(feeds: Any) -> None:
            assert feeds.keys() == inputs.keys()
            if not takes(*(array.shape for array in feeds.values())):
                raise ModelError(f"not with {[array.shape for array in feeds.values()]}")

        return run

    return trial.fit({n: {"dtype": "float32", "shape": shape} for n, shape in shapes.items()}, make, trial.draw)


CASES: list[tuple[Shape, Callable[..., bool], Shape, Any]] = [
    ([None, 8], lambda s: True, [None, 8], {"min": 1, "opt": 4, "max": 8}),
    ([None, None, None, 3], lambda s: True, [None, None, None, 3],
     {"min": [1, 64, 64, 3], "opt": [4, 128, 128, 3], "max": [8, 256, 256, 3]}),
    ([None, None, None, 3], lambda s: s[1:3] == (224, 224), [None, 224, 224, 3], {"min": 1, "opt": 4, "max": 8}),
    ([None, None], lambda s: s[1] <= 64, [None, None], {"min": [1, 8], "opt": [4, 16], "max": [8, 32]}),
    ([None, None], lambda s: s[1] <= 16, [None, 16], {"min": 1, "opt": 4, "max": 8}),
    ([None, 8], lambda s: s[0] == 1, [1, 8], None),
    ([None, None], lambda s: s == (1, 28), [1, 28], None),
    ([2, None], lambda s: s[1] == 10, [2, 10], None),
    ([], lambda s: True, [], None),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "takes", "found", "profile"), CASES, ids=[str(found) for _, _, found, _ in CASES])
def test_the_first_guess_that_runs_is_taken(shape: Shape, takes: Any, found: Shape, profile: Any) -> None:
    """All of its profile's points run; what takes one size alone is static; a config takes it as it is."""
    guess = fitted(takes, x=shape)["x"]

    assert (guess["shape"], guess.get("profile")) == (found, profile)
    parse(Input, guess, "model.inputs.x")


def test_inputs_share_a_size() -> None:
    """A mask is as long as what it masks."""
    found = fitted(lambda a, b: a[1] == b[1] and a[0] == b[0], a=[None, None, 8], b=[None, None])

    assert found["b"]["profile"]["max"] == [8, 256] and found["a"]["profile"]["max"] == [8, 256, 8]


def test_where_no_guess_runs_the_dimension_to_give_is_named() -> None:
    """With the first reason; a model without dynamic dimensions cannot be run at all."""
    with pytest.raises(SourceError) as caught:
        fitted(lambda s: s[2] == 37, x=[None, 3, None])
    assert str(caught.value) == (
        "model: no size that was tried for its dynamic dimensions runs ('x' is [null,3,null]): not with [(4, 3, 128)]; "
        "give sizes that do, in place of null: --shape x=null,3,null"
    )
    with pytest.raises(SourceError, match="it cannot be run: not with"):
        fitted(lambda s: False, x=[2, 3])


def test_no_guess_is_begun_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that takes minutes to fail is not tried twenty times."""
    tried = []
    monkeypatch.setattr(trial, "LIMIT_S", -1.0)
    with pytest.raises(SourceError):
        fitted(lambda s: bool(tried.append(s)), x=[None, None])

    assert len(tried) == 1


@pytest.mark.parametrize("dtype", ["float16", "uint8", "int64", "bool"])
def test_values_are_of_the_type(dtype: str) -> None:
    """And small: tokens are indices."""
    drawn = trial.draw({"dtype": dtype, "shape": [64]})

    assert (drawn.dtype == dtype and set(drawn.tolist()) <= {0, 1}) or drawn.dtype.kind == "f"
