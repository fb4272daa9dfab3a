"""Tests of one precision for each node: scopes, exclusions, bodies; and the graph that is written from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx
import pytest

from tests.support.graphs import Array, constants, copy, graph, node, nodes, run
from trtbuild.base.errors import ConfigError, LowerError
from trtbuild.core.spec import Form, Lowering
from trtbuild.graphs import lowered, qdq
from trtbuild.graphs.compute import promised
from trtbuild.graphs.graph import element_types, opset_of
from trtbuild.graphs.placement import Placement, scoped
from trtbuild.graphs.rounding import emulate
from trtbuild.graphs.scopes import NodeEntry

NET = """float[N,3,8,8] x => float[N,4,8,8] y {
  a = Conv<pads = [1,1,1,1]>(x, v) b = Relu(a) c = Conv<pads = [1,1,1,1]>(b, w) d = Add(c, b) y = Sigmoid(d) }"""
INT8 = Form("int8", "int8", quantize_ops=("Conv",), rest="float16")
Scoped = Mapping[str, tuple[str, ...]]


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def net() -> onnx.ModelProto:
    return graph(NET, v=draw(4, 3, 3, 3), w=draw(4, 4, 3, 3))


def written(lowering: Lowering, scoped: Scoped | None = None, reach: float = 40.0) -> onnx.ModelProto:
    model = copy(net())
    placement = Placement(lowering, scoped)
    lowered.prepare(model, placement)
    chosen, _ = lowered.quantised_nodes(model, placement)
    lowered.write(model, placement, chosen, dict.fromkeys(qdq.activations(chosen, model.graph), reach))
    onnx.checker.check_model(model, full_check="bfloat16" not in placement.float_types)  # ONNX has that later
    return model


def kinds(model: onnx.ModelProto) -> dict[str, str]:
    """The type of each node's result."""
    types = element_types(model)
    return {n.name: onnx.helper.tensor_dtype_to_np_dtype(types[n.output[0]]).name for n in nodes(model)}


def test_the_longest_scope_decides() -> None:
    """However they are ordered; what is in none computes as the base says."""
    scopes = {"net/head/last": Form("bf16", "bfloat16"), "net": INT8, "net/head": Form("fp16", "float16")}
    found = {"net": ("Conv_0", "Conv_2", "Add_3"), "net/head": ("Conv_2", "Add_3"), "net/head/last": ("Add_3",)}
    placement = Placement(Lowering("mine", "none", scopes=scopes), found)
    by_name = {n.name: placement.of(n).precision for n in nodes(net())}

    assert by_name == {"Conv_0": "int8", "Relu_1": "mine", "Conv_2": "fp16", "Add_3": "bf16", "Sigmoid_4": "mine"}


def test_an_exclusion_overrules_every_scope() -> None:
    """It means float32."""
    placement = Placement(
        Lowering("mine", "float16", scopes={"net": INT8}, exclude_ops=("Conv",)), {"net": ("Conv_0", "Conv_2")}
    )

    assert placement.of(node_of("Conv_0")).float_type == "float32"


def node_of(name: str) -> onnx.NodeProto:
    return next(n for n in nodes(net()) if n.name == name)


def test_a_body_computes_as_its_loop_unless_it_is_in_a_scope() -> None:
    """A loop's own nodes often have no name in TensorFlow."""
    placement = Placement(Lowering("mine", "none", scopes={"cell": Form("bf16", "bfloat16")}), {"cell": ("Conv_0",)})

    assert placement.of(node_of("Relu_1"), Form("fp16", "float16")).precision == "fp16"
    assert placement.of(node_of("Conv_0"), Form("fp16", "float16")).precision == "bf16"


@pytest.mark.parametrize("rest", ["float32", "float16", "bfloat16"])
def test_what_is_not_quantised_computes_in_the_rest(rest: str) -> None:
    """And every scale has the type of its side, in an opset that allows that."""
    model = written(Lowering("int8", "int8", quantize_ops=("Conv",), rest=rest))  # type: ignore[arg-type]
    found, arrays = kinds(model), constants(model)
    scales = {str(arrays[n.input[1]].dtype) for n in nodes(model) if n.op_type == "DequantizeLinear"}

    assert {found[name] for name in ("Conv_0", "Relu_1", "Conv_2", "Add_3", "Sigmoid_4")} == {rest}
    assert scales == {rest}
    assert arrays[node(model, "QuantizeLinear", "x/q").input[1]].dtype == np.float32
    assert str(arrays[node(model, "QuantizeLinear", "b/q").input[1]].dtype) == rest
    assert opset_of(model) == (17 if rest == "float32" else 19)
    assert set(promised(model).values()) == {"int8"}
    assert [v.type.tensor_type.elem_type for v in (*model.graph.input, *model.graph.output)] == [1, 1]


def test_both_sides_of_a_pair_have_the_same_scale() -> None:
    """One that half precision holds, rounded up, so that nothing is clipped."""
    lowering = Lowering("int8", "int8", quantize_ops=("Conv",), rest="float16", weight_scales="channel")
    arrays = constants(written(lowering, reach=1.0))

    assert arrays["x/scale"] == arrays["x/scale_fp16"] == np.float32(np.float16(1 / 127 * (1 + 2**-11)))
    assert arrays["x/scale"] >= 1 / 127
    for name in ("v/axis0/scale_fp16", "w/axis0/scale_fp16"):
        weight = draw(4, 4 if name[0] == "w" else 3, 3, 3)
        assert (arrays[name].astype(np.float64) * 127 >= np.abs(weight).max(axis=(1, 2, 3))).all()


