"""Tests of what a config takes from the environment: a recipe has its digest, or it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.environment import hidden, looked_up
from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.config.composing import compose_config

SECRET = "canary-4711"
FACTORY = "source: {{arguments: {{a: {{b: [x, '{}']}}, n: '${{oc.decode:${{oc.env:N}}}}'}}}}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "config.yaml").write_bytes((packaged_conf() / "config.yaml").read_bytes())
    monkeypatch.setenv("CANARY", SECRET)
    monkeypatch.setenv("N", "7")
    return tmp_path


def arguments(root: Path, text: str) -> dict[str, object]:
    (root / "conf" / "model" / "m.yaml").write_text(FACTORY.format(text) + "\nother: 1\n", "utf-8")
    found: dict[str, dict[str, dict[str, object]]] = compose_config(root, ["model=m"])[0]  # type: ignore[assignment]
    return found["model"]["source"]["arguments"]


@pytest.mark.parametrize("text", ["${oc.env:CANARY}", "Bearer ${oc.env:CANARY}", "${oc.env:CANARY,x}+${oc.env:NONE,y}"])
def test_an_argument_is_kept_as_a_digest_and_looked_up_again(
    root: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another value is another digest; numbers are kept as they are."""
    kept = arguments(root, text)
    assert SECRET not in repr(kept) and kept["n"] == 7
    found = looked_up(kept, "here")
    assert found["a"] == {"b": ["x", text.replace("${oc.env:CANARY}", SECRET).replace("${oc.env:CANARY,x}", SECRET)
                                .replace("${oc.env:NONE,y}", "y")]}  # fmt: skip
    assert SECRET not in hidden(f"it said {found}, {SECRET}")
    monkeypatch.setenv("CANARY", "another")
    assert arguments(root, text) != kept
    with pytest.raises(ConfigError, match="not what it was when this was planned"):
        looked_up(kept, "here")
    monkeypatch.delenv("CANARY")
    if "," not in text:
        with pytest.raises(ConfigError, match="is not set"):
            looked_up(kept, "here")


@pytest.mark.parametrize(
    "text", ["${..secret}", "${oc.decode:${oc.env:CANARY}}", "${oc.select:model.other}${oc.env:CANARY}"]
)
def test_what_cannot_be_looked_up_again_is_refused(root: Path, text: str) -> None:
    """Through another key, or decoded."""
    with pytest.raises(ConfigError, match=r"model\.source\.arguments\.a\.b"):
        (root / "conf" / "model" / "m.yaml").write_text(
            f"source: {{arguments: {{secret: '${{oc.env:CANARY}}', a: {{b: '{text}'}}}}}}\nother: 1\n", "utf-8"
        )
        compose_config(root, ["model=m"])


@pytest.mark.parametrize("word", ["+model.source.path=${oc.env:CANARY}", "+target.note=at-${oc.env:CANARY}"])
def test_a_text_elsewhere_would_be_kept_so_it_is_refused(root: Path, word: str) -> None:
    """A number, and a setting of the executor, may come from there."""
    arguments(root, "x")
    with pytest.raises(ConfigError, match=r"\(CANARY\) would be kept"):
        compose_config(root, ["model=m", word])
    compose_config(root, ["model=m", "+model.other2='${oc.decode:${oc.env:N}}'", "+executor.account=${oc.env:CANARY}"])


@pytest.mark.parametrize("words", [["m" * 400 + "/x=1"], ["a.b={", "m" * 400 + "=1"]])
def test_a_name_that_no_file_can_have_is_one_line(root: Path, words: list[str]) -> None:
    """Hydra looks for a file of that name; also after another mistake."""
    arguments(root, "x")
    with pytest.raises(ConfigError):
        compose_config(root, ["model=m", *words])
    with pytest.raises(ConfigError, match="too long"):
        compose_config(root, ["model=m", "m" * 400 + "=1", "a.b={"])
