"""Tests of reading engines from logs and layer files: every version, and what is not understood."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.engine import Engine, Memory, read_engine
from trtbuild.engine.values import Tensor
from trtbuild.latency.flame import read_layers

DATA = Path(__file__).parents[1] / "data"
LOGS, EXPORTS = DATA / "engine_logs", DATA / "trt_profiles"


def read(name: str) -> Engine:
    return read_engine(LOGS / f"{name}.log")


@pytest.mark.parametrize("path", sorted(LOGS.glob("*.log")), ids=lambda path: path.stem)
def test_every_line_of_a_section_is_a_layer(path: Path) -> None:
    """Counted by hand: lines that begin with a name and have a layer's type."""
    text = path.read_text("utf-8")
    found = read_engine(path)

    assert len(found.layers) == text.count("\nName: ") == text.count(", LayerType: ")
    assert (found.unread, found.bindings) == ((), ("image", "logits"))
    assert sum(len(layer.tensors) for layer in found.layers) == text.count("{ Name: ")
    assert sum(len(layer.nodes or ()) for layer in found.layers) == text.count("[ONNX Layer: ")


def test_types_shapes_and_layout_of_rtx_1_7() -> None:
    """An int8 convolution that writes float32."""
    layer = read("lenet-int8-rtx-1.7").layers[1]

    assert (layer.kind, layer.type, layer.stream) == ("convolution", "correlation", 0)
    name = "__mye2243lenet5_1/c1_1/BiasAdd:0_before_bias.1_2_myl0"
    assert layer.inputs == (Tensor(name, (1, 4, 28, 28), "int8", "(NHWC) Channel major format"),)
    assert [tensor.type for tensor in layer.constants or ()] == ["int8", "float32", "float32"]
    assert [tensor.type for tensor in layer.outputs] == ["float32"]
    assert layer.nodes == ("lenet5_1/c1_1/BiasAdd", "lenet5_1/c1_1/BiasAdd__2:0/dq", "const__4/axis0/dq")


def test_rtx_1_4_says_less() -> None:
    """No constants, no layout, no shapes of the profile: unknown, not none."""
    found = read("lenet-fp16-rtx-1.4-dynamic")
    layer = next(layer for layer in found.layers if layer.kind == "convolution")

    assert (layer.constants, layer.inputs[0].type, layer.inputs[0].layout) == (None, "float16", "")
    assert (found.dynamic, found.optimum, layer.inputs[0].bytes(found.optimum)) == (True, None, None)


def test_dynamic_dimensions_count_at_the_profiles_optimum() -> None:
    """Of the image, 4 of 1 to 8."""
    found = read("lenet-fp16-rtx-1.7-dynamic")
    first = next(layer for layer in found.layers if layer.inputs)

    assert (found.optimum, first.inputs[0].shape) == (4, (-1, 28, 28, 1))
    assert first.inputs[0].bytes(found.optimum) == 4 * 28 * 28 * 4


def test_memory_is_the_builders_word() -> None:
    """In bytes, at the maximum of the profile."""
    assert read("lenet-int8-rtx-1.7").memory == Memory(8214016, 71304, 8214016, 80, 0)


def test_generated_kernels_are_what_they_do() -> None:
    """A fused matrix product is a product; a shape call is not."""
    kinds = Counter(layer.kind for layer in read("lenet-fp16-rtx-1.7-dynamic").layers)

    assert kinds == {"shape": 1, "pointwise": 1, "convolution": 2, "pooling": 2, "product": 3}


@pytest.mark.parametrize(
    ("name", "layers", "kinds"),
    [
        ("tf_resnet50_fp32.graph", 103, {"convolution": 54, "nothing": 31, "reformat": 13}),
        ("tf_resnet50_qat.graph", 63, {"convolution": 54, "reformat": 2, "pooling": 2}),
        ("trt10_resnet18_fp16.graph", 26, {"convolution": 20, "reformat": 1, "shape": 1}),
        ("trt10.16_mnist.layerinfo", 9, {"convolution": 2, "pooling": 2, "product": 1, "pointwise": 4}),
    ],
)
def test_exports_of_tensorrt_are_read_completely(name: str, layers: int, kinds: dict[str, int]) -> None:
    """Types from words such as 'Thirty-two wide channel vectorized row major Int8 format'."""
    found = read_engine(EXPORTS / f"{name}.json")
    counted = Counter(layer.kind for layer in found.layers)

    assert (len(found.layers), found.unread) == (layers, ())
    assert {kind: counted[kind] for kind in kinds} == kinds  # type: ignore[index]
    assert all(tensor.type for layer in found.layers for tensor in layer.tensors)


def test_names_alone_are_read_as_names() -> None:
    """LAYER_NAMES_ONLY gives nothing else; each layer's type is reported as unknown."""
    found = read_engine(EXPORTS / "names_only_resnet18_qat.layer_info.json")

    assert (len(found.layers), found.detailed, found.memory) == (86, False, Memory())


def test_what_is_not_understood_is_said_with_its_line(tmp_path: Path) -> None:
    """The other lines are read."""
    text = (LOGS / "lenet-int8-rtx-1.7.log").read_text("utf-8")
    lines = text.split("\n")
    at = next(i for i, line in enumerate(lines) if "avgpool" in line)
    lines[at] = lines[at].replace("Datatype: Float", "Datatype: Posit16", 1)
    lines[at + 1] = lines[at + 1][:200]
    lines[at + 2] = lines[at + 2].replace("correlation", "convolve9000")
    (tmp_path / "build.log").write_text("\n".join(lines), "utf-8")
    found = read_engine(tmp_path / "build.log")

    assert len(found.layers) == 14
    assert [(one.line, one.why) for one in found.unread] == [
        (at + 2, "Inputs has an entry without an end"),
        (0, "type or shape of a tensor of layer lenet5_1/s2_1/AvgPool_myl0_3 is not known"),
        (0, "the layer type 'convolve9000' is not known"),
    ]


