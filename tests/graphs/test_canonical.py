"""Tests of canonical ONNX: two exports of one model are one sequence of bytes, and names stay the model's own."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import onnx
import pytest

from tests.support.graphs import constants, copy, graph, nodes, run
from trtbuild.base.errors import SourceError
from trtbuild.graphs.canonical import canonicalise, check_size, strip, to_bytes
from trtbuild.graphs.graph import all_graphs, producers, subgraphs

W, V = np.float32([1, 2]), np.float32([3, 4])


def exported(first: str = "__11", second: str = "__12", node: str = "Relu__7") -> onnx.ModelProto:
    """What an exporter makes: equal constants, generated numbers that differ from run to run."""
    model = graph(
        "float[2] x => float[2] y { m = Mul(x, w) r = Relu(m) a = Add(r, v) y = Mul(a, u) }",
        w=W, v=V, u=W,
    )  # fmt: skip
    renamed = {"w": f"const_fold_opt{first}", "u": f"const_fold_opt{second}", "m": f"Mul{first}:0", "r": "net/relu:0"}
    for n in nodes(model):
        n.input[:] = [renamed.get(name, name) for name in n.input]
        n.output[:] = [renamed.get(name, name) for name in n.output]
    for tensor in model.graph.initializer:
        tensor.name = renamed.get(tensor.name, tensor.name)
    nodes(model)[1].name = node
    return model


def canonical(model: onnx.ModelProto, keep: tuple[str, ...] = ()) -> onnx.ModelProto:
    made = copy(model)
    canonicalise(made, keep)
    return made


def shuffle_initialisers(model: onnx.ModelProto) -> None:
    tensors = [onnx.TensorProto.FromString(t.SerializeToString()) for t in model.graph.initializer]
    random.Random(1).shuffle(tensors)
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)


def other_producer(model: onnx.ModelProto) -> None:
    model.producer_name, model.producer_version, model.doc_string = "tf2onnx", "9", "made today"
    model.metadata_props.add(key="date", value="today")
    model.graph.name, model.graph.doc_string = "tf2onnx__42", "a graph"
    model.graph.node[0].doc_string = "a node"


def inferred_shapes(model: onnx.ModelProto) -> None:
    model.CopyFrom(onnx.shape_inference.infer_shapes(model))


def another_import(model: onnx.ModelProto) -> None:
    model.opset_import.insert(0, onnx.helper.make_opsetid("ai.onnx.ml", 2))


@pytest.mark.parametrize("change", [shuffle_initialisers, other_producer, inferred_shapes, another_import])
def test_bytes_hang_on_the_meaning_alone(change: Callable[[onnx.ModelProto], None]) -> None:
    """The order of initialisers, who wrote it, and what can be inferred do not count."""
    changed = exported()
    change(changed)

    assert changed.SerializeToString() != exported().SerializeToString()
    assert to_bytes(canonical(changed)) == to_bytes(canonical(exported()))


def test_generated_numbers_do_not_count() -> None:
    """A process-wide counter differs from run to run."""
    other = exported("__95", "__94", "Relu__1234")

    assert to_bytes(canonical(other)) == to_bytes(canonical(exported()))


def test_defaults_that_tensorrt_shortens_are_stated() -> None:
    """TensorRT takes 1.6732 and 1.0507 for Selu's; what the graph states itself stays."""
    bare = graph("float[2] x => float[2] y { y = Selu(x) }")
    half = graph("float[2] x => float[2] y { y = Selu<alpha = 2.0>(x) }")
    canonicalise(bare)
    canonicalise(half)

    assert {a.name: round(a.f, 7) for a in bare.graph.node[0].attribute} == {"alpha": 1.6732632, "gamma": 1.050701}
    assert {a.name: round(a.f, 7) for a in half.graph.node[0].attribute} == {"alpha": 2.0, "gamma": 1.050701}


def test_another_constant_is_another_model() -> None:
    """One changed weight changes the bytes."""
    other = exported()
    other.graph.initializer[0].CopyFrom(
        onnx.numpy_helper.from_array(np.float32([1, 2.5]), other.graph.initializer[0].name)
    )

    assert to_bytes(canonical(other)) != to_bytes(canonical(exported()))


def test_it_computes_the_same() -> None:
    """Before and after, bit for bit."""
    x = np.float32([-1, 2])

    np.testing.assert_array_equal(run(canonical(exported()), x=x)["y"], run(exported(), x=x)["y"])


def test_it_changes_nothing_the_second_time() -> None:
    """A canonical graph is its own canonical form."""
    once = canonical(exported(), keep=("net/relu",))

    assert to_bytes(canonical(once, keep=("net/relu",))) == to_bytes(once)


def test_equal_initialisers_are_merged() -> None:
    """Both readers share one; names are numbers by first use."""
    made = canonical(exported())

    assert {name: array.tolist() for name, array in constants(made).items()} == {
        "const": W.tolist(),
        "const__2": V.tolist(),
    }
    assert nodes(made)[0].input[1] == nodes(made)[3].input[1] == "const"


