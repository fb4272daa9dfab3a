"""Tests of the Python interface: its values, its errors, and what it leaves alone; steps are fakes."""

from __future__ import annotations

import signal
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import trtbuild
from tests.support.versions import OFF, Fake, workspace
from trtbuild import api
from trtbuild.base.errors import ConfigError, EngineError, WorkspaceError
from trtbuild.building.planned import Planned
from trtbuild.building.states import Outcome

VARIANT = ("model=m", "precision=fp32", "tensorrt=rtx-1.7", *OFF)
NAME = "m-fp32-rtx-1.7-onnxruntime"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return workspace(tmp_path / "ws")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Steps that are fakes, in the place of the one function that builds a plan."""
    made = Fake()

    def build_planned(p: Planned, **options: object) -> Outcome:
        p.workspace.prepare()
        return made(p)

    monkeypatch.setattr(api, "build_planned", build_planned)
    return made


def test_a_build_gives_a_value(root: Path, fake: Fake) -> None:
    """Frozen, with absolute paths that exist."""
    result = trtbuild.build(*VARIANT, workspace=root)

    assert (result.id, result.state, result.passed, result.status) == (NAME, "pass", True, 0)
    assert result.engine.is_absolute() and result.engine.is_file()
    assert all(path.is_file() or path.parent.is_dir() for path in result.paths.values())
    assert result.checks["scores: max_abs"].limit == 0.1
    assert result.metrics["scores"]["rmse"] and "worst" not in result.metrics["scores"]
    with pytest.raises(FrozenInstanceError):
        result.state = "fail"  # type: ignore[misc]


def test_a_plan_says_what_would_run(root: Path, fake: Fake) -> None:
    """Nothing runs; after a build, nothing would."""
    before = trtbuild.plan(*VARIANT, workspace=root)
    trtbuild.build(*VARIANT, workspace=root)

    assert before[-1].kind == "report" and {step.state for step in before} == {"missing"}
    assert {step.state for step in trtbuild.plan(*VARIANT, workspace=root)} == {"fresh"}


def test_load_reads_what_is_built(root: Path, fake: Fake) -> None:
    """The same value, and nothing was built for it."""
    built = trtbuild.build(*VARIANT, workspace=root)
    fake.built.clear()

    assert trtbuild.load(*VARIANT, workspace=root) == built
    assert fake.built == []


def test_load_of_what_is_not_built_or_changed_is_an_error(root: Path, fake: Fake) -> None:
    """It builds nothing, and gives no old numbers."""
    with pytest.raises(ConfigError, match=f"{NAME}: not built; build it first"):
        trtbuild.load(*VARIANT, workspace=root)
    trtbuild.build(*VARIANT, workspace=root)
    (root / "models" / "m.onnx").write_text("another", "utf-8")
    with pytest.raises(ConfigError, match="changed since"):
        trtbuild.load(*VARIANT, workspace=root)


def test_a_failed_threshold_is_a_value(root: Path, fake: Fake) -> None:
    """With the status of the command line."""
    fake.failing = ("m",)
    result = trtbuild.build(*VARIANT, workspace=root)

    assert (result.state, result.passed, result.status) == ("fail", False, 1)


def test_what_nothing_judged_has_not_passed(root: Path, fake: Fake) -> None:
    """And is no error either."""
    fake.unjudged = ("m",)
    result = trtbuild.build(*VARIANT, workspace=root)

    assert (result.state, result.passed, result.status, result.error) == ("unjudged", False, 0, None)


def test_a_failed_step_is_the_packages_own_exception(root: Path, fake: Fake) -> None:
    """In a sweep it is a value beside the others."""
    fake.engines = {NAME: EngineError("no such layer")}
    with pytest.raises(EngineError, match="no such layer"):
        trtbuild.build(*VARIANT, workspace=root)
    bad, good = trtbuild.build("model=m,n", *VARIANT[1:], workspace=root, sweep=True)

    assert (bad.state, bad.status, good.state) == ("not built", 4, "pass")
    with pytest.raises(EngineError):
        _ = bad.engine


def test_a_variant_that_cannot_be_planned_is_a_value_in_a_sweep(root: Path, fake: Fake) -> None:
    """A target that its version does not know: what the words say, and why not."""
    words = ("model=m", "target=sm89", 'tensorrt.compute_capabilities=["8.9"],["7.5"]', *OFF)
    good, bad = trtbuild.build(*words, workspace=root, sweep=True)

    assert (good.state, bad.state, bad.status) == ("pass", "not built", 3)
    assert (bad.model, bad.target, bad.precision) == ("m", "sm89", good.precision)


def test_what_cannot_be_is_an_exception_and_no_exit(root: Path, tmp_path: Path) -> None:
    """A misspelt word, a sweep that was not announced, a folder that is none."""
    with pytest.raises(ConfigError, match="did you mean 'fp16'"):
        trtbuild.plan("model=m", "precision=fp61", workspace=root)
    with pytest.raises(ConfigError, match="it sweeps over several values"):
        trtbuild.plan("model=m,n", workspace=root)
    with pytest.raises(WorkspaceError):
        trtbuild.load(*VARIANT, workspace=tmp_path / "nowhere")


def test_nothing_is_said_and_no_signal_handler_stays(
    root: Path, fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """A notebook keeps its own."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    trtbuild.build(*VARIANT, workspace=root)

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert capfd.readouterr() == ("", "")


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'biuld'"):
        _ = trtbuild.biuld  # type: ignore[attr-defined]
