"""Tests of what is made of results: results, comparison, documents, JUnit, pages, records, identity."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.suite.cases import OK, REFUSED, RTX, results, simple
from trtbuild.base.packaged import templates
from trtbuild.core.complaint import Complaint
from trtbuild.suite import document, identity
from trtbuild.suite.case import Tolerance
from trtbuild.suite.comparison import difference
from trtbuild.suite.junit import to_xml
from trtbuild.suite.outline import svg
from trtbuild.suite.page import render_all
from trtbuild.suite.records import Records
from trtbuild.suite.stage import Stages, of_answer, overall
from trtbuild.workers.prober import Answer

NAN, INF = float("nan"), float("inf")


def made(stages: Stages, expected: dict[str, str] | None) -> dict[str, object]:
    wanted = {"rtx-1.7": {} if expected is None else {"relu-alone": expected}}
    return document.make([simple()], {"rtx-1.7": RTX}, results(stages), wanted, "no-gpu")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("ok"), "ok"),
        (Answer("parse", "parse", (Complaint("n", "Resize", "parse", "words"),)), "parses: no"),
        (Answer("build", "build", words=("words",)), "builds: no"),
        (Answer("misread", "misread", words=("words",)), "builds: no"),
        (Answer("crash", "parsing", words=("SIGSEGV",)), "parses: crash"),
        (Answer("timeout", "building", words=("60 s",)), "builds: timeout"),
    ],
)
def test_tensorrts_answer_is_two_results(answer: Answer, said: str) -> None:
    """What comes before the failure is yes, what comes after is not there."""
    assert overall(of_answer(answer)) == said


def test_warnings_are_said_of_a_graph_that_builds() -> None:
    """Those that change something, with their nodes."""
    doubt = Complaint("n", "LogSoftmax", "misread", "the logarithm of a softmax")
    answer = Answer("ok", warnings=(doubt, Complaint("", "", "build", "CUDA lazy loading is not enabled.")))

    assert of_answer(answer)["builds"].says == "LogSoftmax n: the logarithm of a softmax"
    assert of_answer(Answer("ok"))["builds"].says == ""


def test_what_tensorrt_adds_without_a_driver_is_no_part_of_the_message() -> None:
    """It would look like the cause."""
    tail = "[checkMacros.cpp::catchCudaError::229] Error Code 1: Cuda Runtime (In catchCudaError at /_src/x.cpp:229)"
    answer = Answer("build", "build", words=("no runners", tail))

    assert of_answer(answer)["builds"].says == "no runners"


@pytest.mark.parametrize(
    ("reference", "value", "says"),
    [
        ([1.0, NAN, INF], [1.0, NAN, INF], ""),
        ([1.0, 100.0], [1.05, 105.0], ""),
        ([1.0], [1.3], "1 of 1 values differ; 1.3 instead of 1 at [0]"),
        ([NAN, 1.0], [0.0, 1.0], "1 of 2 values differ"),
        ([INF], [-INF], "values differ"),
        ([INF], [3e38], "values differ"),
        ([2**40], [2**40 + 1], "values differ"),
        ([[1.0]], [1.0], "shape [1] instead of [1, 1]"),
        (["a", "b"], [b"a", b"b"], ""),
        ([True], [False], "values differ"),
    ],
)
def test_values_are_compared_as_their_types_ask(reference: list[object], value: list[object], says: str) -> None:
    """Floats within tolerances, the rest exactly; special values are equal to themselves only."""
    found = difference(np.array(reference), np.array(value), Tolerance(0.1, 0.1))

    assert found == "" if says == "" else says in found


def test_a_flipped_expectation_is_a_failure() -> None:
    """Of the document, its summary, JUnit's file and the exit status."""
    flipped = made(OK, {"builds": "no"})

    assert flipped["failures"] == 1
    assert any("unexpected pass: relu-alone with rtx-1.7: fixed in rtx-1.7" in line for line in document.lines(flipped))
    suite = ElementTree.fromstring(to_xml(flipped))[0]
    assert suite.get("failures") == "1" and suite[0][0].get("type") == "unexpected pass"


