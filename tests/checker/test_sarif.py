"""Tests of SARIF output against the essentials of its schema (SARIF 2.1.0, sections 3.13 to 3.29)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.checker.test_result import LGAMMA, TOPK, WARNING, found
from trtbuild.checker.result import Result, sarif


@pytest.fixture
def run() -> dict[str, Any]:
    document = sarif(found(LGAMMA, TOPK, WARNING), Path("/tmp"))
    assert document["version"] == "2.1.0" and document["$schema"].endswith("sarif-2.1.0.json")
    (run,) = document["runs"]
    return dict(run)


def test_every_result_has_a_known_rule_a_level_and_a_message(run: dict[str, Any]) -> None:
    """ruleIndex points at the rule of that id."""
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
    assert [rule["id"] for rule in rules] == sorted({rule["id"] for rule in rules})


def test_a_file_below_the_root_is_relative_to_it(run: dict[str, Any]) -> None:
    """A relative reference has no scheme and no leading slash, and names its base."""
    place = run["results"][0]["locations"][0]["physicalLocation"]

    assert place == {"artifactLocation": {"uri": "net.py", "uriBaseId": "%SRCROOT%"}, "region": {"startLine": 12}}
    assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"] == "file:///tmp/"


def test_a_problem_without_a_line_has_a_logical_place(run: dict[str, Any]) -> None:
    """The operation's name."""
    (location,) = run["results"][1]["locations"]

    assert location == {"logicalLocations": [{"fullyQualifiedName": "TopKV2", "kind": "member"}]}


def test_a_file_elsewhere_is_an_absolute_uri() -> None:
    """Not a path with dots in it."""
    document = sarif(found(LGAMMA), Path("/home"))
    place = document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]

    assert place["artifactLocation"] == {"uri": "file:///tmp/net.py"}


def test_a_check_that_was_not_done_is_an_unsuccessful_invocation() -> None:
    """Without results."""
    (run,) = sarif(Result(error="no TensorRT"))["runs"]

    assert run["results"] == [] and run["invocations"][0]["executionSuccessful"] is False
