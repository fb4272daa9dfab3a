"""Tests of calibration and validation samples: every way they can be wrong, and how they are cut into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trtbuild.arrays.data import Samples, open_samples, open_sizes, rows_per_call
from trtbuild.base.errors import ConfigError, DataError

PROFILE = {"min": 1, "opt": 2, "max": 4}
X = {"dtype": "float32", "shape": [None, 2], "profile": PROFILE, "range": [0.0, 1.0]}
INPUTS = {"image": X}


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def opened(path: Path, inputs: dict[str, Any] = INPUTS, labels: tuple[str, ...] = ()) -> Samples:
    return open_samples("models/data.npz", path, inputs, "model.data.validation", labels)


def refusal(path: Path, **rest: Any) -> str:
    with pytest.raises(DataError) as caught:
        list(opened(path, **rest).batches(rest.get("inputs", INPUTS), 2))
    return str(caught.value)


def spec(**changed: Any) -> dict[str, Any]:
    return {"image": {**X, **changed}}


def rows(count: int, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    return np.arange(count * 2).reshape(count, 2).astype(dtype)


# --- what is refused ----------------------------------------------------------------------------------------------


def test_a_missing_key_names_the_nearest(tmp_path: Path) -> None:
    """The file is named as the config does."""
    assert refusal(saved(tmp_path, images=rows(2))) == "models/data.npz: no array 'image'; did you mean 'images'?"


def test_a_missing_label_is_missed(tmp_path: Path) -> None:
    """A task metric needs its labels."""
    assert "no array 'label'" in refusal(saved(tmp_path, image=rows(2)), labels=("label",))


@pytest.mark.parametrize("array", [np.zeros((0, 2), np.float32), np.float32(1)])
def test_no_sample_is_no_data(tmp_path: Path, array: Any) -> None:
    """An empty array, or a single number, holds no sample."""
    assert refusal(saved(tmp_path, image=array)).endswith("'image' holds no sample")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_is_found_with_its_sample(tmp_path: Path, bad: float) -> None:
    """The index is that of the whole file, not of its batch."""
    array = rows(5)
    array[3, 1] = bad

    assert refusal(saved(tmp_path, image=array)).endswith("'image' has NaN or infinity in sample 3")


@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 2, 1)])
def test_samples_of_another_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Both shapes are said, without the batch dimension."""
    said = refusal(saved(tmp_path, image=np.zeros(shape, np.float32)))

    assert said.endswith(f"samples of 'image' have shape {list(shape[1:])}, the model wants [2]")


def test_a_dynamic_dimension_takes_any_size(tmp_path: Path) -> None:
    """`null` in a shape accepts what the data has."""
    path = saved(tmp_path, image=np.zeros((4, 7), np.float32))

    assert opened(path, spec(shape=[None, None], profile={k: [v, 7] for k, v in PROFILE.items()})).count == 4


def test_text_is_no_number(tmp_path: Path) -> None:
    """Strings have no place in a model."""
    assert "has dtype <U1; store numbers" in refusal(saved(tmp_path, image=np.array([["a", "b"]])))


def test_fractions_are_not_cut_off(tmp_path: Path) -> None:
    """Floats for an integer input are a mistake, not a rounding."""
    path = saved(tmp_path, image=rows(2))

    assert refusal(path, inputs=spec(dtype="int32")).endswith("'image' is float32, the model wants int32")


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
    """A finite number that the input's type cannot hold must not become infinity in silence."""
    path = saved(tmp_path, image=np.array([[0, value]]))

    assert "do not fit" in refusal(path, inputs=spec(dtype=dtype))


def test_arrays_of_unequal_length(tmp_path: Path) -> None:
    """All lengths are said."""
    path = saved(tmp_path, image=rows(3), label=np.zeros(2))

    assert refusal(path, labels=("label",)).endswith("arrays differ in length: image 3, label 2")


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
    calls = cut(open_samples(source, None, inputs, "w"), inputs)
    alone = open_samples(source, None, {"keep": KEEP}, "w")

    assert [rows for _, rows in calls] == [batch or 1] * 3
    assert len({value for value, _ in calls}) == 3
    assert [call.feeds["keep"].ndim for call in alone.batches({"keep": KEEP}, 4)] == [0, 0, 0]


def test_a_scalar_beside_different_static_batches_is_one_value_a_call(tmp_path: Path) -> None:
    """Such a call is one sample."""
    inputs = {"keep": KEEP, "a": {**X, "shape": [1, 2]}, "b": {**X, "shape": [2, 2]}}
    samples = opened(saved(tmp_path, a=rows(3), b=rows(6), keep=np.arange(3, dtype=np.float32)), inputs)

    assert [value for value, _ in cut(samples, inputs)] == [0, 1, 2]


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 and no more"])
def test_a_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    """It is named, with how to make one."""
    (tmp_path / "data.npz").write_bytes(content)

    assert refusal(tmp_path / "data.npz").startswith("models/data.npz: not a")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive(tmp_path: Path, save: Any) -> None:
    """A flipped byte inside an array is found, compressed or not."""
    path = tmp_path / "data.npz"
    save(path, image=np.arange(4096, dtype=np.float32).reshape(-1, 2))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)

    assert "not a readable .npz file" in refusal(path)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    """Object arrays could run code."""
    assert "not a readable .npz file" in refusal(saved(tmp_path, image=np.array([{"a": 1}])))


