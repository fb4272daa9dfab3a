"""Tests of the verb upgrade: its words, its pages, what it accepts and pushes, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reports.test_render import HOSTILE, ROOT, Parsed
from tests.support.sweeps import entry, report
from tests.support.versions import OFF, Fake, workspace
from trtbuild.base.errors import ConfigError, EngineError, RemoteError, ToolchainError
from trtbuild.base.packaged import templates
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.cli import words as cli_words
from trtbuild.pipeline import baseline, transfer, upgrade
from trtbuild.pipeline.upgradedocument import Pair, upgrade_document
from trtbuild.reports.upgrade import render_all

OLD, NEW = "rtx-1.6", "rtx-1.7"
REFUSED = EngineError("no int8 convolution")
BOTH = (f"tensorrt={NEW}", f"from={OLD}")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = workspace(tmp_path / "ws")
    monkeypatch.chdir(made)
    return made


def run(*words: str, fake: Fake | None = None) -> int:
    args = cli_words.parse(["upgrade", *words, *OFF])
    push_to = (args.remote or "") if args.push else None
    return upgrade.run(args.words, accept=args.accept, push_to=push_to, build=fake or Fake())


def document(root: Path) -> dict[str, Any]:
    (path,) = root.glob("build/upgrades/*/upgrade.json")
    return json.loads(path.read_text("utf-8"))


def accept(root: Path, model: str, precision: str, tensorrt: str) -> None:
    baseline.accept(root, report(model=model, precision=precision, tensorrt=tensorrt))


def test_every_recorded_model_is_built_in_both_versions(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the config's precision, with a page beside the sweep's own."""
    fake = Fake()

    assert run(*BOTH, fake=fake) == 0
    assert sorted(fake.built) == [f"{m}-fp32-{v}-onnxruntime" for m in "mn" for v in (OLD, NEW)]
    assert document(root)["counts"] == {"go": 2, "no-go": 0}
    folder = next(root.glob("build/upgrades/*/upgrade.html")).parent
    assert {"sweep.html", "upgrade.md", "plotly.min.js"} <= {path.name for path in folder.iterdir()}
    assert f"{OLD} -> {NEW}: 2 go, 0 no-go" in capsys.readouterr().err


def test_what_is_built_is_not_built_again(root: Path) -> None:
    """The same words, a second time."""
    run(*BOTH)
    fake = Fake()

    assert (run(*BOTH, fake=fake), fake.built) == (0, [])


def test_an_unjudged_variant_is_no_go_and_not_pushed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1: a script that goes on after 0 would deploy it."""
    assert run(*BOTH, "--push", "--accept", fake=Fake(unjudged=("m", "n"))) == 1
    assert document(root)["counts"] == {"go": 0, "no-go": 2}
    assert "NO-GO: unjudged: no threshold for int8" in capsys.readouterr().err
    assert baseline.known(root) == [] and not (root.parent / "remote").exists()


def test_the_new_versions_failure_is_no_go_and_the_exit_status(root: Path) -> None:
    """The other model goes on."""
    fake = Fake({f"m-fp32-{NEW}-onnxruntime": REFUSED})

    assert run(*BOTH, fake=fake) == 4
    assert {m["name"]: m["decision"] for m in document(root)["models"]} == {"m": "no-go", "n": "go"}


def test_the_old_versions_failure_is_no_failure(root: Path) -> None:
    """Nothing to compare with; the new version is what counts."""
    fake = Fake({f"m-fp32-{OLD}-onnxruntime": REFUSED})

    assert run(*BOTH, "model=m", fake=fake) == 0
    assert document(root)["counts"] == {"go": 1, "no-go": 0}


def test_a_variant_that_the_new_version_does_not_know_is_its_failure(root: Path) -> None:
    """A target that it cannot build for is refused before anything runs; the other version is built."""
    path = root / "conf" / "tensorrt" / f"{NEW}.yaml"
    path.parent.mkdir()
    text = (ROOT / "conf" / "tensorrt" / f"{NEW}.yaml").read_text("utf-8")
    path.write_text(text.replace('"8.9"', '"7.5"'), "utf-8")

    assert run(*BOTH, "model=m", "target=sm89") == ToolchainError.exit_status
    assert document(root)["counts"] == {"go": 0, "no-go": 1}


def test_a_failed_threshold_is_status_1_and_not_accepted(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor pushed; the model that passed is both."""
    assert run(*BOTH, "--accept", "--push", fake=Fake(failing=("m",))) == 1
    assert baseline.known(root) == [f"n-fp32-{NEW}-onnxruntime"]
    assert "pushed " in capsys.readouterr().err
    runs = [path for path in (root.parent / "remote").rglob("*") if path.is_file()]
    assert runs and not any(f"build/m/engine-fp32-{NEW}".encode() in path.read_bytes() for path in runs)
    assert any(f"build/n/engine-fp32-{NEW}".encode() in path.read_bytes() for path in runs)


