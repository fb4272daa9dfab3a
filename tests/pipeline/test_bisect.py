"""Tests of the verb bisect: what it builds, what it finds, and how it says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import float_engine, int8_engine
from tests.support.versions import OFF, Fake, workspace
from trtbuild.base.errors import ConfigError, EngineError, ToolchainError
from trtbuild.cli import words as cli_words
from trtbuild.cli.commands import bisect as command
from trtbuild.pipeline import bisect

VERSIONS = ("rtx-1.4", "rtx-1.5", "rtx-1.6", "rtx-1.7")
WORDS = ("model=m", "precision=fp32", f"tensorrt={','.join(VERSIONS)}")


def name(version: str) -> str:
    return f"m-fp32-{version}-onnxruntime"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = workspace(tmp_path / "ws")
    monkeypatch.chdir(made)
    return made


def run(fake: Fake, *words: str, status: int = 0) -> None:
    args = cli_words.parse(["bisect", *WORDS, *OFF, *words])
    assert bisect.run(args.words, args.what, scope=args.scope, as_json=args.json, build=fake) == status


def found(fake: Fake, capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    run(fake, *words, "--json", status=status)
    return dict(json.loads(capsys.readouterr().out))


def refused(*versions: str) -> dict[str, EngineError]:
    return {name(version): EngineError("no int8 convolution") for version in versions}


def test_the_first_version_that_builds_is_found_with_three_builds(capsys: pytest.CaptureFixture[str]) -> None:
    """Both ends, then the middle ones as far as needed."""
    fake = Fake(refused("rtx-1.4"))
    document = found(fake, capsys, "--what", "built")

    assert (document["before"], document["first"]) == ("rtx-1.4", "rtx-1.5")
    assert set(fake.built) == {name(v) for v in ("rtx-1.4", "rtx-1.5", "rtx-1.7")}
    assert document["unseen"] == ["rtx-1.6"] and document["builds"] == 3


def test_ends_that_agree_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """And what was not looked at."""
    run(Fake())
    said = capsys.readouterr().out

    assert "the ends agree: no change of verdict was found; not looked at: rtx-1.5, rtx-1.6" in said
    assert said.endswith("2 of 4 versions built now\n")


def test_what_is_recorded_is_not_built(capsys: pytest.CaptureFixture[str]) -> None:
    """The second search builds nothing."""
    errors = {name("rtx-1.5"): 0.5, name("rtx-1.6"): 0.5, name("rtx-1.7"): 0.5}
    run(Fake(rmse=errors), "--what", "output")
    fake = Fake(rmse=errors)
    document = found(fake, capsys, "--what", "output")

    assert (fake.built, document["builds"], document["first"]) == ([], 0, "rtx-1.5")


def test_an_output_that_moved_is_found_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """Old and new RMS error."""
    run(Fake(rmse={name("rtx-1.7"): 0.5}), "--what=output")
    said = capsys.readouterr().out

    assert "output first changed in rtx-1.7, after rtx-1.6" in said
    assert "RMS error of scores" in said


def engines(*made: dict[str, Any] | None) -> Fake:
    """Builds whose engines have these layers, by version; None: they are not recorded."""
    return Fake(compiled={name(v): engine for v, engine in zip(VERSIONS, made, strict=True) if engine is not None})


def test_the_version_at_which_layers_changed_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    """With what changed; layers have other names in each version."""
    renamed = float_engine()
    for row in renamed["rows"]:
        row["name"] = f"__myl_{row['index']}"
    run(engines(float_engine(), renamed, int8_engine(), int8_engine()), "--what", "fusion")
    said = capsys.readouterr().out

    assert "the layers of the engine first changed in rtx-1.6, after rtx-1.5" in said
    assert "rtx-1.7: other than in rtx-1.4 (built now)" in said and "rtx-1.5: as in rtx-1.4 (built now)" in said
    assert "  2 fusions vanished (1 in net/a, 1 in net/b)" in said
    assert "  now: convolution of net/a/conv (int8 > float32)" in said


def test_a_scope_is_searched_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """What changes outside it does not count."""
    early = float_engine(rows=[*float_engine()["rows"][:2], *int8_engine()["rows"][3:]])
    fake = engines(float_engine(), early, early, int8_engine())
    document = found(fake, capsys, "--what", "fusion", "--scope", "net/a/")

    assert (document["scope"], document["first"], document["before"]) == ("net/a", "rtx-1.7", "rtx-1.6")
    assert all("net/b" not in change for change in document["changes"])


def test_a_scope_that_no_engine_has_is_an_error() -> None:
    """With the nearest one."""
    with pytest.raises(ConfigError, match="no layer of the engine is in the scope 'net/aa'") as error:
        run(engines(*[float_engine()] * 4), "--what", "fusion", "--scope", "net/aa")
    assert error.value.hint == "did you mean 'net/a'?"
    with pytest.raises(ConfigError, match="can only be used with --what fusion"):
        command.run(cli_words.parse(["bisect", *WORDS, "--scope", "net"]))


def test_layers_that_are_not_recorded_are_gone_around(capsys: pytest.CaptureFixture[str]) -> None:
    """They are not a change, and the gap is named."""
    run(engines(float_engine(), None, int8_engine(), int8_engine()), "--what", "fusion")
    said = capsys.readouterr().out

    assert "rtx-1.5: not known (built now): the layers of its engine are not recorded" in said
    assert "the layers of the engine changed after rtx-1.4 and by rtx-1.6; not tried: rtx-1.5" in said


def test_a_version_that_cannot_be_had_here_is_gone_around(capsys: pytest.CaptureFixture[str]) -> None:
    """It is no verdict on the version."""
    fake = Fake({**refused("rtx-1.4"), name("rtx-1.5"): ToolchainError("no download")})
    run(fake, "--what", "built")
    said = capsys.readouterr().out

    assert "rtx-1.5: could not be tried here (built now): " in said and "no download" in said
    assert "built changed after rtx-1.4 and by rtx-1.6; not tried: rtx-1.5" in said


def test_an_end_that_cannot_be_had_is_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no answer."""
    run(Fake({name("rtx-1.7"): ToolchainError("no download")}), status=3)
    assert "nothing is known: both ends have to be tried" in capsys.readouterr().out


def test_a_change_there_and_back_is_stated(capsys: pytest.CaptureFixture[str]) -> None:
    """When a record shows it."""
    moved = Fake(rmse={name("rtx-1.6"): 0.5})
    bisect.run([*WORDS[:2], "tensorrt=rtx-1.4,rtx-1.6", *OFF], build=moved)
    document = found(moved, capsys, "--what", "output")

    assert (document["first"], document["monotonic"], document["ends_agree"]) == ("rtx-1.6", False, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=m"], "two or more versions"),
        (["model=m,n", "tensorrt=rtx-1.6,rtx-1.7"], "expects one variant"),
        (["model=m", "tensorrt=rtx-1.6,rtx-1.7", "--what=speed"], "--what: unknown value 'speed'"),
        (["model=m", "tensorrt=rtx-1.6,rtx-1.77"], "unknown tensorrt 'rtx-1.77'; did you mean"),
    ],
)
def test_words_that_cannot_be_are_one_line(words: list[str], said: str) -> None:
    """What, and how to mend it."""
    with pytest.raises(ConfigError, match=said):
        args = cli_words.parse(["bisect", *words])
        bisect.run(args.words, args.what, build=Fake())