def test_a_bare_array_is_no_archive(tmp_path: Path) -> None:
    """An .npy file has no names in it."""
    np.save(tmp_path / "data.npy", rows(2))

    assert "not an .npz file" in refusal(tmp_path / "data.npy")


def test_an_empty_folder(tmp_path: Path) -> None:
    """A folder holds one .npy for each input."""
    assert "no .npy file in it; one .npy for each input" in refusal(tmp_path)


# --- what is read -------------------------------------------------------------------------------------------------


def test_a_folder_has_one_file_for_each_key(tmp_path: Path) -> None:
    """File names are keys."""
    np.save(tmp_path / "image.npy", rows(3))

    assert opened(tmp_path).count == 3


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


def test_a_full_disk_is_not_the_files_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed archive is unpacked once; where there is no room, that is said."""
    np.savez_compressed(tmp_path / "data.npz", image=rows(2))

    def full(**_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(OSError, match="No space left"):
        opened(tmp_path / "data.npz")


# --- what is made up ----------------------------------------------------------------------------------------------


def drawn(inputs: dict[str, Any], count: int = 4, seed: int = 0) -> dict[str, Any]:
    made = open_samples({"kind": "random", "count": count, "seed": seed}, None, inputs, "where")
    return {name: np.asarray(array) for name, array in made.arrays.items()}


def test_random_data_hangs_on_its_seed_alone() -> None:
    """The same seed draws the same, another one does not; an input added does not move the others."""
    both = {"a": X, "b": X}

    np.testing.assert_array_equal(drawn({"a": X})["a"], drawn(both)["a"])
    assert (drawn(both)["a"] != drawn(both)["b"]).any()
    assert (drawn({"a": X})["a"] != drawn({"a": X}, seed=1)["a"]).any()


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int64"])
def test_random_data_lies_in_the_range(dtype: str) -> None:
    """Bounds are [low, high), the dtype is the input's."""
    array = drawn(spec(dtype=dtype, range=[2.0, 5.0]), count=200)["image"]

    assert (array.dtype, array.shape) == (np.dtype(dtype), (200, 2))
    assert array.min() >= 2
    assert array.max() <= (5 if np.dtype(dtype).kind == "f" else 4)
    assert len(np.unique(array)) >= 3


def test_random_data_fills_dynamic_dimensions_as_the_profile_says() -> None:
    """The optimal shape is what is worth measuring."""
    profile = {"min": [1, 2], "opt": [2, 6], "max": [4, 8]}

    assert drawn(spec(shape=[None, None], profile=profile))["image"].shape == (4, 6)


def test_random_data_is_the_same_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn in blocks of a few rows, or at once as numpy would."""
    monkeypatch.setattr("trtbuild.arrays.data.BLOCK_ELEMENTS", 5)
    generators = [np.random.default_rng([0, index]) for index in range(2)]
    expected = [generators[0].uniform(0, 1, (9, 2)).astype(np.float32), generators[1].integers(0, 200, (9, 2))]
    found = drawn({"a": X, "b": {**X, "dtype": "uint8", "range": [0, 200]}}, count=9)

    np.testing.assert_array_equal(found["a"], expected[0])
    np.testing.assert_array_equal(found["b"], expected[1])


def yields(count: int, width: int = 2) -> Iterator[dict[str, Any]]:
    """Samples as a user's callable makes them; the last one of ``count`` 3 is wider."""
    for i in range(count):
        yield {"image": np.full(width + (count == 3 and i == 2), i, np.float32)}


def factory(count: int) -> Samples:
    source = {"kind": "factory", "callable": f"{__name__}:yields", "arguments": {"count": count}}
    return open_samples(source, None, INPUTS, "model.data.validation")


def test_a_callable_yields_samples() -> None:
    """Its arguments come from the config; samples are stacked."""
    np.testing.assert_array_equal(np.asarray(factory(2).arrays["image"]), [[0, 0], [1, 1]])


def names(count: int) -> Iterator[dict[str, Any]]:
    """Samples with a text beside the numbers."""
    return ({"image": np.zeros(2), "file": f"{i}.png"} for i in range(count))


def test_what_a_callable_yields_besides_is_not_kept() -> None:
    """A file's name is no number, and nobody reads it; as an input it is refused."""
    source = {"kind": "factory", "callable": f"{__name__}:names", "arguments": {"count": 3}}

    assert open_samples(source, None, INPUTS, "model.data.validation").count == 3
    with pytest.raises(DataError, match="'file' has dtype <U5; yield numbers"):
        open_samples(source, None, {"file": X}, "model.data.validation")


