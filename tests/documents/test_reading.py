"""Tests of the door through which JSON documents come in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

from tests.support import pages
from trtbuild.base.errors import ConfigError, PlaceError
from trtbuild.documents import reading
from trtbuild.documents.deviation import Deviation
from trtbuild.documents.engine import Passport
from trtbuild.documents.report import Report
from trtbuild.documents.schema import LATER, Limit
from trtbuild.documents.verdict import Verdict


class Row(TypedDict):
    size: float | None


class Table(TypedDict):
    rows: dict[str, list[Row]]
    count: Annotated[int, Limit("minimum", 1)]
    flags: list[bool]
    note: Annotated[str, LATER]
    first: Row | None


GOOD = {"rows": {"a b": [{"size": 1}, {"size": None}]}, "count": 2, "flags": [True], "first": None}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""), ({"unknown": 1}, ""), ({"note": "x"}, ""), ({"first": {"size": 2.5}}, ""),
        ({"note": 1}, "note: expected text"),
        ({"rows": {"a b": [{"size": 1}, {"size": "1"}]}}, "rows.a b[1].size: expected number or null"),
        ({"rows": {"a\x1b": [{}]}}, r"rows.a\x1b[0].size: missing"),
        ({"count": True}, "count: expected whole number"), ({"count": 0}, "count: 0 is less than the minimum of 1"),
        ({"flags": [1]}, "flags[0]: expected true or false"), ({"rows": []}, "rows: expected an object"),
        ({"first": {}}, "first.size: missing"),
    ],
)  # fmt: skip
def test_the_first_fault_is_named_by_its_place(changed: dict[str, object], fault: str) -> None:
    """Of a nested value, an item, a member of a union."""
    assert reading.fault_of({**GOOD, **changed}, Table) == fault


@pytest.mark.parametrize("value", [None, [], "text", 3, True])
def test_a_document_that_is_not_an_object_is_told_so(value: object) -> None:
    """Whatever else it is."""
    assert reading.fault_of(value, Table) == "document: expected an object"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a JSON document: Expecting value"), ('{"count": NaN}', "not a JSON document: NaN is not a number"),
        ("[" * 100_000, "not a JSON document"), ("{}", "not a table.json: rows: missing; it is damaged, or another"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    """File, key and how to mend it; exit status 3 unless the reader knows better."""
    path = tmp_path / "table.json"
    path.write_text(text, "utf-8")
    with pytest.raises(PlaceError) as caught:
        reading.read(path, Table)
    assert str(caught.value).startswith(f"{path}: {said}") and "\n" not in str(caught.value)


def test_a_reader_names_the_error_and_the_hint(tmp_path: Path) -> None:
    """A file that is not there, handed in by a user."""
    with pytest.raises(ConfigError, match="cannot be read: No such file") as caught:
        reading.read(tmp_path / "x.json", Table, error=ConfigError)
    assert caught.value.exit_status == 2


def cases() -> list[tuple[dict[str, Any], type]]:
    made = pages.artifacts(engine=0.5, sets=("more",))
    return [
        (pages.page(), Report),
        (made["deviation"], Deviation),
        (made["passport"], Passport),
        (made["verdict"], Verdict),
    ]


@pytest.mark.parametrize(("document", "kind"), cases(), ids=lambda v: getattr(v, "__name__", ""))
def test_no_damage_passes_or_raises_anything_else(document: dict[str, Any], kind: type) -> None:
    """Each value anywhere in a document in turn replaced by one of another type: a fault at that very place."""

    def places(value: Any, path: tuple[str | int, ...]) -> list[tuple[str | int, ...]]:
        items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
        return [path, *(found for key, inner in items for found in places(inner, (*path, key)))]

    text = json.dumps(document)
    assert reading.fault_of(json.loads(text), kind) == ""
    for *parents, last in places(json.loads(text), ())[1::7]:
        damaged = inner = json.loads(text)
        for key in parents:
            inner = inner[key]
        if "source" not in (last, *parents):  # of a data set it may hold anything
            inner[last] = [object]
            assert reading.fault_of(damaged, kind) != "", (*parents, last)
