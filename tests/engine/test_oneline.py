"""Tests of layers as TensorRT writes them in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trtbuild.engine import oneline

EXPORTS = Path(__file__).parents[1] / "data" / "trt_profiles"


def one_line(entry: dict[str, Any]) -> str:
    """As TensorRT's inspector writes a layer's record with LayerInformationFormat.ONELINE."""

    def value(key: str, said: Any) -> str:
        if key in oneline.TENSORS:
            return f"[ {', '.join('{ ' + fields(tensor) + ' }' for tensor in said)}]" if said else "[]"
        if isinstance(said, list):
            return f"[{','.join(map(str, said))}]"
        return json.dumps(said) if isinstance(said, dict) else str(said)

    def fields(record: dict[str, Any]) -> str:
        return ", ".join(f"{key}: {value(key, said)}" for key, said in record.items())

    return fields(entry)


@pytest.mark.parametrize("name", ["trt10.16_mnist.layerinfo", "trt10_resnet18_fp16.graph", "tf_resnet50_qat.graph"])
def test_a_line_says_what_the_json_says(name: str) -> None:
    """Every layer of real exports, attributes of convolutions and separators included."""
    entries = json.loads((EXPORTS / f"{name}.json").read_text("utf-8"), strict=False)["Layers"]

    assert [oneline.layer(one_line(entry)) for entry in entries] == entries


def test_names_may_have_anything_in_them() -> None:
    """Brackets, numbers alone, and what looks like another value."""
    tensors = [{"Name": "12", "Dimensions": [1], "Format/Datatype": "Half"},
               {"Name": "{ForeignNode[a...b]}", "Dimensions": [], "Format/Datatype": "Float"}]  # fmt: skip
    entry = {"Name": "[train 1], (b) + c", "LayerType": "kgen", "Inputs": tensors, "Outputs": [], "TacticName": "",
             "StreamId": 0, "Metadata": "[ONNX Layer: a, Name: b]\x1e[ONNX Layer: c]"}  # fmt: skip

    assert oneline.layer(one_line(entry)) == entry


@pytest.mark.parametrize(
    "text",
    [
        "", "Name: a", "Name: a, LayerType: kgen", "Name: a, LayerType: kgen, Inputs: [ { Name: x",
        "Name: a, LayerType: kgen, Inputs: [ { Dimensions: [1] }]", "Name: a, LayerType: kgen, Inputs: [], Inputs: []",
        "Name: a, LayerType: kgen, Inputs: []; Outputs: []",
    ],
)  # fmt: skip
def test_another_form_is_not_guessed_at(text: str) -> None:
    """A cut line is not half a layer."""
    with pytest.raises(oneline.NotUnderstood):
        oneline.layer(text)


def test_the_short_form_of_old_versions_is_read() -> None:
    """Types and shapes, dynamic ones numbered."""
    text = "Layer(CaskConvolution): conv1 + relu1, Tactic: 0x47, a[b][Int8(-7,3,8,8)] -> y, z[Float(1)], w[Half()]"
    made = oneline.short_layer(f"[V] {text}")

    assert (made["Name"], made["LayerType"], made["TacticValue"]) == ("conv1 + relu1", "CaskConvolution", "0x47")
    assert made["Inputs"] == [{"Name": "a[b]", "Dimensions": [-1, 3, 8, 8], "Format/Datatype": "Int8"}]
    assert [(t["Name"], t["Dimensions"]) for t in made["Outputs"]] == [("y, z", [1]), ("w", [])]


def test_the_short_form_of_tensorrt_10_is_read() -> None:
    """Types in round brackets, channels in vectors."""
    name = "Reformatting CopyNode for Input Tensor 0 to {ForeignNode[a...b]}"
    tensors = "p (Half[-1,32:8,14,14]) -> y (Float[-1,10]), z [Identity]_output (Int64[])"
    made = oneline.short_layer(f"Layer(Myelin): {name}, Tactic: 0x0, {tensors}")

    assert (made["Name"], made["LayerType"]) == (name, "Myelin")
    assert made["Inputs"] == [{"Name": "p", "Dimensions": [-1, 32, 14, 14], "Format/Datatype": "Half"}]
    assert [(t["Name"], t["Dimensions"], t["Format/Datatype"]) for t in made["Outputs"]] == [
        ("y", [-1, 10], "Float"), ("z [Identity]_output", [], "Int64"),
    ]  # fmt: skip


def test_the_short_form_without_tensors_is_refused() -> None:
    """Like any text that is not a layer."""
    with pytest.raises(oneline.NotUnderstood):
        oneline.short_layer("Layer(Reformat): a, Tactic: 0, b -> c")