@pytest.mark.parametrize(
    "other",
    [np.float64([1, 2]), np.float32([[1, 2]]), np.float32([1, 2]).view(np.int32)],
    ids=["type", "shape", "same bytes"],
)
def test_unequal_initialisers_are_not(other: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
    """Type and shape are part of a constant."""
    model = graph("float[2] x => float[2] y { a = Identity(v) y = Add(x, w) }", w=W, v=other)

    assert len(constants(canonical(model))) == 2


def test_outputs_that_are_constants_keep_their_own() -> None:
    """Two outputs of one value are two outputs."""
    made = canonical(graph("float[2] x => float[2] y, float[2] p, float[2] q { y = Neg(x) }", p=W, q=W))

    assert set(constants(made)) == {"p", "q"}


def test_a_constant_output_does_not_hang_on_order() -> None:
    """An output of a constant value, and a reader of an equal constant."""
    first = graph("float[2] x => float[2] y, float[2] p { y = Add(x, w) }", p=W, w=W)
    second = graph("float[2] x => float[2] y, float[2] p { y = Add(x, w) }", w=W, p=W)

    assert to_bytes(canonical(first)) == to_bytes(canonical(second))


def test_names_of_the_source_model_are_kept() -> None:
    """With their port, and without; what the exporter made is renumbered."""
    made = canonical(exported(), keep=("net/relu",))

    assert [list(n.output) for n in nodes(made)] == [["Mul:0"], ["net/relu:0"], ["a"], ["y"]]
    assert nodes(made)[1].name == "Relu"


def named(*names: str) -> onnx.ModelProto:
    """A row of nodes, named as said."""
    body = " ".join(f"t{i + 1} = Neg(t{i})" for i in range(len(names)))
    model = graph(f"float[1] t0 => float[1] t{len(names)} {{ {body} }}")
    for n, name in zip(nodes(model), names, strict=True):
        n.name = name
    return model


def test_a_generated_name_never_takes_a_real_one() -> None:
    """The real one keeps its name even where it comes later."""
    made = canonical(named("conv__5", "conv__6", "conv"), keep=("conv",))

    assert [n.name for n in nodes(made)] == ["conv__2", "conv__3", "conv"]


def test_a_numbered_real_name_is_not_taken_either() -> None:
    """TensorFlow names may end in `__2` themselves."""
    made = canonical(named("conv__5", "conv", "conv__2"), keep=("conv", "conv__2"))

    assert [n.name for n in nodes(made)][1:] == ["conv", "conv__2"]


def test_inputs_and_outputs_keep_their_names() -> None:
    """Even when they look generated."""
    made = canonical(graph("float[2] x__1 => float[2] y__2 { a = Neg(x__1) y__2 = Neg(a) }"))

    assert ([v.name for v in made.graph.input], [v.name for v in made.graph.output]) == (["x__1"], ["y__2"])


def test_bodies_are_renamed_with_what_they_capture() -> None:
    """A branch that reads an outer tensor reads it under its new name."""
    text = """float[2] x, bool c => float[2] y {
      a__9 = Neg(x)
      y = If(c) <
        then_branch = yes () => (float[2] p__3) { p__3 = Mul(a__9, w) },
        else_branch = no () => (float[2] q__4) { q__4 = Exp(x) }>
    }"""
    made = canonical(graph(text, w=W))
    onnx.checker.check_model(made, full_check=True)

    np.testing.assert_array_equal(run(made, x=W, c=np.array(True))["y"], -W * W)
    assert {output for n in nodes(made) for output in n.output} == {"a", "y", "p", "q"}


def test_tensors_of_two_branches_have_names_of_their_own() -> None:
    """ONNX lets them share one; lowerings look types, constants and makers up by name."""
    text = """float[2] x, bool c => float[2] y {
      y = If(c) <
        then_branch = yes () => (float[2] p) { t = Mul(x, k) p = Neg(t) },
        else_branch = no () => (float[2] q) { t = Add(x, k) q = Exp(t) }>
    }"""
    made = graph(text)
    for body, value in zip(subgraphs(made.graph.node[0]), (W, V), strict=True):
        body.initializer.append(onnx.numpy_helper.from_array(value, "k"))
    expected = [run(made, x=W, c=np.array(flag))["y"] for flag in (True, False)]
    made = canonical(made, ("t",))

    assert [run(made, x=W, c=np.array(flag))["y"].tolist() for flag in (True, False)] == [e.tolist() for e in expected]
    found = [
        name for body in all_graphs(made.graph) for name in (*producers(body), *(t.name for t in body.initializer))
    ]
    assert sorted(found) == ["const", "const__2", "p", "q", "t", "t__2", "y"]


def test_generated_dimensions_are_named_after_their_input() -> None:
    """tf2onnx numbers them; outputs and bodies lose theirs."""
    made = canonical(graph("float[unk__4, 2] x => float[unk__5, 2] y { y = Neg(x) }"))
    dims = [v.type.tensor_type.shape.dim[0].dim_param for v in (*made.graph.input, *made.graph.output)]

    assert dims == ["x_0", ""]


def test_stripping_keeps_names() -> None:
    """What a lowering added is not renumbered."""
    model = exported()
    other_producer(model)
    strip(model)

    assert (model.producer_name, model.graph.name, len(model.metadata_props)) == ("trtbuild", "model", 0)
    assert nodes(model)[1].name == "Relu__7"


def test_weights_beyond_what_a_file_holds_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Protobuf's own error would be a bug in trtbuild."""
    monkeypatch.setattr("trtbuild.graphs.canonical.LARGEST_BYTES", 10_000_000)
    check_size([bytes(5_000_000), bytes(5_000_000)])

    with pytest.raises(SourceError, match=r"weights take 0\.02 GB, and a single ONNX file holds 0\.01 GB"):
        check_size([bytes(10_000_000), bytes(10_000_000)])
