"""Tests of origins: each value of a composed config is traced to the word or file that set it, or to no file at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.config.origins import Setting, settings

MODEL = """\
source: {kind: onnx, path: m.onnx}
inputs: {x: {dtype: float32, shape: [1, 3]}}
export: {opset: 17}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "config.yaml": (packaged_conf() / "config.yaml").read_text("utf-8"),
        "model/m.yaml": MODEL,
        "model/child.yaml": "defaults: [m, _self_]\nexport: {opset: 18}\ndata: {calibration: '${model.source.path}'}\n",
        "tensorrt/own.yaml": "defaults: [rtx-1.6]\ncompute_capabilities: ['8.9']\n",
    }.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path


def origins(root: Path, *words: str) -> dict[str, Setting]:
    return {setting.key: setting for setting in settings(root, words)}


def test_every_value_has_its_file(root: Path) -> None:
    found = origins(root, "model=m")
    assert found["model"] == Setting("model", "m", "command line")
    assert found["model.export.opset"] == Setting("model.export.opset", 17, "conf/model/m.yaml")
    assert found["precision"].origin == "conf/config.yaml"
    assert found["precision.lowering"].origin == "packaged conf/precision/fp32.yaml"


@pytest.mark.parametrize(("last", "seconds"), [(False, 0.5), (True, 3)])
def test_a_groups_key_in_config_yaml_is_its(root: Path, last: bool, seconds: float) -> None:
    """It wins where `_self_` is the last of the defaults, and yields to the option's file where it is the first."""
    path = root / "conf" / "config.yaml"
    text = path.read_text("utf-8")
    text = text.replace("  - _self_\n", "") + "  - _self_\n" if last else text
    path.write_text(text + "latency: {seconds: 3}\nmodel: {validation: {engine: {max_plan_mb: 4}}}\n", "utf-8")

    found = origins(root, "model=m")
    by = "conf/config.yaml" if last else "packaged conf/latency/default.yaml"
    assert found["latency.seconds"] == Setting("latency.seconds", seconds, by)
    assert found["model.validation.engine.max_plan_mb"].origin == "conf/config.yaml"


def test_a_file_on_top_of_another_owns_only_what_it_sets(root: Path) -> None:
    found = origins(root, "model=child", "tensorrt=own")
    assert (found["model.export.opset"].value, found["model.export.opset"].origin) == (18, "conf/model/child.yaml")
    assert found["model.source.path"].origin == "conf/model/m.yaml"
    assert found["model.data.calibration"] == Setting(
        "model.data.calibration", "m.onnx", "conf/model/child.yaml, computed"
    )
    assert found["tensorrt.compute_capabilities"].origin == "conf/tensorrt/own.yaml"
    assert found["tensorrt.version"].origin == "packaged conf/tensorrt/rtx-1.6.yaml"


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("model.export.opset=18", "model.export.opset", 18),
        ("calibration.bins=1024", "calibration.bins", 1024),
        ("model.validation={deviation: {cosine: 0.9}}", "model.validation.deviation.cosine", 0.9),
        ("+model.validation.deviation.mean_abs={fp32: 1}", "model.validation.deviation.mean_abs.fp32", 1),
    ],
)
def test_the_command_line_owns_what_it_sets_and_nothing_beside_it(
    root: Path, word: str, key: str, value: object
) -> None:
    found = origins(root, "model=m", word)
    assert found[key] == Setting(key, value, "command line")
    assert found["model.source.path"].origin == "conf/model/m.yaml"


def test_what_no_file_sets_is_a_default(root: Path) -> None:
    found = origins(root, "model=m")
    assert found["model.source.kind"].origin == "conf/model/m.yaml"
    assert found["precision.tf32"] == Setting("precision.tf32", False, "default")


def test_a_mistake_is_the_builds(root: Path) -> None:
    with pytest.raises(ConfigError, match="unknown precision 'int88'; did you mean 'int8'"):
        settings(root, ["model=m", "precision=int88"])
