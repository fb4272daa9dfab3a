"""Tests of what git's history says of a model."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from benchmarks.trend import REPORT, lock, records, repository, summary
from tests.support.pages import page
from trtbuild.base.errors import ConfigError, WorkspaceError
from trtbuild.base.packaged import templates
from trtbuild.base.workspace import Workspace
from trtbuild.documents.schema import schema_of
from trtbuild.documents.trend import Summary, Trend
from trtbuild.pipeline.trend import trend, wanted
from trtbuild.reports import trend as shown
from trtbuild.reports.summary import summary as summary_of

FOLDER = f"build/net/{REPORT}"
BEFORE = [("First", records(0)), ("Other", {"README.md": b"words"}), ("Second", records(1))]


def read(root: Path, *words: str) -> Trend:
    return trend(Workspace(root), wanted(words or ("model=net",)))


def subjects(found: Trend) -> list[str]:
    (variant,) = found["variants"]
    return [point["subject"] for point in variant["points"]]


def git(root: Path, *words: str) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def test_every_commit_with_records_is_a_point(tmp_path: Path) -> None:
    """Those without are none; numbers are those of summary.json."""
    found = read(repository(tmp_path, BEFORE))

    jsonschema.validate(json.loads(json.dumps(found)), schema_of(Trend))
    assert subjects(found) == ["First", "Second"] and found["commits"] == 2
    numbers = found["variants"][0]["points"][1]["numbers"]
    assert numbers is not None and numbers["moved_bytes"] == summary(1)["moved_bytes"]
    assert found["skipped"] == [] and found["gaps"] == 0 and not found["shallow"]


def test_variants_are_apart_and_can_be_chosen(tmp_path: Path) -> None:
    """By any axis of theirs; a wrong value names what is recorded."""
    root = repository(tmp_path, [*BEFORE, ("Half", records(2, precision="fp16"))])

    assert [v["variant"]["precision"] for v in read(root)["variants"]] == ["fp16", "int8"]
    assert subjects(read(root, "model=net", "precision=fp16")) == ["Half"]
    with pytest.raises(ConfigError, match="recorded: net-fp16"):
        read(root, "model=net", "precision=bf16")
    with pytest.raises(ConfigError, match="did you mean 'net'"):
        read(root, "model=nte")


def test_a_shallow_clone_shows_what_it_has(tmp_path: Path) -> None:
    """And says that there was more."""
    origin = repository(tmp_path / "origin", BEFORE)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{origin}", "clone")

    found = read(tmp_path / "clone")

    assert subjects(found) == ["Second"] and found["shallow"]
    assert any("shallow" in line for line in shown.notes(found))


def test_a_renamed_model_keeps_its_history(tmp_path: Path) -> None:
    """Its first record appears with the last one of another model gone."""
    gone: dict[str, bytes | None] = dict.fromkeys(records(0), None)
    root = repository(tmp_path, [*BEFORE, ("Rename", {**gone, **records(2, model="road/net")})])

    found = read(root, "model=road/net")

    assert subjects(found) == ["First", "Second", "Rename"] and found["renamed_from"] == ["net"]


def test_a_merge_counts_once(tmp_path: Path) -> None:
    """Along the first parents: what a branch did is the merge's."""
    root = repository(tmp_path, BEFORE)
    git(root, "checkout", "-q", "-b", "side")
    for i in (5, 6):
        for path, content in records(i).items():
            (root / path).write_bytes(content or b"")
        git(root, "commit", "-qam", f"Side {i}")
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--no-ff", "-m", "Merge side", "side")

    found = read(root)

    assert subjects(found) == ["First", "Second", "Merge side"]
    numbers = found["variants"][0]["points"][-1]["numbers"]
    assert numbers is not None and numbers["plan_bytes"] == summary(6)["plan_bytes"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "not a JSON document"),
        (json.dumps({**summary(1), "plan_bytes": "big"}).encode(), "plan_bytes: expected"),
        (b"[" * 100_000, "not a JSON document"),
    ],
    ids=["cut off", "wrong type", "deep"],
)
def test_damaged_records_are_skipped_by_name(tmp_path: Path, content: bytes, says: str) -> None:
    """With commit, path and the first fault; the others are shown."""
    broken = {f"{FOLDER}/dvc.lock": lock(7), f"{FOLDER}/summary.json": content}
    found = read(repository(tmp_path, [BEFORE[0], ("Broken", broken), BEFORE[2]]))

    assert subjects(found) == ["First", "Second"]
    assert f"{FOLDER}/summary.json: " in found["skipped"][0] and says in found["skipped"][0]


def test_a_damaged_lock_is_skipped(tmp_path: Path) -> None:
    """It names no variant."""
    found = read(
        repository(tmp_path, [BEFORE[0], ("Broken", {f"{FOLDER}/dvc.lock": b"\0", f"{FOLDER}/summary.json": None})])
    )

    assert subjects(found) == ["First"] and "it has no stages" in found["skipped"][0]


