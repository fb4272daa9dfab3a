"""Tests of schemas derived from types, and of the files that publish them."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

import pytest
from jsonschema import Draft202012Validator

from trtbuild.documents import published
from trtbuild.documents.deviation import Details, Deviation, Histograms
from trtbuild.documents.engine import Passport, Precision
from trtbuild.documents.latency import Latency
from trtbuild.documents.layers import Layers
from trtbuild.documents.report import Report
from trtbuild.documents.schema import LATER, Limit, schema_of
from trtbuild.documents.sweep import Sweep


class Inner(TypedDict):
    name: str


class _Required(TypedDict):
    count: Annotated[int, Limit("minimum", 0)]
    word: Literal["a", "b"]
    added: Annotated[float | None, LATER]
    inner: list[Inner]
    anything: dict[str, object]


class Outer(_Required, total=False):
    maybe: Inner | None


GOOD = {"count": 1, "word": "a", "added": None, "inner": [{"name": "x"}], "anything": {"y": [1]}}


@pytest.mark.parametrize(
    ("changed", "strict", "loose"),
    [
        ({}, True, True), ({"maybe": None}, True, True), ({"maybe": {"name": "x"}}, True, True),
        ({"unknown": 1}, False, True), ({"word": "c"}, False, True), ({"word": 1}, False, False),
        ({"count": -1}, False, False), ({"count": True}, False, False), ({"count": 1.5}, False, False),
        ({"inner": [{}]}, False, False), ({"maybe": {"name": None}}, False, False), ({"anything": []}, False, False),
    ],
)  # fmt: skip
def test_a_schema_says_what_the_type_says(changed: dict[str, object], strict: bool, loose: bool) -> None:
    """What is written is strict; what is read may be of another version."""
    document = {**GOOD, **changed}
    assert Draft202012Validator(schema_of(Outer)).is_valid(document) is strict
    assert Draft202012Validator(schema_of(Outer, strict=False)).is_valid(document) is loose


@pytest.mark.parametrize("key", sorted(GOOD))
def test_only_what_came_later_may_be_missing_in_what_is_read(key: str) -> None:
    """In what is written, nothing may."""
    document = {name: value for name, value in GOOD.items() if name != key}
    assert not Draft202012Validator(schema_of(Outer)).is_valid(document)
    assert Draft202012Validator(schema_of(Outer, strict=False)).is_valid(document) is (key == "added")


def test_what_has_no_schema_is_refused() -> None:
    """When the schema is derived, not by a schema that allows anything."""

    class Odd(TypedDict):
        path: bytes

    with pytest.raises(TypeError, match="bytes"):
        schema_of(Odd)


@pytest.mark.parametrize("name", published.FILES)
def test_the_published_schemas_are_those_of_the_types(name: str) -> None:
    """Written anew by ``python -m trtbuild.documents.published``."""
    assert (published.FOLDER / name).read_text("utf-8") == published.text(name)


@pytest.mark.parametrize("kind", [Report, Sweep, Deviation, Details, Histograms, Layers, Latency, Passport, Precision])
def test_every_derived_schema_is_a_schema(kind: type) -> None:
    """Strict, and as documents are read."""
    for strict in (True, False):
        Draft202012Validator.check_schema(schema_of(kind, strict=strict))
