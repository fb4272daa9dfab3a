"""Tests of the verb flamegraph and of the command line's options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.latency.flame.exports import path, trtexec
from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.cli import words
from trtbuild.cli.main import run

FP32, QAT = str(path("tf_resnet50_fp32.profile")), str(path("tf_resnet50_qat.profile"))
LAYERS = str(path("tf_resnet50_fp32.graph"))


def refused(*argv: str) -> str:
    with pytest.raises(TrtbuildError) as caught:
        run(["flamegraph", *argv])
    assert caught.value.exit_status == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_command_makes_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says the ratio of profiled time to latency."""
    times, metadata = str(path("tf_resnet50_fp32.timing")), str(path("tf_resnet50_fp32.profile.metadata"))
    words = [
        "flamegraph",
        FP32,
        "--layers",
        LAYERS,
        f"--times={times}",
        "--metadata",
        metadata,
        "-o",
        str(tmp_path / "out"),
    ]
    assert run(words) == 0
    assert sorted(p.name.partition(".")[2] for p in (tmp_path / "out").iterdir()) == [
        "folded", "html", "json", "speedscope.json", "svg", "trace.json",
    ]  # fmt: skip
    assert "profiled / latency 1.017" in capsys.readouterr().err


def test_a_difference_is_new_against_old(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The profile given is the new one, --diff names the old; rules hold for both."""
    assert run(["flamegraph", QAT, "--diff", FP32, "--rename", "quant_=", "-o", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["old"]["total_ns"], document["new"]["total_ns"]) == (12_399_744, 2_380_608)
    assert document["delta_ns"] == -10_019_136
    assert (tmp_path / "difference-old.svg").exists()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "expects -o/--output"),
        ([FP32, QAT, "-o", "out"], "unexpected word"),
        ([FP32], "expects -o/--output"),
        ([FP32, "-o"], "--output: expects a value"),
        ([FP32, "--layers", "-o", "out"], "--layers: expects a value"),
        ([FP32, "-o", "out", "--layer", "x"], "did you mean '--layers'?"),
        ([FP32, "-o", "out", "--from", "x"], "'flamegraph' takes no option --from; only init and replace do"),
        ([FP32, "-o", "out", "-o", "out"], "is given twice"),
        ([FP32, "-o", "out", "--mode", "anchr"], "did you mean 'anchor'?"),
        ([FP32, "-o", "out", "--mode", "macs"], "mode macs needs the layers' dimensions"),
        ([FP32, "-o", "out", "--mode=macs", "--layers", LAYERS, "--diff", QAT], "add --diff-layers"),
        ([FP32, "-o", "out", "--diff-layers", LAYERS], "needs --diff"),
        ([FP32, "-o", "out", "--layers", FP32], "this is a layer profile"),
        ([QAT, "-o", "out", "--layers", LAYERS], "both files must be of one engine"),
        ([LAYERS, "-o", "out"], "give it with --layers"),
        (["nowhere.json", "-o", "out"], "cannot read the file"),
        ([FP32, "-o", "out", "--times", LAYERS], "expected the times"),
        ([FP32, "-o", "out", "--scopes", FP32], "expected a scopes.json"),
        ([FP32, "-o", "out", "--rename", "(="], "is not a regular expression"),
    ],
)
def test_a_wrong_word_is_one_line_and_nothing_is_written(
    argv: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 2."""
    monkeypatch.chdir(tmp_path)
    assert says in refused(*argv)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_the_places_fault(tmp_path: Path) -> None:
    """The command line makes exit status 3 of it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        run(["flamegraph", FP32, "-o", str(tmp_path / "file" / "out")])


def test_the_command_needs_no_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any folder will do, and names with '=' are no overrides here."""
    monkeypatch.chdir(tmp_path)
    Path("a=b.json").write_text(json.dumps(trtexec(("a/b/Conv", 1.0))))
    assert run(["flamegraph", "a=b.json", "-o", "out"]) == 0
    assert Path("out/flamegraph.folded").read_text() == "a;b;Conv 1000\n"


def test_a_repeated_option_keeps_its_order() -> None:
    """The value may hold '='."""
    args = words.parse(["flamegraph", "p", "--rename", "a=b", "--rename=c=d=", "-o", "x"])
    assert (args.rename, args.output, args.profile) == (["a=b", "c=d="], "x", "p")


def test_every_option_is_documented() -> None:
    """Of this verb, in its page."""
    page = (Path(__file__).parents[3] / "docs" / "flamegraph.md").read_text("utf-8")
    own = [
        name for name in words.options_of("flamegraph") if name.startswith("--") and name not in ("--help", "--json")
    ]
    assert own and all(f"`{name}" in page or f" {name} " in page for name in own)


@pytest.mark.parametrize("verb", ["init", "rerun", "step"])
def test_verbs_without_overrides_say_so(verb: str) -> None:
    """Wherever the word stands."""
    for argv in ([verb, "x", "model=m"], ["model=m", verb, "x"]):
        with pytest.raises(ConfigError, match="unexpected word"):
            words.parse(argv)


def test_a_hint_names_an_option_of_the_verb() -> None:
    """Not one that it does not take."""
    with pytest.raises(ConfigError, match="did you mean '--from'"):
        words.parse(["init", "d", "--form", "x"])
