"""Tests of what is recorded of engines in fp16 and int8, and of how it is stated."""

from __future__ import annotations

import pytest

from trtbuild.documents import reading
from trtbuild.documents.recorded import Recorded
from trtbuild.engine import recorded

MB = 1_000_000


def test_the_record_is_whole() -> None:
    """Every entry has both precisions, of networks that are in the repository."""
    found = reading.read(recorded.PATH, Recorded)

    sizes = [size for models in found["bytes"].values() for pair in models.values() for size in pair.values()]

    assert sizes and min(sizes) > 0  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({"a": (MB, 2 * MB), "b": (3 * MB, MB)}, "in 1 of 2 networks, fp16 engines moved fewer bytes"),
        ({"a": (MB, 2 * MB)}, "a 1.0 against 2.0 MB"),
    ],
)
def test_a_comparison_has_the_numbers_of_every_network(models: dict[str, tuple[int, int]], words: str) -> None:
    found = recorded.Comparison("tensorrt-rtx 1.7", models)

    assert found.for_fp16 == ("a",)
    assert words in str(found)


def test_versions_differ_by_flavour_and_minor_number() -> None:
    """A patch is the same compiler; of the rest nothing is known."""
    found = recorded.comparison("tensorrt-rtx", "1.7.1.116")

    assert found == recorded.comparison("tensorrt-rtx", "1.7.9.0") and found is not None
    assert recorded.comparison("tensorrt", "1.7.1.116") is None
    assert recorded.comparison("tensorrt-rtx", "1.6.1.120") is None
