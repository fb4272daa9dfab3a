"""Tests of the range that ``init`` takes from a data file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trtbuild.building.datarange import enclosing, ranges_of
from trtbuild.core.recipes import InputParams

INPUTS: dict[str, InputParams] = {
    "image": {"dtype": "float32", "shape": [None, 2], "profile": {"min": 1, "opt": 4, "max": 8}, "range": []},
    "words": {"dtype": "int32", "shape": [None], "profile": {"min": 1, "opt": 4, "max": 8}, "range": []},
}
WORDS = np.array([3, 0, 999])


@pytest.mark.parametrize(
    ("low", "high", "range_"),
    [(0.0, 1.0, [0, 1]), (-0.9, 0.99, [-1, 1]), (2.0, 251.0, [0, 255]), (0.0, 0.003, [0, 0.003]),
     (-4.21, 3.9, [-4.3, 3.9]), (-1e-9, 0.0, [-1e-9, 0]), (103.9, 1200.0, [100, 1200]), (5.0, 7.2, [5, 7.2])],
)  # fmt: skip
def test_a_range_has_round_ends_and_holds_what_was_seen(low: float, high: float, range_: list[float]) -> None:
    assert enclosing(low, high) == range_
    assert range_[0] <= low and high <= range_[1]


def test_every_input_has_its_own(tmp_path: Path) -> None:
    """Of an .npz file, or a folder with one array each."""
    np.savez(tmp_path / "data.npz", image=np.array([[-2.0, 0.5], [1, 1], [2.3, 0]]), words=WORDS, label=WORDS)
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "image.npy", np.array([[-2.0, 0.5], [1, 1], [2.3, 0]]))
    np.save(tmp_path / "folder" / "words.npy", WORDS)

    for name in ("data.npz", "folder"):
        assert ranges_of(tmp_path / name, INPUTS) == {"image": [-2, 2.3], "words": [0, 1000]}


@pytest.mark.parametrize("image", [np.full((3, 2), np.nan), np.ones((3, 2)), np.zeros((3, 5)), None])
def test_what_says_nothing_is_left_to_the_build(tmp_path: Path, image: object) -> None:
    """Not finite, the same throughout, of another shape, or another name."""
    np.savez(tmp_path / "data.npz", **({"words": WORDS} | ({} if image is None else {"image": image})))

    assert "image" not in ranges_of(tmp_path / "data.npz", INPUTS)