def test_a_remote_that_is_not_there_fails_before_anything_is_built(root: Path) -> None:
    """Minutes are not spent for nothing."""
    fake = Fake()

    with pytest.raises(RemoteError, match="there is no remote 'nowhere'"):
        run(*BOTH, "--push", "--remote", "nowhere", fake=fake)
    assert fake.built == []


def test_precisions_and_the_old_version_come_from_the_accepted_baselines(root: Path) -> None:
    """Each model has its own; one without any has the config's precision."""
    accept(root, "m", "fp16", OLD)
    accept(root, "m", "int8", OLD)
    asked = upgrade.ask(root, [f"tensorrt={NEW}"])

    assert asked.old == OLD
    assert [c[:2] for c in asked.combinations] == [
        ("model=m", "precision=fp16"), ("model=m", "precision=int8"), ("model=n", "precision=fp32"),
    ]  # fmt: skip


def test_without_baselines_the_configs_version_is_the_old_one(root: Path) -> None:
    """To another version than that there is nothing to ask."""
    assert upgrade.ask(root, [f"tensorrt={OLD}"]).old == NEW


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no new version"),
        ([f"tensorrt={NEW}"], "no version to come from"),
        ([f"tensorrt={OLD},{NEW}"], "expects one version; to find"),
        ([f"tensorrt={NEW}", f"from={NEW}"], "both versions are"),
        ([f"tensorrt={NEW}", "from=rtx-1.66"], "from=rtx-1.66: unknown tensorrt 'rtx-1.66'; did you mean"),
        ([*BOTH, f"from={OLD}"], "is given twice"),
        ([*BOTH, "model=k"], "unknown model 'k'"),
        ([*BOTH, "precision=fp61"], "unknown precision 'fp61'"),
    ],
)
def test_words_that_cannot_be_are_one_line(root: Path, words: list[str], said: str) -> None:
    """What, and how to mend it."""
    with pytest.raises(ConfigError, match=said):
        upgrade.ask(root, words)


def test_baselines_of_several_versions_need_a_word(root: Path) -> None:
    """Which of them is meant is not guessed."""
    accept(root, "m", "fp32", OLD)
    accept(root, "n", "fp32", "rtx-1.5")
    with pytest.raises(ConfigError, match=r"several versions; write from=NAME; accepted: rtx-1.5, rtx-1.6"):
        upgrade.ask(root, [f"tensorrt={NEW}"])


def test_hostile_names_are_text_on_the_page() -> None:
    """In cells of every table, and in Markdown."""
    sides = [entry("refused", HOSTILE, tensorrt=version, model=HOSTILE) for version in (OLD, NEW)]
    made = render_all(upgrade_document(OLD, HOSTILE, [Pair(*sides)]), templates(ROOT))

    parsed = Parsed(made["upgrade.html"])
    assert parsed.open == [] and HOSTILE in parsed.text
    assert not any(tag == "img" for tag, _ in parsed.elements) and "<script" not in made["upgrade.md"]
    assert made == render_all(upgrade_document(OLD, HOSTILE, [Pair(*sides)]), templates(ROOT))


def test_what_is_pushed_without_a_pass_is_said(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Artifacts are stored all the same; who deploys them has to know."""
    words = ["model=m,n", "precision=fp32", f"tensorrt={NEW}", *OFF]
    p = plan_overrides(find_workspace(root), words, sweep=True)
    Fake(unjudged=("m",), failing=("n",))(p)

    assert transfer.move("push", p, "") == 0
    said = capsys.readouterr().err
    assert f"note   m-fp32-{NEW}-onnxruntime is unjudged: pushed anyway" in said
    assert f"note   n-fp32-{NEW}-onnxruntime fails its thresholds: pushed anyway" in said