def test_a_scale_beyond_half_precision_is_refused() -> None:
    """Infinity in its place would be NaN in the network."""
    with pytest.raises(LowerError, match="'x' is too large for a scale in float16"):
        written(Lowering("int8", "int8", quantize_ops=("Conv",), rest="float16"), reach=1e9)


def test_scopes_of_several_precisions_meet_in_casts() -> None:
    """An int8 stem and a float32 head in a float16 network."""
    lowering = Lowering("mine", "float16", scopes={"stem": INT8, "head": Form("fp32", "none")})
    model = written(lowering, {"stem": ("Conv_0",), "head": ("Sigmoid_4", "Add_3")}, reach=4.0)
    found = kinds(model)

    assert promised(model) == {"Conv_0": "int8", "Conv_2": "float16"}
    assert found["Relu_1"] == found["Conv_2"] == "float16" and found["Add_3"] == found["Sigmoid_4"] == "float32"
    feed = draw(2, 3, 8, 8)
    np.testing.assert_allclose(run(emulate(model), x=feed)["y"], run(net(), x=feed)["y"], atol=0.2)


def test_readers_of_two_types_share_the_quantised_tensor() -> None:
    """It is stored once, and dequantised to each type."""
    model = graph("float[1,4] x => float[1,4] y { a = MatMul(x, w) b = MatMul(x, w) y = Add(a, b) }", w=draw(4, 4))
    full = Form("int8", "int8", quantize_ops=("MatMul",))
    scopes = {"half": replace(full, rest="float16"), "full": full}
    placement = Placement(Lowering("m", "none", scopes=scopes), {"half": ("MatMul_0",), "full": ("MatMul_1",)})
    lowered.prepare(model, placement)
    chosen, _ = lowered.quantised_nodes(model, placement)
    lowered.write(model, placement, chosen, {"x": 3.0})
    onnx.checker.check_model(model, full_check=True)

    assert [n.name for n in nodes(model) if n.op_type == "QuantizeLinear"] == ["x/q"]
    assert {n.name for n in nodes(model) if n.op_type == "DequantizeLinear"} == {
        "x/dq", "x/dq_fp32", "w/axis1/dq", "w/axis1/dq_fp32",
    }  # fmt: skip
    assert promised(model) == {"MatMul_0": "int8", "MatMul_1": "int8"}


@pytest.mark.parametrize(
    ("lowering", "scoped", "says"),
    [
        (Lowering("int8", "int8", quantize_ops=("Gemm",)), {}, "the graph has no Gemm that can be"),
        (Lowering("m", "float16", scopes={"head": INT8}), {"head": ("Add_3",)}, "scope 'head' has no Conv that can be"),
        (
            Lowering("m", "float16", scopes={"a": INT8, "a/b": INT8}),
            {"a": ("Conv_0",), "a/b": ("Conv_0",)},
            "scope 'a' has no Conv that can be quantised outside",
        ),
    ],
    ids=["graph", "scope", "a longer scope has all"],
)
def test_a_quantised_precision_with_nothing_to_quantise_is_refused(
    lowering: Lowering, scoped: Scoped, says: str
) -> None:
    """It would be that by name alone."""
    with pytest.raises(LowerError, match=says):
        written(lowering, scoped)


def test_large_weights_do_not_pass_through_the_converter(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are the same afterwards, and inputs stay what they were."""
    import onnx.version_converter

    seen: list[int] = []
    convert = onnx.version_converter.convert_version

    def watched(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
        seen.append(len(model.SerializeToString()))
        return convert(model, opset)

    monkeypatch.setattr(onnx.version_converter, "convert_version", watched)
    weight = draw(256, 512)
    model = graph("float[1,256] x => float[1,512] y { a = MatMul(x, w) y = Softmax(a) }", w=weight)
    lowered.prepare(model, Placement(Lowering("int8", "int8", quantize_ops=("MatMul",), rest="float16")))

    assert opset_of(model) == 19 and seen[0] < 2000
    assert [value.name for value in model.graph.input] == ["x"]
    np.testing.assert_array_equal(constants(model)["w"], weight)


@pytest.mark.parametrize(
    ("lowering", "says"),
    [
        (Lowering("m", "int8", scopes={"haed": Form("fp16", "float16")}), "precision=m: scopes"),
        (Lowering("m", "float16", exclude_scopes=("haed",)), "model.overrides.m.exclude_scopes"),
    ],
)
def test_a_scope_that_matches_nothing_is_an_error(lowering: Lowering, says: str) -> None:
    """Whether it is quantised or not: a build and a check ask here, with the operations that nodes come from."""
    first = net().graph.node[0].name or ""
    entry: NodeEntry = {"op": "Wrapped/net/head/conv", "type": "Conv2D", "name": "net/head/conv"}

    with pytest.raises(ConfigError, match=f"{says}: no node is in scope 'haed'; did you mean 'head'"):
        scoped(net(), lowering, {first: entry})


def test_an_excluded_operation_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="the graph has no Sigmiod; did you mean 'Sigmoid'"):
        scoped(net(), Lowering("m", "float16", exclude_ops=("Sigmiod",)))
