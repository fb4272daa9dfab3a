"""Tests of the one state of a variant: every verb gives the same answer, whatever has become of its steps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import trtbuild
from tests.support.versions import OFF, Fake, workspace
from trtbuild.base.errors import ConfigError, EngineError, ModelError, TrtbuildError
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import Planned, plan_overrides
from trtbuild.building.states import Documents, VariantState, exit_status, variant_states
from trtbuild.building.summary import show_document, summarise
from trtbuild.cli.main import run
from trtbuild.pipeline import sweeppage

WORDS = ("model=m", "precision=fp32", "tensorrt=rtx-1.7", *OFF)
NAME = "m-fp32-rtx-1.7-onnxruntime"


@dataclass
class Case:
    """A variant that was brought into a state, and what every verb has to say of it."""

    p: Planned
    word: str
    reason: str = ""
    state: VariantState = field(init=False)

    def __post_init__(self) -> None:
        self.state = variant_states(self.p)[NAME]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = workspace(tmp_path / "ws")
    monkeypatch.chdir(made)
    return made


def planned(root: Path) -> Planned:
    return plan_overrides(find_workspace(root), WORDS, sweep=False, files=False)


def passing(root: Path) -> Case:
    Fake()(planned(root))
    return Case(planned(root), "pass")


def unjudged(root: Path) -> Case:
    Fake(unjudged=("m",))(planned(root))
    return Case(planned(root), "unjudged")


def failed(root: Path) -> Case:
    """The engine fails; the verdict on the graph, which needs no engine, is there."""
    Fake({NAME: EngineError("no such layer")})(planned(root))
    return Case(planned(root), "not built", "not built; build it first")


def blocked(root: Path) -> Case:
    """The first step fails: everything after it is blocked, and what another version left is of no use."""
    broken = Fake()
    broken._worker = lambda p: refuse  # type: ignore[method-assign]
    broken(planned(root))
    return Case(planned(root), "not built", "not built; build it first")


def refuse(job: object) -> None:
    raise ModelError("cannot be read")


def stale(root: Path) -> Case:
    passing(root)
    (root / "models" / "m.onnx").write_text("another", "utf-8")
    return Case(planned(root), "not built", "built, but something it is made from has changed since; build it first")


def remote(root: Path) -> Case:
    """Its outputs are recorded, and neither in the workspace nor in the cache."""
    passing(root)
    for step in planned(root).plan.steps:
        for out in step.outs:
            (root / step.folder / out.name).unlink()
    shutil.rmtree(root / ".dvc" / "cache")
    return Case(planned(root), "not built", "neither in the workspace nor in the cache; pull or build it first")


CASES: tuple[Callable[[Path], Case], ...] = (passing, unjudged, failed, blocked, stale, remote)


@pytest.fixture(params=CASES, ids=lambda case: case.__name__)
def case(request: pytest.FixtureRequest, root: Path) -> Case:
    made: Case = request.param(root)
    return made


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    try:
        status = run(words)
    except TrtbuildError as error:
        return error.exit_status, "", str(error)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_variant_has_one_word_and_one_reason(case: Case) -> None:
    """A reason exactly where there is no verdict."""
    assert case.state.word == case.word
    assert case.state.built == (case.state.verdict is not None) == (case.state.error is None)
    assert case.state.error is None or str(case.state.error).endswith(case.reason)


def test_show_agrees(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """For people and in JSON."""
    _, out, _ = printed(capsys, "show", *WORDS)
    _, document, _ = printed(capsys, "show", *WORDS, "--json")

    (entry,) = json.loads(document)["variants"]

    assert out.startswith(str(case.state.error) if case.reason else f"{NAME}: {case.word}")
    assert (entry["verdict"], entry["error"] is None) == ((None, False) if case.reason else (case.word, True))


def test_load_agrees(case: Case) -> None:
    """Its error is the reason."""
    if case.reason:
        with pytest.raises(ConfigError, match=case.reason):
            trtbuild.load(*WORDS)
    else:
        assert trtbuild.load(*WORDS).state == case.word


@pytest.mark.parametrize("verb", ["accept", "diff"])
def test_accept_and_diff_agree(verb: str, case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """They take what is built, and else say why not."""
    _, _, err = printed(capsys, verb, *WORDS)

    assert (f"{NAME}: {case.state.error.what}" in err) if case.state.error else "built" not in err
    assert ("is unjudged" in err) == (verb == "accept" and case.word == "unjudged")


def test_push_agrees(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """It warns of a verdict that is not a pass only where there is one."""
    _, _, err = printed(capsys, "push", *WORDS)

    assert ("is unjudged: pushed anyway" in err) == (case.word == "unjudged")
    assert "fails its thresholds" not in err


def test_pages_and_the_last_lines_agree(case: Case) -> None:
    """Of a sweep, an upgrade and a bisection."""
    states = variant_states(case.p)
    (entry,) = sweeppage.entries(case.p, states, case.p.workspace.root)

    assert (entry["state"], entry["report"] is None) == (case.word, bool(case.reason))
    assert summarise(states, {})[0].startswith(f"{NAME}: {case.word.upper()}")
    assert exit_status(states.values()) == 0


@pytest.mark.parametrize("engine", [EngineError("no such layer"), TrtbuildError("out of order")])
def test_a_failed_build_has_one_first_failure(engine: TrtbuildError, root: Path) -> None:
    """In the summary, the document, the pages and the exit status; the graph's verdict is not the variant's."""
    p = planned(root)
    states = variant_states(p, Fake({NAME: engine})(p))
    state = states[NAME]
    (entry,) = sweeppage.entries(p, states, root)
    (shown,) = show_document(p, states)["variants"]

    assert (state.word, state.failure, state.error) == ("not built", state.failures["engine"], state.failure)
    assert state.endings["report"] == "blocked"
    assert summarise(states, {})[0] == f"{NAME}: NOT BUILT (engine failed)"
    assert (shown["verdict"], shown["error"]) == (None, str(state.failure))
    assert entry["reason"] == str(state.failure) and entry["report"] is None
    assert entry["state"] == ("refused" if isinstance(engine, EngineError) else "failed")
    assert exit_status(states.values()) == engine.exit_status


def test_what_was_pulled_without_its_source_is_built(root: Path) -> None:
    """Its results are here; that the model they were made from is not says nothing against them."""
    case = passing(root)
    judged = {role: case.state.judgements[role] for role in case.state.roles}
    upstream = {**judged, "export": type(judged["export"])("remote", "models/m.onnx is tracked, but not pulled")}
    state = VariantState(NAME, root, case.state.roles, upstream)

    assert (state.built, state.word, state.error) == (True, "pass", None)


def test_the_shared_verdict_of_another_version_is_no_verdict(root: Path) -> None:
    """Versions share the steps that judge the graph; without an engine nothing is known of this one."""
    p = planned(root)
    steps: dict[str, Any] = dict(p.plan.variants[NAME])
    Fake({NAME: EngineError("no such layer")})(p)

    assert (root / steps["validate"].folder / "verdict.json").is_file()
    assert variant_states(planned(root))[NAME].verdict is None


def test_an_artifact_is_read_once_for_all_variants(tmp_path: Path) -> None:
    path, documents = tmp_path / "precision.json", Documents()
    path.write_text('{"warnings": []}', "utf-8")
    first = documents.json(path)
    path.unlink()
    assert documents.json(path) is first
