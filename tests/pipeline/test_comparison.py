"""Tests of the verbs accept and diff, and of the files that they read and write."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import trtbuild.documents
from tests.support.fakes import FakeExecutor, build, step
from tests.support.sweeps import AXES, judge, latency, report
from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.building.planned import Planned
from trtbuild.cli.main import run
from trtbuild.core.plan import Plan
from trtbuild.core.step import Out
from trtbuild.pipeline import baseline, comparison
from trtbuild.reports.compare import compare
from trtbuild.store import Store

SCHEMA = Path(trtbuild.documents.__path__[0]) / "report.schema.json"
NAME = report(**AXES)["variant"]["id"]


def planned(
    store: Store, page: dict[str, Any], *, built: bool = True, name: str = NAME, invalid: Any = None
) -> Planned:
    """A plan of one variant with nothing but a report step, whose report is ``page``."""
    (store.root / "models" / "source").write_text("1", "utf-8")
    made = step("report", files=("models/source",), outs=(Out("report.json"),))
    plan = Plan((made,), {name: {"report": made}})
    if built:
        work = {"report": lambda job: job.output("report.json").write_text(json.dumps(page), "utf-8")}
        build(store, plan, FakeExecutor(work))
    return Planned(store.workspace, store, plan, invalid or {})


def failing() -> dict[str, Any]:
    page = report(**AXES)
    judge(page, "fail")
    return page


def written(folder: Path, page: Any, name: str = "report.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(page), "utf-8")
    return folder / name


def test_an_accepted_variant_equals_its_baseline(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is in baselines/, and a difference from it is nothing."""
    p = planned(store, report(**AXES))

    assert comparison.accept(p, force=False, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    path = f"baselines/segnet/{NAME}.json"
    assert document == {"accepted": [{"id": NAME, "path": path, "state": "new"}], "errors": []}
    assert (store.root / path).exists()
    (found,), errors = comparison.diff_accepted(p)
    assert errors == []
    assert found["summary"].endswith("nothing that counts changed, the engine is the same")


def test_accepting_twice_says_so_and_writes_nothing(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The file keeps its bytes and its time."""
    p = planned(store, report(**AXES))
    comparison.accept(p, force=False, as_json=False)
    path = baseline.path_of(store.root, "segnet", NAME)
    os.utime(path, (1, 1))

    assert comparison.accept(p, force=False, as_json=False) == 0
    assert path.stat().st_mtime == 1
    assert "is already accepted" in capsys.readouterr().err


def test_a_failed_threshold_is_accepted_by_force_only(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1 names the check, and no file is left."""
    p = planned(store, failing())

    assert comparison.accept(p, force=False, as_json=False) == 1
    assert "fails its thresholds (scores: max_abs): not accepted; --force" in capsys.readouterr().err
    assert baseline.known(store.root) == []
    assert comparison.accept(p, force=True, as_json=False) == 0
    assert baseline.known(store.root) == [NAME]


def test_what_nothing_judged_is_accepted_by_force_only(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what is missing."""
    page = report(**AXES)
    judge(page, "unjudged")
    p = planned(store, page)

    assert comparison.accept(p, force=False, as_json=False) == 1
    assert "is unjudged (no threshold for int8): not accepted; --force" in capsys.readouterr().err
    assert comparison.accept(p, force=True, as_json=False) == 0


def test_what_is_not_built_cannot_be_accepted(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Not by force either."""
    assert comparison.accept(planned(store, {}, built=False), force=True, as_json=False) == 2
    assert f"trtbuild: {NAME}: not built; build it first" in capsys.readouterr().err


def test_what_changed_since_it_was_built_cannot_be_accepted(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """The report is not that of the source that lies there."""
    p = planned(store, report(**AXES))
    (store.root / "models" / "source").write_text("2", "utf-8")

    assert comparison.accept(p, force=True, as_json=False) == 2
    assert "changed since" in capsys.readouterr().err


def test_variants_that_share_a_name_cannot_be_accepted(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Their baselines would overwrite each other."""
    assert comparison.accept(planned(store, report(**AXES), name=f"{NAME}#2"), force=True, as_json=False) == 2
    assert "differ in an override; name one variant at a time" in capsys.readouterr().err


def test_without_a_baseline_the_accepted_ones_are_named(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """One line: what is missing, how to make it, what there is."""
    written(store.root / "baselines" / "lenet", report(), "lenet-fp32.json")

    made, errors = comparison.diff_accepted(planned(store, report(**AXES)))
    comparison.say(made, errors, as_json=True)
    said = capsys.readouterr()
    assert said.err.startswith(f"trtbuild: {NAME}: has no accepted baseline; record one with: ")
    assert said.err.endswith("; accepted: lenet-fp32\n")
    assert json.loads(said.out)["error"]["what"] == "has no accepted baseline"


def test_a_sweep_goes_on_past_what_cannot_be_planned(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """The others are accepted and compared; the exit status tells."""
    p = planned(store, report(**AXES), invalid={"target=sm90": ToolchainError("no such target")})

    assert comparison.accept(p, force=False, as_json=False) == 3
    made, errors = comparison.diff_accepted(p)
    assert (len(made), [error.exit_status for error in errors]) == (1, [3])
    comparison.say(made, errors, as_json=False, several=True)
    assert capsys.readouterr().err.count("trtbuild: no such target") == 2


def test_a_baseline_fits_the_reports_schema_without_its_pictures() -> None:
    """And compares like the whole report."""
    page = report(**AXES)
    small = baseline.slim(page)

    jsonschema.validate(json.loads(json.dumps(small)), json.loads(SCHEMA.read_text("utf-8")))
    assert compare(small, page)["summary"].endswith("the engine is the same")
    assert len(json.dumps(small)) < 0.6 * len(json.dumps(page))


def test_a_side_is_a_file_a_folder_or_the_id_of_a_variant(store: Store) -> None:
    """All three give the same report."""
    folder = store.root / "build" / "segnet" / "report-int8-rtx-1.7-onnxruntime-01234567"
    path = written(folder, report())
    words = [str(path), "build/segnet/report-int8-rtx-1.7-onnxruntime-01234567", "segnet-int8-rtx-1.7-onnxruntime"]

    assert [comparison.side(word, store.root) for word in words] == [report()] * 3


def test_the_first_is_old_and_the_second_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As everywhere else in tools that compare."""
    old, new = report(), report()
    new["latency"] = latency(2.0)
    words = ["diff", str(written(tmp_path / "a", old)), str(written(tmp_path / "b", new)), "--json"]

    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["latency"]["label"] == "slower"


def test_an_id_of_several_builds_is_asked_for_by_folder(store: Store) -> None:
    """Unless they have the same report."""
    folders = [store.root / "build" / "m" / f"report-x-0000000{i}" for i in range(2)]
    for folder in folders:
        written(folder, report())
    assert comparison.side("m-x", store.root) == report()
    written(folders[1], failing())
    with pytest.raises(ConfigError, match="2 builds have this id; name a folder: build/m/report-x-00000000, build"):
        comparison.side("m-x", store.root)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("segnet-int8-x", "did you mean 'segnet-int8-y'?"), ("zzz", "built: segnet-int8-y"),
        ("build/segnet", "has no report.json; in it: report-int8-y-00000000"), ("build", "has no report.json"),
    ],
)  # fmt: skip
def test_a_side_that_is_missing_is_told_with_what_there_is(store: Store, word: str, said: str) -> None:
    """In one line."""
    written(store.root / "build" / "segnet" / "report-int8-y-00000000", report())
    with pytest.raises(ConfigError) as caught:
        comparison.side(word, store.root)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a JSON document: Expecting value"), ('{"schema_version": 1,', "not a JSON document"),
        ("[]", "not a report: document: expected an object"), ("{}", "not a report: schema_version: missing"),
        ('{"schema_version": NaN}', "NaN is not a number"), ("[" * 100_000, "not a JSON document"),
    ],
)  # fmt: skip
def test_a_foreign_file_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    """Truncated, of another kind, or none at all: one line, exit status 2."""
    path = tmp_path / "report.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        baseline.read_report(path)
    assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("outputs/scores/hops/total/rmse", "0.1", "outputs.scores.hops.total.rmse: expected number"),
        ("verdict/passed", 1, "verdict.passed: expected true or false"),
        ("layers/rows/0/index", None, "layers.rows[0].index: expected whole number"),
        ("engine/bytes", True, "engine.bytes: expected whole number"),
        ("schema_version", 9, "a report of schema 9, this trtbuild writes 2"),
    ],
)
def test_the_first_place_that_does_not_fit_is_named(tmp_path: Path, place: str, value: Any, said: str) -> None:
    """A report that was edited by hand, or half merged."""
    page: Any = copy.deepcopy(report())
    *parents, last = (int(part) if part.isdigit() else part for part in place.split("/"))
    inner = page
    for key in parents:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(ConfigError, match=r"report\.json") as caught:
        baseline.read_report(written(tmp_path, page))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["diff"], "expects two reports, found 0"), (["diff", "a"], "expects two reports, found 1"),
        (["diff", "a", "model=b"], "reports and overrides cannot be combined"),
        (["diff", "-m", "a", "b"], "reports and overrides cannot be combined: -m"),
        (["accept", "--force=yes", "model=b"], "--force: takes no value"),
        (["plan", "--force", "model=b"], "'plan' takes no option --force"),
    ],
)  # fmt: skip
def test_a_mistaken_command_is_one_line(argv: list[str], said: str) -> None:
    """Exit status 2."""
    with pytest.raises(ConfigError) as caught:
        run(argv)
    assert said in str(caught.value)


def test_a_table_has_no_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name cannot paint the terminal, nor end a line."""
    hostile = "a\x1b[31m\n</script>;\u001e"
    path = str(written(tmp_path, report(outputs=(hostile,))))
    run(["diff", path, path])
    printed = capsys.readouterr().out

    assert all(line.isprintable() for line in printed.splitlines())
    assert r"a\x1b[31m\n</script>;\x1e: rmse" in printed
