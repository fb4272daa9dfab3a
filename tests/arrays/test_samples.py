"""Tests of how samples are cut into calls, cast to the inputs' types, and checked value by value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arrays.test_data import INPUTS, PROFILE, X, opened, refusal, rows, saved, spec
from trtbuild.arrays.data import Source
from trtbuild.arrays.samples import Samples, different, rows_per_call
from trtbuild.base.errors import DataError


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_is_found_with_its_sample(tmp_path: Path, bad: float) -> None:
    """The index is that of the whole file, not of its batch."""
    array = rows(5)
    array[3, 1] = bad

    assert refusal(saved(tmp_path, image=array)).endswith("'image' has NaN or infinity in sample 3")


@pytest.mark.parametrize("value", [-1, 256])
def test_integers_do_not_wrap(tmp_path: Path, value: int) -> None:
    """A value outside the input's range is refused."""
    path = saved(tmp_path, image=np.array([[0, value]]))

    assert refusal(path, inputs=spec(dtype="uint8")).endswith("'image' has values that do not fit uint8")


@pytest.mark.parametrize(
    ("dtype", "value"), [("float16", np.float32(1e6)), ("float16", np.int32(70000)), ("float32", np.float64(1e300))]
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_cast_does_not_overflow(tmp_path: Path, dtype: str, value: Any) -> None:
    """A finite number that the input's type cannot hold must not silently become infinity."""
    path = saved(tmp_path, image=np.array([[0, value]]))

    assert "do not fit" in refusal(path, inputs=spec(dtype=dtype))


KEEP = {"dtype": "float32", "shape": [], "profile": None, "range": [0.5, 1.0]}


WITH_SCALAR = {"keep": KEEP, "image": X}


def cut(samples: Samples, inputs: dict[str, Any], size: int = 4) -> list[tuple[float, int]]:
    """The scalar and the rows of every call."""
    return [(float(call.feeds["keep"]), call.rows) for call in samples.batches(inputs, size)]


def test_a_scalar_is_one_value_for_each_sample(tmp_path: Path) -> None:
    """Samples that share it go in one call; it has no axis there."""
    path = saved(tmp_path, image=rows(6), keep=np.array([1, 1, 1, 0.5, 0.5, 1], np.float32))
    samples = opened(path, WITH_SCALAR)

    assert cut(samples, WITH_SCALAR) == [(1.0, 3), (0.5, 2), (1.0, 1)]
    assert next(samples.batches(WITH_SCALAR, 4)).feeds["keep"].shape == ()
    assert [len(call.feeds["image"]) for call in samples.batches(WITH_SCALAR, 4)] == [3, 2, 1]


def test_a_scalar_may_be_one_value_for_all_samples(tmp_path: Path) -> None:
    """As an array without an axis."""
    assert cut(opened(saved(tmp_path, image=rows(6), keep=np.float32(0.5)), WITH_SCALAR), WITH_SCALAR) == [
        (0.5, 4), (0.5, 2)
    ]  # fmt: skip


def test_a_scalar_has_as_many_values_as_there_are_samples(tmp_path: Path) -> None:
    """Neither more nor an axis more; NaN and types are looked at as anywhere."""
    for keep, says in (
        (np.ones(5, np.float32), "arrays differ in length: keep 5, image 6"),
        (np.ones((6, 1), np.float32), "samples of 'keep' have shape [1], the model wants []"),
        (np.full(6, np.nan, np.float32), "'keep' has NaN or infinity in sample 0"),
        (np.zeros(0, np.float32), "'keep' holds no sample"),
    ):
        assert refusal(saved(tmp_path, image=rows(6), keep=keep), inputs=WITH_SCALAR).endswith(says)


@pytest.mark.parametrize("batch", [None, 4])
def test_random_scalars_are_drawn_for_each_call(batch: int | None) -> None:
    """A static batch has one for all its rows; a model of scalars alone has as many calls as samples."""
    inputs = {"keep": KEEP, "image": {**X, "shape": [batch, 2], "profile": None if batch else PROFILE}}
    source = {"kind": "random", "count": 3, "seed": 0}
    calls = cut(Source(source, None, inputs, "w").samples(), inputs)
    alone = Source(source, None, {"keep": KEEP}, "w").samples()

    assert [rows for _, rows in calls] == [batch or 1] * 3
    assert len({value for value, _ in calls}) == 3
    assert [call.feeds["keep"].ndim for call in alone.batches({"keep": KEEP}, 4)] == [0, 0, 0]


def test_a_scalar_beside_different_static_batches_is_one_value_a_call(tmp_path: Path) -> None:
    """Such a call is one sample."""
    inputs = {"keep": KEEP, "a": {**X, "shape": [1, 2]}, "b": {**X, "shape": [2, 2]}}
    samples = opened(saved(tmp_path, a=rows(3), b=rows(6), keep=np.arange(3, dtype=np.float32)), inputs)

    assert [value for value, _ in cut(samples, inputs)] == [0, 1, 2]


def test_compact_images_are_widened(tmp_path: Path) -> None:
    """uint8 on disk, the input's dtype when read."""
    (batch,) = opened(saved(tmp_path, image=rows(2, np.uint8))).batches(INPUTS, 4)

    assert batch.feeds["image"].dtype == np.float32
    np.testing.assert_array_equal(batch.feeds["image"], [[0, 1], [2, 3]])


def test_the_last_batch_of_a_dynamic_input_is_short(tmp_path: Path) -> None:
    """No sample is made up where the model takes any number."""
    batches = list(opened(saved(tmp_path, image=rows(5))).batches(INPUTS, 2))

    assert [(b.rows, b.padded, len(b.feeds["image"])) for b in batches] == [(2, False, 2), (2, False, 2), (1, False, 1)]


def test_the_last_batch_of_a_static_input_is_padded(tmp_path: Path) -> None:
    """Copies of the last sample fill it up, and are not counted."""
    inputs = spec(shape=[2, 2], profile=None)
    (first, last) = opened(saved(tmp_path, image=rows(3)), inputs).batches(inputs, 8)

    assert [(b.rows, b.padded) for b in (first, last)] == [(2, False), (1, True)]
    np.testing.assert_array_equal(last.feeds["image"], [[4, 5], [4, 5]])


def test_batches_stay_within_the_profile() -> None:
    """The engine could not run more at once."""
    assert rows_per_call(INPUTS, 8) == {"image": 4}
    assert rows_per_call(spec(profile={"min": [1, 2], "opt": [2, 2], "max": [3, 2]}), 8) == {"image": 3}


def test_inputs_of_different_static_batches_are_cut_alike(tmp_path: Path) -> None:
    """Each call takes every input's own number of rows."""
    inputs = {"image": {**X, "shape": [2, 2], "profile": None}, "boxes": {**X, "shape": [3, 2], "profile": None}}
    samples = opened(saved(tmp_path, image=rows(4), boxes=rows(6)), inputs)

    assert [{k: len(v) for k, v in b.feeds.items()} for b in samples.batches(inputs, 8)] == [
        {"image": 2, "boxes": 3}
    ] * 2


def test_too_few_rows_for_one_call(tmp_path: Path) -> None:
    """Nothing would run, so nothing could be compared."""
    inputs = {"image": {**X, "shape": [4, 2], "profile": None}, "boxes": {**X, "shape": [6, 2], "profile": None}}
    samples = opened(saved(tmp_path, image=rows(2), boxes=rows(3)), inputs)

    with pytest.raises(DataError, match="too few rows for one call; a call takes image 4, boxes 6"):
        list(samples.batches(inputs, 8))


def test_copies_are_counted_once() -> None:
    """Across parts, whatever other arrays the file has, and no further than asked."""
    image = np.array([[0.0], [1.0], [0.0], [2.0]], np.float32)
    parts = [Samples({"image": one, "id": np.arange(len(one))}, len(one), "file") for one in (image, image[:1])]

    assert different(parts, {"image": spec()["image"]}, 10) == 3
    assert different(parts, {"image": spec()["image"]}, 2) == 2


def test_what_cannot_be_told_of_one_part_is_not_counted() -> None:
    """A call of it takes other numbers of rows of each input, so its samples may differ; that is no copy of others."""
    image = np.zeros((2, 1), np.float32)
    parts = [Samples({"image": image, "boxes": np.arange(rows)}, 2, "file") for rows in (2, 6)]
    inputs = {"image": spec()["image"], "boxes": spec()["image"]}

    assert different(parts[:1], inputs, 10) == 2
    assert different(parts, inputs, 10) is None