def test_an_expected_failure_is_skipped_in_junit() -> None:
    """With its message."""
    suite = ElementTree.fromstring(to_xml(made(REFUSED, {"parses": "no"})))[0]

    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    assert "Resize: only nearest" in (suite[0][0].get("message") or "")


def test_a_new_case_fails_only_when_it_does_not_work() -> None:
    """Without an expectation nothing is expected of a case but to work."""
    assert made(OK, None)["failures"] == 0
    assert made(REFUSED, None)["failures"] == 1


def test_first_bad_and_first_good_versions() -> None:
    """In the order of the versions; good again counts after the first bad one only."""
    found = results(REFUSED, version="a")
    found.probed |= {"b": results(OK).probed["rtx-1.7"]}
    entry = document.make([simple()], {"a": RTX, "b": RTX}, found, {"a": {}, "b": {}}, "no-gpu")["cases"][0]

    assert (entry["first_bad"], entry["first_good"]) == ("a", "b")


def test_the_page_has_result_message_and_graph() -> None:
    """Without JavaScript, without the network, and the refused node is marked."""
    data = made(REFUSED, {"parses": "no"})
    page = render_all(data, results(REFUSED), templates(Path.cwd()))["suite.html"]

    assert "Resize: only nearest" in page and 'class="bad"' in page and "✘ parses: no" in page
    assert "://" not in page and "src=" not in page
    assert page == render_all(data, results(REFUSED), templates(Path.cwd()))["suite.html"]


def test_names_in_a_picture_are_escaped() -> None:
    """They come from models."""
    assert "<script" not in svg([{"op": "", "name": "<script>", "from": []}])


def test_records_outlive_a_broken_line(tmp_path: Path) -> None:
    """A killed process may leave half a line."""
    file = tmp_path / "records.jsonl"
    Records(file).put("a", {"x": 1})
    with file.open("a", encoding="utf-8") as handle:
        handle.write('{"key": "b", "val')
    Records(file).put("c", {"x": 3})

    assert [Records(file).get(key) for key in "abc"] == [{"x": 1}, None, {"x": 3}]


def test_records_are_tidied(tmp_path: Path) -> None:
    """Once most lines are of keys that nobody uses."""
    file = tmp_path / "records.jsonl"
    records = Records(file)
    for i in range(20):
        records.put(f"old{i}", {})
    records.put("new", {"x": 1})
    records.tidy({"new"})

    assert Records(file).get("new") == {"x": 1} and Records(file).get("old1") is None


def test_a_function_hangs_on_itself_and_on_what_its_file_shares(tmp_path: Path) -> None:
    """Not on the other cases beside it."""
    text = "SIZE = 3\n\n@case('a')\ndef a(x):\n    return x\n\n@case('b')\ndef b(x):\n    return x\n"

    def digests(changed: str) -> tuple[str, str]:
        identity._parts.cache_clear()
        (tmp_path / "f.py").write_text(changed, "utf-8")
        a, b = (identity.function_digest(tmp_path / "f.py", name) for name in "ab")
        return a, b

    a, b = digests(text)
    assert digests(text.replace("def b(x):\n    return x", "def b(x):\n    return -x")) != (a, b)
    assert digests(text.replace("def b(x):\n    return x", "def b(x):\n    return -x"))[0] == a
    assert digests(text.replace("SIZE = 3", "SIZE = 4"))[0] != a


def test_a_case_hangs_on_the_neighbours_that_its_file_imports(tmp_path: Path) -> None:
    """A helper beside it may change what it builds."""

    def digest(helper: str) -> str:
        identity._parts.cache_clear()
        identity._neighbours.cache_clear()
        identity._bytes.cache_clear()
        (tmp_path / "f.py").write_text(
            "from blocks import block\n\n@case('a')\ndef a(x):\n    return block(x)\n", "utf-8"
        )
        (tmp_path / "blocks.py").write_text(helper, "utf-8")
        return identity.function_digest(tmp_path / "f.py", "a")

    assert digest("block = abs\n") != digest("block = min\n")