@pytest.mark.parametrize("mark", ["[11/01/2024-10:32:57] [V] [TRT] ", "[V] ", "[TensorRT] VERBOSE: ", "[TRT] [V] "])
def test_logs_of_other_tools_are_read(tmp_path: Path, mark: str) -> None:
    """trtexec, Polygraphy and scripts each put their own mark before every message."""
    text = (LOGS / "lenet-int8-rtx-1.7.log").read_text("utf-8")
    text = text.replace("Severity.VERBOSE ", mark).replace("Severity.INFO ", mark)
    path = tmp_path / "trtexec.log"
    path.write_text(f"{mark}hello\n{text}{mark}Some line behind the section\nName: not one\n", "utf-8")

    assert read_engine(path) == Engine(**{**vars(read("lenet-int8-rtx-1.7")), "source": str(path)})


def test_the_short_form_is_read_from_a_log(tmp_path: Path) -> None:
    """TensorRT up to 8.x, each line with its mark or none."""
    lines = ["[V] Total Activation Memory: 24064", "[V] Engine Layer Information:",
             "Layer(CaskConvolution): c, Tactic: 0x1, x[Int8(1,3,8,8)] -> y[Float(1,4,8,8)]",
             "[V] Layer(Reformat): r, Tactic: 0, y[Float(1,4,8,8)] -> z[Int8(1,4,8,8)]", "[V] Done"]  # fmt: skip
    (tmp_path / "old.log").write_text("\n".join(lines), "utf-8")
    found = read_engine(tmp_path / "old.log")

    types = [(layer.kind, layer.outputs[0].type) for layer in found.layers]
    assert types == [("convolution", "float32"), ("reformat", "int8")]
    assert found.memory == Memory(activation=24064)


def test_a_script_may_print_before_the_section_of_an_inspector(tmp_path: Path) -> None:
    """Its first line may begin like JSON."""
    text = (LOGS / "lenet-int8-rtx-1.7.log").read_text("utf-8")
    section = text[text.index("Layers:") :]
    path = tmp_path / "inspector.log"
    path.write_text(f"[Cookbook] Version: 1.0\nEngine information:\n{section}", "utf-8")

    assert read_engine(path).layers == read("lenet-int8-rtx-1.7").layers


def test_of_several_optimisation_profiles_the_first_counts(tmp_path: Path) -> None:
    """Each has all the layers anew; generated kernels do not say which they belong to."""

    def layer(name: str, tensor: str) -> dict[str, object]:
        tensors = [{"Name": tensor, "Dimensions": [2], "Format/Datatype": "Half"}]
        return {"Name": name, "LayerType": "kgen", "Inputs": tensors, "Outputs": tensors}

    layers = [layer("conv", "x"), layer("__myl_Exp_myl0_1", "k"), layer("conv [profile 1]", "x [profile 1]"),
              layer("__myl_Exp_myl1_1", "k"), layer("__myl_Cast_myl2_1", "y [profile 2]")]  # fmt: skip
    (tmp_path / "layers.json").write_text(json.dumps({"Layers": layers}), "utf-8")
    (tmp_path / "names.json").write_text(json.dumps({"Layers": [one["Name"] for one in layers]}), "utf-8")
    found, names = read_engine(tmp_path / "layers.json"), read_engine(tmp_path / "names.json")

    assert ([one.name for one in found.layers], found.profiles) == (["conv", "__myl_Exp_myl0_1"], 3)
    assert (len(names.layers), names.profiles) == (2, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[V] Engine Layer Information:\nLayer(Reformat): a, Tactic: 0, b -> c", "no layer of this log .*; line 2"),
        ("", "no section 'Layers:'"),
        ("[I] nothing here", "profiling verbosity 'detailed'"),
        ("{", "is not JSON"),
        ('{"Layers": []}', "expected layer information"),
        ('{"Layers": [{"LayerType": "kgen"}]}', "entry 0 of the layers"),
        ('{"Layers": [[1]]}', "entry 0 of the layers"),
    ],
)
def test_another_file_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    """With what was expected."""
    (tmp_path / "file").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=words):
        read_engine(tmp_path / "file")


def test_the_log_of_two_engines_is_refused(tmp_path: Path) -> None:
    """Twice the same is one engine, as trtexec --verbose --dumpLayerInfo writes it."""
    one, other = ((LOGS / f"lenet-{name}.log").read_text("utf-8") for name in ("int8-rtx-1.7", "bf16-rtx-1.5"))
    (tmp_path / "same.log").write_text(f"{one}{one}", "utf-8")
    (tmp_path / "two.log").write_text(f"{one}{other}", "utf-8")

    assert len(read_engine(tmp_path / "same.log").layers) == 15
    with pytest.raises(ConfigError, match="several engines, at lines"):
        read_engine(tmp_path / "two.log")


def test_a_log_as_a_document_is_a_layer_file(tmp_path: Path) -> None:
    """The flame graph reads it, and reading it again gives the same engine."""
    from trtbuild.engine.log import document

    log = LOGS / "lenet-fp16-rtx-1.7-dynamic.log"
    path = tmp_path / "engine_layers.json"
    path.write_text(json.dumps(document(log.read_text("utf-8"), "log")), "utf-8")

    assert read_engine(path) == Engine(**{**vars(read_engine(log)), "source": str(path)})
    assert [layer.name for layer in read_layers(path)] == [layer.name for layer in read_engine(log).layers]