def test_a_callable_that_yields_nothing() -> None:
    """No sample, no array."""
    with pytest.raises(DataError, match="no array 'image'; there is none"):
        factory(0)


SIZES = {"image": {"dtype": "float32", "shape": [None, None], "profile": {"min": 1, "opt": [1, 2], "max": 9}}}


def sized(count: int) -> tuple[Samples, ...]:
    source = {"kind": "factory", "callable": f"{__name__}:yields", "arguments": {"count": count}}
    return open_sizes(source, None, SIZES, "model.data.calibration")


def values(parts: Iterable[Samples]) -> list[list[Any]]:
    return [np.asarray(part.arrays["image"]).tolist() for part in parts]


def test_samples_of_several_sizes_are_parts() -> None:
    """Each run of one size is one array, in the order of the samples; the numbers stay exact."""
    assert values(sized(3)) == [[[0, 0], [1, 1]], [[2, 2, 2]]]
    assert [part.count for part in sized(3)] == [2, 1]


def test_what_is_not_calibration_has_one_size() -> None:
    """The callable is named, and what differs: also where that is a label."""
    source = {"kind": "factory", "callable": f"{__name__}:yields", "arguments": {"count": 3}}
    with pytest.raises(DataError, match=r"yields: samples differ in shape: 'image' has \[3\] after \[2\]; calibration"):
        open_samples(source, None, SIZES, "model.data.validation")


def labelled(count: int) -> Iterator[dict[str, Any]]:
    return ({"image": np.zeros(2), "boxes": np.zeros((i, 4))} for i in range(count))


def test_labels_of_several_sizes_are_refused() -> None:
    """Nothing of the second part would be read."""
    source = {"kind": "factory", "callable": f"{__name__}:labelled", "arguments": {"count": 2}}
    with pytest.raises(DataError, match=r"'boxes' has \[1, 4\] after \[0, 4\]"):
        open_samples(source, None, INPUTS, "model.data.validation", ["boxes"])


def test_a_folder_of_archives_has_a_size_each(tmp_path: Path) -> None:
    """In the order of their names; equal ones in a row join."""
    for name, width, fill in (("a", 2, 1), ("b", 2, 2), ("c", 3, 3)):
        np.savez(tmp_path / f"{name}.npz", image=np.full((2, width), fill, np.uint8), other=np.zeros(2))
    parts = open_sizes("data", tmp_path, SIZES, "model.data.calibration")

    assert values(parts) == [[[1, 1], [1, 1], [2, 2], [2, 2]], [[3, 3, 3], [3, 3, 3]]]


@pytest.mark.parametrize("rank", [1, 2])
def test_a_folder_of_samples_of_the_one_input(tmp_path: Path, rank: int) -> None:
    """Where no file bears an input's name each is one sample, with or without its first dimension."""
    for i, width in enumerate((3, 2)):
        np.save(tmp_path / f"frame{i}.npy", np.full((1, width)[2 - rank :], i, np.float32))
    parts = open_sizes("data", tmp_path, SIZES, "model.data.calibration")

    assert values(parts) == [[[0, 0, 0]], [[1, 1]]]


def test_a_batch_in_a_folder_of_samples_loses_no_row(tmp_path: Path) -> None:
    """Each of its rows is a sample."""
    np.save(tmp_path / "frames.npy", np.arange(4, dtype=np.float32).reshape(2, 2))

    assert values(open_sizes("data", tmp_path, SIZES, "model.data.calibration")) == [[[0, 1], [2, 3]]]


def test_an_archive_whose_arrays_differ_in_length(tmp_path: Path) -> None:
    """One of a folder, by its name."""
    np.savez(tmp_path / "a.npz", image=np.zeros((2, 2)), label=np.zeros(3))
    with pytest.raises(DataError, match=r"data: arrays of a\.npz differ in length"):
        open_sizes("data", tmp_path, SIZES, "model.data.calibration", ["label"])


def test_arrays_of_objects_are_told_of_a_folder(tmp_path: Path) -> None:
    """numpy makes them of samples of several sizes."""
    ragged = np.empty(2, object)
    ragged[:] = [np.zeros(2), np.zeros(3)]
    np.savez(tmp_path / "a.npz", image=ragged, allow_pickle=True)
    with pytest.raises(DataError, match=r"array of objects.*; samples of several sizes: a folder of \.npz files"):
        open_sizes("data", tmp_path / "a.npz", SIZES, "model.data.calibration")


def test_a_callable_that_cannot_be_imported() -> None:
    """The key in the config is named."""
    with pytest.raises(
        ConfigError, match=r"model\.data\.validation\.callable: cannot import a callable 'nowhere:make'"
    ):
        open_samples(
            {"kind": "factory", "callable": "nowhere:make", "arguments": {}}, None, INPUTS, "model.data.validation"
        )
