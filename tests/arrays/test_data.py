"""Tests of calibration and validation samples: every way they can be wrong, and how they are cut into batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trtbuild.arrays.data import Source
from trtbuild.arrays.samples import Samples
from trtbuild.base.errors import ConfigError, DataError

PROFILE = {"min": 1, "opt": 2, "max": 4}
X = {"dtype": "float32", "shape": [None, 2], "profile": PROFILE, "range": [0.0, 1.0]}
INPUTS = {"image": X}


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def opened(path: Path, inputs: dict[str, Any] = INPUTS, labels: tuple[str, ...] = ()) -> Samples:
    return Source("models/data.npz", path, inputs, "model.data.validation", labels).samples()


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


@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 2, 1)])
def test_samples_of_another_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Both shapes are given, without the batch dimension."""
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


def test_arrays_of_unequal_length(tmp_path: Path) -> None:
    """All lengths are listed."""
    path = saved(tmp_path, image=rows(3), label=np.zeros(2))

    assert refusal(path, labels=("label",)).endswith("arrays differ in length: image 3, label 2")


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


def test_a_full_disk_is_not_the_files_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed archive is unpacked once; lack of space is reported."""
    np.savez_compressed(tmp_path / "data.npz", image=rows(2))

    def full(**_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(OSError, match="No space left"):
        opened(tmp_path / "data.npz")


# --- what is made up ----------------------------------------------------------------------------------------------


def drawn(inputs: dict[str, Any], count: int = 4, seed: int = 0) -> dict[str, Any]:
    made = Source({"kind": "random", "count": count, "seed": seed}, None, inputs, "where").samples()
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
    return Source(source, None, INPUTS, "model.data.validation").samples()


def test_a_callable_yields_samples() -> None:
    """Its arguments come from the config; samples are stacked."""
    np.testing.assert_array_equal(np.asarray(factory(2).arrays["image"]), [[0, 0], [1, 1]])


def names(count: int) -> Iterator[dict[str, Any]]:
    """Samples with a text beside the numbers."""
    return ({"image": np.zeros(2), "file": f"{i}.png"} for i in range(count))


def test_what_a_callable_yields_besides_is_not_kept() -> None:
    """A file's name is not a number, and nobody reads it; as an input it is refused."""
    source = {"kind": "factory", "callable": f"{__name__}:names", "arguments": {"count": 3}}

    assert Source(source, None, INPUTS, "model.data.validation").samples().count == 3
    with pytest.raises(DataError, match="'file' has dtype <U5; yield numbers"):
        Source(source, None, {"file": X}, "model.data.validation").samples()


def test_a_callable_that_yields_nothing() -> None:
    """No sample, no array."""
    with pytest.raises(DataError, match="no array 'image'; there is none"):
        factory(0)


def test_a_callable_that_cannot_be_imported() -> None:
    """The key in the config is named."""
    with pytest.raises(
        ConfigError, match=r"model\.data\.validation\.callable: cannot import a callable 'nowhere:make'"
    ):
        Source(
            {"kind": "factory", "callable": "nowhere:make", "arguments": {}}, None, INPUTS, "model.data.validation"
        ).samples()
