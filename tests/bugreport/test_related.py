"""Tests of the known issues: the list is whole, and matched by operation and kind of failure."""

from __future__ import annotations

from trtbuild.bugreport import related
from trtbuild.reducing.failure import Failure

ISSUES = related.read()
REFUSED = Failure("parse", "parse", "NonZero", "", "")


def test_every_entry_has_what_is_shown() -> None:
    """An id once, a title, a source, a known category."""
    known = {category for group in related._CATEGORIES.values() for category in group}

    assert len(ISSUES) > 190 and len({issue.id for issue in ISSUES}) == len(ISSUES)
    assert all(issue.title and issue.source for issue in ISSUES)
    assert {issue.category for issue in ISSUES} <= known | {"performance-regression"}


def test_issues_of_the_refused_operation_come_first() -> None:
    """And none that shares no operation."""
    found = related.match(ISSUES, ["NonZero", "Conv"], REFUSED)

    assert found and "NonZero" in found[0].onnx_ops
    assert all({"NonZero", "Conv"} & set(issue.onnx_ops) for issue in found)


def test_what_the_case_cites_comes_before_all() -> None:
    """It is what the case was made from."""
    found = related.match(ISSUES, ["NonZero"], REFUSED, ["NVIDIA/TensorRT#4854"])
    assert "NVIDIA/TensorRT#4854" in found[0].source


def test_no_related_issue_is_said() -> None:
    """Rather than an empty table."""
    assert "None of 3 issues" in related.text([], (), "3 issues")