def test_records_of_before_summaries(tmp_path: Path) -> None:
    """Verdict and deviation in git, the plan's size in the engine's lock; what nobody has is a gap."""
    verdict = {"passed": True, "word": "pass", "unjudged": None, "thresholds": 1, "not_judged": {}, "checks": {
        "task: top1 drop": {"observed": 0.0, "limit": 0.1, "passed": True, "share_of_limit": 0.0, "metric": "top1",
                            "reference": 0.9, "score": 0.8, "higher_is_better": True}}}  # fmt: skip
    engine = b"schema: '2.0'\nstages:\n  engine:\n    outs:\n    - path: engine.plan\n      hash: md5\n      md5: "
    engine += b"0" * 32 + b"\n      size: 777\n"
    old = {
        f"{FOLDER}/dvc.lock": lock(0), "build/net/validate-int8-0/verdict.json": json.dumps(verdict).encode(),
        "build/net/engine-int8-0/dvc.lock": engine,
    }  # fmt: skip
    gap = {f"{FOLDER}/dvc.lock": lock(1), "build/net/validate-int8-0/verdict.json": None}

    found = read(repository(tmp_path, [("Old", old), ("Gap", gap)]))

    first, second = found["variants"][0]["points"]
    assert first["numbers"] is not None and first["numbers"]["plan_bytes"] == 777
    assert first["numbers"]["task"] is not None and first["numbers"]["task"]["score"] == 0.8
    assert second["numbers"] is None and found["gaps"] == 1
    assert any("gap" in line and line.endswith("Gap") for line in shown.lines(found))


def test_the_cache_fills_a_gap(tmp_path: Path) -> None:
    """A summary that git ignores is found by its digest."""
    content = json.dumps(summary(3)).encode()
    md5 = hashlib.md5(content).hexdigest()
    own = (
        lock(3) + f"    - path: summary.json\n      hash: md5\n      md5: {md5}\n      size: {len(content)}\n".encode()
    )
    root = repository(tmp_path, [("Ignored", {f"{FOLDER}/dvc.lock": own})])
    place = root / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    place.parent.mkdir(parents=True)
    place.write_bytes(content)

    numbers = read(root)["variants"][0]["points"][0]["numbers"]

    assert numbers is not None and numbers["layers"] == 80


def test_the_worktree_comes_last(tmp_path: Path) -> None:
    """Only where it differs from what is committed."""
    root = repository(tmp_path, BEFORE)
    assert "worktree" not in [p["commit"] for p in read(root)["variants"][0]["points"]]
    for path, content in records(9).items():
        (root / path).write_bytes(content or b"")

    last = read(root)["variants"][0]["points"][-1]

    assert (last["commit"], last["time"]) == ("worktree", None)
    assert last["numbers"] is not None and last["numbers"]["plan_bytes"] == summary(9)["plan_bytes"]


def test_a_workspace_below_its_repository(tmp_path: Path) -> None:
    """Paths are those of the workspace."""
    root = repository(tmp_path, [("Deep", {f"deep/{path}": content for path, content in records(0).items()})])
    (root / "deep" / ".dvc").mkdir()

    assert subjects(read(root / "deep")) == ["Deep"]


def test_without_history_there_is_no_trend(tmp_path: Path) -> None:
    """No repository, or one without a commit."""
    with pytest.raises(WorkspaceError, match="not a git repository"):
        read(tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with pytest.raises(ConfigError, match="no commit has a record"):
        read(tmp_path)


@pytest.mark.parametrize(
    "words", [[], ["model=a", "model=b"], ["model=a", "precison=int8"], ["model=a", "latency=off"]]
)
def test_words_name_a_variant(words: list[str]) -> None:
    """By the axes that records have."""
    with pytest.raises(ConfigError):
        wanted(words)


def test_the_page_has_a_chart_for_each_number(tmp_path: Path) -> None:
    """With short hashes along the axis; the same bytes again; subjects cannot write into the page."""
    root = repository(tmp_path, [("<script>alert(1)</script>", records(0)), BEFORE[2]])
    found = read(root)

    text = shown.page(found, templates(root))

    assert text == shown.page(read(root), templates(root))
    assert [c["title"] for c in shown.charts(found)] == [
        "top1", "rmse of worst output", "plan (MB)", "moved (MB)", "p50 (ms)",
    ]  # fmt: skip
    assert found["variants"][0]["points"][0]["commit"][:8] in text
    assert "<script>alert" not in text and "https:" not in text and "http:" not in text


def test_a_report_is_summed_up() -> None:
    """In the form that its schema states."""
    report: Any = page()
    made = summary_of(report)

    jsonschema.validate(json.loads(json.dumps(made)), schema_of(Summary))
    assert made["plan_bytes"] == report["engine"]["bytes"] and made["verdict"] == "pass"
    assert made["deviation"]["rmse"] == report["outputs"]["scores"]["hops"]["total"]["rmse"]


def test_an_axis_of_equal_values_is_around_them(tmp_path: Path) -> None:
    """One that never changed is not drawn between one below it and one above."""
    found = read(repository(tmp_path, BEFORE[:1]))

    assert found["variants"][0]["points"][0]["numbers"] is not None
    for chart, column in zip(shown.charts(found), shown.columns(found), strict=True):
        value = column.value(found["variants"][0]["points"][0]["numbers"])
        low, high = chart["layout"]["yaxis"]["range"]
        assert value is not None and low < value < high < 2 * value
