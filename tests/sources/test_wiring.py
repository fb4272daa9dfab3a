"""Tests of outputs that no node makes, and of inputs and outputs that nothing connects."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from tests.support.graphs import constants, graph, run
from trtbuild.base.errors import ExportError
from trtbuild.sources import wiring

X = np.arange(4, dtype=np.float32)
CASES = {
    "input": ("float[4] x => float[4] y, float[4] x { y = Relu(x) }", ["y", "x_output"]),
    "input twice taken": (
        "float[4] x => float[4] x, float[4] x_output { x_output = Relu(x) }", ["x_output_", "x_output"]
    ),
    "initialiser": ("float[4] x => float[4] w, float[4] y { y = Add(x, w) }", ["w", "y"]),
    "constant": (
        "float[4] x => float[4] c, float[4] y { c = Constant <value = float[4] {1, 2, 3, 4}> () y = Add(x, c) }",
        ["c", "y"],
    ),
    "read in a body": (
        """float[4] x, bool b => float[4] w, float[4] y {
            y = If (b) <then_branch = t () => (float[4] a) { a = Add(x, w) },
                        else_branch = e () => (float[4] v) { v = Identity(w) }>
        }""",
        ["w", "y"],
    ),
}  # fmt: skip


def made(name: str) -> tuple[onnx.ModelProto, list[str]]:
    text, outputs = CASES[name]
    return graph(text, **({"w": X} if "w" in text else {})), outputs


@pytest.mark.parametrize("name", CASES)
def test_every_output_has_a_node(name: str) -> None:
    """It is not an input's name, initialisers keep theirs for outputs, and the values are what they were."""
    model, outputs = made(name)
    feeds: dict[str, Any] = {"x": X, **({"b": np.array(False)} if "bool b" in CASES[name][0] else {})}
    wiring.give_nodes(model)
    onnx.checker.check_model(model)
    nodes = {output for node in model.graph.node for output in node.output}

    assert [value.name for value in model.graph.output] == outputs
    assert set(outputs) <= nodes and not set(outputs) & {*constants(model), *(v.name for v in model.graph.input)}
    found = run(model, **feeds)
    wanted = {"y": {"input": X, "initialiser": 2 * X, "constant": 2 * X + 1, "read in a body": X}.get(name)}
    wanted |= {"x_output": X, "x_output_": X, "w": X, "c": X + 1}
    assert all(np.array_equal(found[output], wanted[output]) for output in outputs)


def test_a_weight_that_is_listed_as_an_input_is_none() -> None:
    """As in ONNX before 1.5; also where it is an output."""
    model = graph("float[4] x, float[4] w => float[4] w, float[4] y { y = Add(x, w) }", w=X)
    wiring.give_nodes(model)

    assert [value.name for value in model.graph.input] == ["x"]
    assert run(model, x=X)["w"].tolist() == X.tolist()


def test_constants_of_the_source_are_told_from_what_is_computed() -> None:
    """Behind an Identity, too; a range is computed."""
    model = graph(
        """float[4] x => float[4] y, float[4] w, float[4] v, float[r] r {
            y = Relu(x) v = Identity(w) a = Constant <value = float {0}> () b = Constant <value = float {4}> ()
            d = Constant <value = float {1}> () r = Range(a, b, d)
        }""",
        w=X,
    )

    assert wiring.constant_outputs(model) == {"w", "v"}


def refusal(text: str, constant: tuple[str, ...] = (), **arrays: Any) -> str:
    model = graph(text, **arrays)
    with pytest.raises(ExportError) as caught:
        wiring.check(model, [value.name for value in model.graph.input], constant)
    return str(caught.value)


def test_an_input_that_nothing_reads_is_named() -> None:
    """Read by a node that no output depends on is not read; neither is one that the exporter dropped."""
    text = "float[4] x, float[4] z => float[4] y { d = Neg(z) e = Relu(d) y = Relu(x) }"
    model = graph("float[4] x => float[4] y { y = Relu(x) }")

    assert refusal(text).startswith("model.inputs.z: nothing reads the input 'z'")
    with pytest.raises(ExportError, match="nothing reads the input 'image'"):
        wiring.check(model, ["image", "x"], ())


def test_an_output_that_depends_on_no_input_is_named() -> None:
    """Unless it is a constant in the source."""
    text = "float[4] x => float[4] y, float[4] z { y = Relu(x) z = Neg(w) }"

    assert "the output 'z' depends on no input" in refusal(text, w=X)
    wiring.check(graph(text, w=X), ["x"], ("z",))


def test_what_a_body_reads_is_read() -> None:
    """By the body of a branch, of a scan, and as a result of one."""
    text = """float[4] x, float[4] z, float[4] u, bool b => float[4] y {
        y = If (b) <then_branch = t () => (float[4] a) { a = Add(x, z) }, else_branch = e () => (float[4] v) {
            v = Neg(u)
        }>
    }"""

    wiring.check(graph(text), ["x", "z", "u", "b"], ())
