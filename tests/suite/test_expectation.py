"""Tests of expectations: reading, strict judgement, proposals."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suite.cases import OK, ONE, REFUSED, workspace
from trtbuild.base.errors import ConfigError
from trtbuild.suite import proposal
from trtbuild.suite.collection import collect
from trtbuild.suite.expectation import PACKAGED, Expectation, describe, judge, propose, read
from trtbuild.suite.stage import Stage, Stages

VERSIONS = ("rtx-1.4", "rtx-1.5", "rtx-1.6", "rtx-1.7")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_packaged_case_has_an_expectation(version: str) -> None:
    """In each recorded version, and no expectation is left of a case that is gone."""
    assert set(read(PACKAGED / f"{version}.yaml", "no-gpu")) == set(collect(None))


@pytest.mark.parametrize(
    ("stages", "expectation", "outcome", "news"),
    [
        (OK, {}, "pass", ""),
        (REFUSED, {"parses": "no: only nearest"}, "expected failure", ""),
        (OK, {"parses": "no: only nearest"}, "unexpected pass", "fixed in rtx-9: parses: yes"),
        (REFUSED, {}, "unexpected failure", "regressed in rtx-9: parses: no, yes was expected: Resize: only nearest"),
        (REFUSED, {"parses": "no: another"}, "unexpected failure", "for another reason: Resize: only nearest"),
        (REFUSED, {"parses": "crash"}, "unexpected failure", "no, crash was expected"),
        (REFUSED, {"builds": "no"}, "unexpected failure", "builds: not reached"),
        ({**OK, "builds": Stage("no", "x")}, {"parses": "no"}, "unexpected failure", "changed in rtx-9"),
        ({**OK, "matches": Stage("untested", "x")}, {"matches": "untested"}, "pass", ""),
        ({**OK, "matches": Stage("untested", "x")}, {}, "unexpected failure", "matches: untested"),
        (OK, None, "new", "no expectation"),
    ],
)
def test_judgement_is_strict(stages: Stages, expectation: Expectation | None, outcome: str, news: str) -> None:
    """Better is news, worse or otherwise is a failure."""
    judged = judge(stages, expectation, "rtx-9")

    assert judged.outcome == outcome
    assert news in judged.news


def test_what_is_described_is_met() -> None:
    """For every recorded kind of failure, the proposal is what the judge accepts."""
    crash: Stages = {"exports": Stage("yes"), "parses": Stage("crash", "TensorRT died of SIGSEGV while parsing")}
    wrong = {**OK, "matches": Stage("no", "y: 3 of 6 values differ; -2 instead of -3 at [1]")}

    for stages in (OK, REFUSED, crash, wrong):
        assert judge(stages, describe(stages), "v").outcome in ("pass", "expected failure")
    assert describe(wrong) == {"matches": "no: values differ"}


def test_a_hand_written_result_may_be_bare(tmp_path: Path) -> None:
    """YAML reads a bare no as false."""
    file = tmp_path / "v.yaml"
    file.write_text("cases:\n  a: {builds: no}\n  b: ok\n  c: {gpu: ok}\n  d: {no-gpu: {parses: crash}}\n", "utf-8")

    assert read(file, "no-gpu") == {"a": {"builds": "no"}, "b": {}, "d": {"parses": "crash"}}


@pytest.mark.parametrize("entry", ["fine", "{build: no}", "{builds: perhaps}", "[]", "{}"])
def test_a_broken_expectation_is_named(tmp_path: Path, entry: str) -> None:
    """With the file and the case."""
    file = tmp_path / "v.yaml"
    file.write_text(f"cases:\n  broken: {entry}\n", "utf-8")

    with pytest.raises(ConfigError, match=r"v\.yaml: broken"):
        read(file, "no-gpu")


def test_a_proposal_keeps_the_rest_and_reads_back(tmp_path: Path) -> None:
    """Cases that were not run stay, those that are gone go, and a failure for want of a GPU is keyed by that."""
    file = tmp_path / "rtx-9.yaml"
    file.write_text("cases:\n  old: {builds: no}\n  gone: ok\n  other: {gpu: ok}\n", "utf-8")
    device: Stages = {**OK, "builds": Stage("no", 'it has no int8 "convolutions" where there is no GPU: x')}
    file.write_text(propose(file, "T 9", "no-gpu", {"new": REFUSED, "other": device}, ["old", "new", "other"]), "utf-8")

    assert set(read(file, "gpu")) == {"old", "new", "other"} and read(file, "gpu")["other"] == {}
    assert judge(device, read(file, "no-gpu")["other"], "v").outcome == "expected failure"
    assert read(file, "no-gpu")["old"] == {"builds": "no"}


def test_an_installed_package_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs from it goes to the workspace's own file, which is read before it."""
    workspace(tmp_path, ONE)
    monkeypatch.setattr(proposal, "in_checkout", lambda: False)
    found = {"mine": OK, "relu-like": OK, "resize-area": REFUSED, "cond-nested": OK}
    proposed = proposal.proposals("rtx-1.7", "T", found, collect(tmp_path), tmp_path, "no-gpu")
    ((path, text),) = proposed.items()
    path.parent.mkdir()
    path.write_text(text, "utf-8")

    assert path == tmp_path / "suite" / "expected" / "rtx-1.7.yaml"
    assert [line.split(":")[0].strip() for line in text.splitlines()[3:]] == ["mine", "resize-area"]
    assert proposal.expectations("rtx-1.7", tmp_path, "no-gpu")["resize-area"] == describe(REFUSED)
    assert proposal.difference(path, text) == "" and "+  x: ok" in proposal.difference(path, text + "  x: ok\n")
