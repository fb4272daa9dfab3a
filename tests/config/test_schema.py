"""Tests of the config files' JSON Schema: every shipped file fits it, and mistakes that an editor can find do not."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from trtbuild import config
from trtbuild.base.packaged import packaged_conf
from trtbuild.config.schema import group_schema

FILES = sorted(path for group in config.GROUPS for path in (packaged_conf() / group).glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_shipped_files_fit(path: Path) -> None:
    schema = group_schema(path.parent.name)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(path.read_text("utf-8")) or {}, schema)


MODEL = {"source": {"kind": "onnx", "path": "m.onnx"}, "inputs": {"x": {"dtype": "float32", "shape": [None, 3]}}}


@pytest.mark.parametrize(
    "content",
    [
        MODEL,
        MODEL | {"export": {"opset": "${oc.env:OPSET}"}},
        {"defaults": ["base"], "export": {"opset": 18}},  # the source is in the other file
        MODEL | {"validation": {"deviation": {"max_abs": 1, "cosine": {"int8": 0.9}}}},
    ],
)
def test_what_a_build_takes_fits(content: dict[str, object]) -> None:
    jsonschema.validate(content, group_schema("model"))


@pytest.mark.parametrize(
    "content",
    [
        {"inputs": MODEL["inputs"]},
        MODEL | {"validaton": {}},
        MODEL | {"export": {"opset": "17"}},
        MODEL | {"source": {"kind": "onxn", "path": "m.onnx"}},
        MODEL | {"inputs": {"x": {"dtype": "float", "shape": [1]}}},
    ],
)
def test_mistakes_do_not(content: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, group_schema("model"))
