"""Tests of where a mistake in a config stands: file and line of the key, or the word that sets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.config import load_variant
from trtbuild.config.places import Known, place, placing

MODEL = """\
source: {kind: onnx, path: m.onnx}
inputs:
  x: {dtype: float32, shape: [1, 3]}
export:
  opset: 17
qat:
  strip: [fp32,
    fp16]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    plant(tmp_path, "config.yaml", (packaged_conf() / "config.yaml").read_text("utf-8"))
    plant(tmp_path, "model/m.yaml", MODEL)
    plant(tmp_path, "model/child.yaml", "defaults: [m, _self_]\nvalidation:\n  deviation: {cosine: {fp16: 0.9}}\n")
    return tmp_path


def plant(root: Path, name: str, text: str) -> None:
    path = root / "conf" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("where", "what", "expected"),
    [
        ("model.export", "opset: 99 is not between 13 and 25", "conf/model/m.yaml:5: model.export"),
        ("model.inputs.x", "unknown key 'shape'", "conf/model/m.yaml:3: model.inputs.x"),
        ("model.qat.strip[1]", "unknown precision", "conf/model/m.yaml:8: model.qat.strip[1]"),
        ("model.source", "missing key 'signature'", "conf/model/m.yaml:1: model.source"),
        ("model.validation.deviation", "", "conf/model/child.yaml:3: model.validation.deviation"),
        ("tensorrt=rtx-1.7.version", "", "packaged conf/tensorrt/rtx-1.7.yaml:{}: tensorrt=rtx-1.7.version"),
        ("model=child", "", "command line: model=child"),
        ("models/m.onnx", "no such file", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_a_key_is_found_in_the_file_that_has_it(root: Path, where: str, what: str, expected: str) -> None:
    """The option's own file, or one that it is made from; what is not a key is left as it is."""
    text = (packaged_conf() / "tensorrt" / "rtx-1.7.yaml").read_text("utf-8").splitlines()
    line = next(i for i, line in enumerate(text, 1) if line.startswith("version"))
    assert place(root, ["model=child"], where, what) == expected.format(line)


@pytest.mark.parametrize("word", ["model.export.opset=99", "++model.export={opset: 99}", "+model.export.opset=99"])
def test_an_override_is_named_as_one(root: Path, word: str) -> None:
    assert place(root, ["model=m", word], "model.export", "opset: 99 is not") == f"command line: {word}"


@pytest.mark.parametrize(
    ("file", "text", "words", "expected"),
    [
        ("model/m.yaml", MODEL + "overides: {}\n", (), r"^conf/model/m.yaml:9: model: unknown key 'overides'"),
        ("model/m.yaml", MODEL.replace("17", "x"), (), r"^conf/model/m.yaml:5: model.export.opset: expected a whole"),
        ("model/m.yaml", MODEL + " x: : 1\n", (), r"^conf/model/m.yaml:9: a config file is not readable"),
        ("config.yaml", "defaults: [_self_, model: m, precision: fp99]\n", (), r"^conf/config.yaml:1: defaults: unk"),
        ("model/m.yaml", MODEL, ("model.export.opset=x",), r"^command line: model.export.opset=x: expected a whole"),
        ("model/m.yaml", MODEL, ("model.exprt.opset=13",), r"^command line: model.exprt.opset=13: unknown key"),
        ("model/m.yaml", MODEL, ("precisio=fp16",), r"^command line: precisio=fp16: unknown key 'precisio'"),
    ],
)  # fmt: skip
def test_a_wrong_key_names_file_and_line(
    root: Path, file: str, text: str, words: tuple[str, ...], expected: str
) -> None:
    """In the one line that a user sees."""
    plant(root, file, text)
    with pytest.raises(ConfigError, match=expected) as raised:
        load_variant(root, ["model=m", *words])
    assert str(raised.value).count("command line") + str(raised.value).count(".yaml:") == 1


def test_a_key_beside_the_groups_and_one_for_a_group_in_config_yaml(root: Path) -> None:
    config = root / "conf" / "config.yaml"
    lines = len(config.read_text("utf-8").splitlines())
    with config.open("a") as file:
        file.write("latency:\n  second: 3\n")
    with pytest.raises(ConfigError, match=rf"^conf/config.yaml:{lines + 2}: latency: unknown key 'second'"):
        load_variant(root, ["model=m"])


def test_a_sweep_looks_for_each_place_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else a variant's words say; another option of the group is another cause."""
    searches: list[tuple[str, ...]] = []

    def search(root: Path, overrides: tuple[str, ...], where: str, what: str) -> str:
        searches.append(overrides)
        return place(root, overrides, where, what)

    monkeypatch.setattr("trtbuild.config.places.place", search)
    known: Known = {}
    said = []
    for model in ("m", "child", "m"):
        for precision in ("fp16", "fp32"):
            words = (f"model={model}", f"precision={precision}")
            with pytest.raises(ConfigError) as raised, placing(root, words, known):
                raise ConfigError("missing key 'cosine'", where="model.validation.deviation")
            said.append(raised.value.where)
    assert [words[0] for words in searches] == ["model=m", "model=child"]
    assert {where.partition(":")[0] for where in said[2:4]} == {"conf/model/child.yaml"} and said[:2] == said[4:]
