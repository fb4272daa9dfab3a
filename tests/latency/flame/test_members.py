"""Tests of names: from TensorRT's and ONNX Runtime's layer names to the operations inside."""

from __future__ import annotations

import pytest

from tests.latency.flame.exports import one, path
from trtbuild.latency.flame import flame_graph, read_layers, read_profile
from trtbuild.latency.flame.members import split_name


@pytest.mark.parametrize(
    ("name", "scope", "label", "kind"),
    [
        ("Conv__435 + resnet50/conv1_relu/Relu", "resnet50/conv1_relu", "Relu", "layer"),
        ("net/a/Relu + net/b/Conv2D + net/c/MatMul", "net/b", "Conv2D", "layer"),
        ("/layer1/conv/Conv + PWN(PWN(/layer1/Sigmoid), /layer1/Mul)", "layer1/conv", "Conv", "layer"),
        ("PWN(PWN(/m/act/Sigmoid), /m/act/Mul)", "m/act", "Sigmoid", "layer"),
        ("a/x/Conv || b/y/Conv", "a/x", "Conv", "layer"),
        ("net.conv.weight + /net/q/QuantizeLinear + /net/conv/Conv", "net/conv", "Conv", "layer"),
        ("q/conv/ReadVariableOp:0 + QuantLinearNode__622 + q/conv/BiasAdd", "q/conv", "BiasAdd", "layer"),
        ("net/conv/Conv2D [profile 3]", "net/conv", "Conv2D", "layer"),
        ("reshape_after_net/predictions/MatMul", "net/predictions", "MatMul", "layer"),
        ("StatefulPartitionedCall/net/conv/Conv2D", "net/conv", "Conv2D", "layer"),
        ("[CONVOLUTION]-[aten_ops.convolution.default]-[/conv1/convolution]", "conv1", "convolution", "layer"),
        ("/classifier/classifier_1/Gemm_myl9_2", "classifier/classifier_1", "Gemm", "layer"),
        ("net/conv/Relu:0_nchwc", "net/conv", "Relu", "layer"),
        ("Reformatting CopyNode for Input Tensor 0 to net/conv/Conv + net/Relu", "net/conv", "[reformat]", "reformat"),
        ("Reformatting CopyNode for Network Input image", "", "[reformat]", "reformat"),
        ("/neck/Concat_/neck/Resize_output_0_clone_0 copy", "neck", "[reformat]", "reformat"),
        ("{ForeignNode[net/a/x/Mul.../net/a/y/Add]}", "net/a", "[myelin]", "myelin"),
        ("{ForeignNode[a/k + (Unnamed Layer* 109) [Shuffle].../a/x/Cast + /a/y/Add]}", "a", "[myelin]", "myelin"),
        ("__myl_CastReshCast_myl4_4", "[myelin]", "__myl_CastReshCast_myl4_4", "myelin"),
        ("dummy_shape_call__mye548_0_myl24_0", "[tensorrt]", "dummy_shape_call__mye548_0_myl24_0", "tensorrt"),
        ("_gemm_mha_v2_myl0_4", "[myelin]", "_gemm_mha_v2_myl0_4", "myelin"),
        ("{ForeignNode[ONNXTRT_ShapeShuffle_336_output[Constant].../net/a/Mul]}", "net/a", "[myelin]", "myelin"),
        ("[trainStation1]", "[tensorrt]", "[trainStation1]", "tensorrt"),
        ("PWN((Unnamed Layer* 1) [Unary])", "[tensorrt]", "PWN((Unnamed Layer* 1) [Unary])", "tensorrt"),
        ("Conv_9 + PWN(Clip_12)", "", "Conv_9", "layer"),
        ("(((", "", "(((", "layer"),
        ("ReorderOutput_token_4", "", "[reformat]", "reformat"),
    ],
)  # fmt: skip
def test_a_layer_lands_where_its_author_would_look(name: str, scope: str, label: str, kind: str) -> None:
    """By the anchor rule."""
    piece = one(name).pieces[0]
    assert ("/".join(piece.scope), piece.label, piece.kind, piece.time_ns) == (scope, label, kind, 7000)


@pytest.mark.parametrize("separator", ["\x1e", "\x1f", ""])
def test_metadata_goes_before_the_name(separator: str) -> None:
    """Both of its separators, and none; brackets in a node's name."""
    metadata = f"[ONNX Layer: net/fc/MatMul]{separator}[ONNX Layer: net/act[0]/Relu]"
    made = one("__myl_MulSum_myl4_1", Metadata=metadata)
    assert made.pieces[0].scope == ("net", "fc")
    assert made.members[0] == ("net/fc/MatMul", "net/act[0]/Relu")


@pytest.mark.parametrize(("layer_type", "scope"), [("shape_call", "[tensorrt]"), ("MyelinReformat", "")])
def test_the_layers_type_tells_what_its_name_does_not(layer_type: str, scope: str) -> None:
    """Shape calls and Myelin's own reformats."""
    assert "/".join(one("x__1", LayerType=layer_type).pieces[0].scope) == scope


def test_a_builds_own_scopes_need_no_guessing() -> None:
    """An ONNX node's name, however it looks, and a fused one by the tensor it makes."""
    entry = {
        "op": "PartitionedCall/net/conv_1/Conv2D",
        "type": "Conv2D",
        "name": "net/conv/Conv2D",
        "scope": "net/conv",
    }
    scopes = {"nodes": {"Conv__7": entry}, "tensors": {"Conv__7:0": {"tensor": f"{entry['op']}:0", "layout": "NCHW"}}}
    profile = read_profile({"Conv__7 + Relu__9": [1.0], "Conv__7:0_nchwc": [1.0]})
    assert {piece.scope for piece in flame_graph(profile, scopes=scopes).pieces} == {("net", "conv")}


def test_a_convolution_named_after_its_batch_norm_is_one() -> None:
    """tf2onnx's Conv__7, which TensorFlow knows as the norm's addition, goes before a pooling."""
    nodes = {
        "net/pool/MaxPool": {"op": "net/pool/MaxPool", "type": "MaxPool", "name": "net/pool/MaxPool"},
        "Conv__7": {"op": "net/bn_1/add_1", "type": "AddV2", "scope": "net/bn"},
    }
    profile = read_profile({"net/pool/MaxPool + Conv__7": [1.0]})
    piece = flame_graph(profile, scopes={"nodes": nodes, "tensors": {}}).pieces[0]
    assert (piece.scope, piece.label) == (("net", "bn"), "add_1")


def test_what_was_folded_into_a_convolution_is_listed_with_it() -> None:
    """Its own scope has the time; a tooltip names the rest, and a fused row's tensor leads to it as well."""
    norm = {"op": "net_1/bn_1/add_1", "type": "AddV2", "name": "net/bn/add_1"}
    conv = {"op": "net_1/conv_1/Conv2D", "type": "Conv2D", "name": "net/conv/Conv2D", "members": [norm]}
    scopes = {"nodes": {"Conv__7": conv}, "tensors": {"Conv__7:0": {"tensor": "net_1/bn_1/add_1:0"}}}
    made = flame_graph(read_profile({"Conv__7": [1.0], "Conv__7:0_nchwc": [1.0]}), scopes=scopes)

    assert {(*piece.scope, piece.label) for piece in made.pieces} == {("net", "conv", "Conv2D")}
    assert made.members == (("Conv__7", "net/bn/add_1"), ("Conv__7:0_nchwc", "net/bn/add_1"))


def test_myelin_kernels_of_10_16_are_found_by_metadata() -> None:
    """A real layer file without slashes in its names."""
    layers = read_layers(path("trt10.16_mnist.layerinfo"))
    profile = read_profile([{"count": 1}, *({"name": layer.name, "averageMs": 0.001} for layer in layers)])
    labels = [piece.label for piece in flame_graph(profile, layers).pieces]
    assert labels[0] == "node_conv2d"
    assert labels[4:6] == ["node_linear", "node_linear_1"]
    assert labels[8] == "__myl_CastReshCast_myl4_4"


def test_brackets_that_do_not_pair_are_no_trouble() -> None:
    """Cut at every separator then."""
    assert split_name("a( + b") == ("a(", "b")
    assert split_name("PWN(a, b + PWN(c)) || d") == ("a", "b", "c", "d")
