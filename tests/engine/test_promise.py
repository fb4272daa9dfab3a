"""Tests of the proof's second level: in which layer a promised node ended, and in which types that layer computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trtbuild.base.errors import EngineError
from trtbuild.engine import engine, read_engine
from trtbuild.engine.log import document
from trtbuild.engine.promise import prove
from trtbuild.steps.engine import _prove_compiled

LOGS = Path(__file__).parents[1] / "data" / "engine_logs"
HEAVY = [
    f"lenet5_1/{scope}" for scope in ("c1_1/BiasAdd", "c3_1/BiasAdd", "c5_1/MatMul", "f6_1/MatMul", "logits_1/MatMul")
]


def promised(kind: str) -> dict[str, str]:
    return dict.fromkeys(HEAVY, kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lenet-int8-rtx-1.7", "int8"), ("lenet-bf16-rtx-1.5", "bfloat16"), ("lenet-fp16-rtx-1.4-dynamic", "float16"),
        ("lenet-fp16-rtx-1.7-dynamic", "float16"),
    ],
)  # fmt: skip
def test_real_engines_keep_their_promise(name: str, kind: str) -> None:
    """Every node is found, in every version; another promise would be broken."""
    found = read_engine(LOGS / f"{name}.log")
    proof = prove(found, promised(kind))

    assert (len(proof.nodes), proof.unplaced, proof.broken) == (5, (), ())
    assert len(prove(found, promised("float32" if kind == "int8" else "int8")).broken) >= 2


def test_int8_operands_and_float_results() -> None:
    """What 'int8 100 %' of the parsed network does not reveal."""
    proof = prove(read_engine(LOGS / "lenet-int8-rtx-1.7.log"), promised("int8"))
    made = proof.document({})

    assert (made["operands"], made["results"]) == ({"int8": 1.0}, {"float32": 1.0})
    assert made["nodes"]["lenet5_1/c1_1/BiasAdd"] == {
        "layer": "lenet5_1/c1_1/BiasAdd_myl0_1", "operands": ["int8", "float32"], "results": ["float32"],
    }  # fmt: skip


def test_shares_are_of_work_where_it_is_known() -> None:
    """Of nodes elsewhere."""
    nodes = {"a": "int8", "b": "float32"}
    proof = prove(engine({"Layers": [_conv("a", "Int8"), _conv("b", "Float")]}, "made here"), nodes)

    assert proof.shares({"a": 3, "b": 1})["operands"] == {"int8": 0.75, "float32": 0.25}
    assert proof.shares({"a": 3})["operands"] == {"int8": 0.5, "float32": 0.5}


def _conv(node: str, kind: str, layer_type: str = "correlation") -> dict[str, Any]:
    def tensor(name: str, shape: list[int]) -> dict[str, Any]:
        return {"Name": name, "Dimensions": shape, "Datatype": kind, "Format": ""}

    return {"Name": node, "LayerType": layer_type, "Inputs": [tensor(f"{node}x", [1, 8, 4, 4])],
            "Constants": [tensor(f"{node}w", [8, 8, 1, 1])], "Outputs": [tensor(f"{node}y", [1, 8, 4, 4])],
            "Metadata": f"[ONNX Layer: {node}]"}  # fmt: skip


def test_a_broken_promise_fails_the_build() -> None:
    """An int8 node in a float layer; exit status 4, every node in the details."""
    layers = {"Layers": [_conv("a", "Float"), _conv("b", "Int8")]}
    with pytest.raises(EngineError, match=r"1 node.* first: a: promised int8, layer a reads float32") as failed:
        _prove_compiled(layers, {"compute": {"a": "int8", "b": "int8"}, "macs": {}})

    assert len(failed.value.details) == 1


def test_what_cannot_be_told_is_not_judged() -> None:
    """A region of several operations, and a node that no layer lists."""
    proof = prove(engine({"Layers": [_conv("a", "Float", "Myelin")]}, "made here"), {"a": "int8", "gone": "int8"})

    assert (proof.broken, proof.unplaced, [one.judged for one in proof.nodes]) == ((), ("gone",), [False])


def test_what_was_not_understood_is_a_warning_of_the_build() -> None:
    """One for all of it; none where all was."""
    precision = {"compute": promised("int8"), "macs": {}}
    text = (LOGS / "lenet-int8-rtx-1.7.log").read_text("utf-8")
    _, quiet = _prove_compiled(document(text, "log"), precision)
    _, said = _prove_compiled(document(text.replace("LayerType: avgpool", "LayerType: new"), "log"), precision)
    made, nothing = _prove_compiled({"Layers": [], "Unread": [{"line": 0, "text": "", "why": "no section"}]}, precision)

    assert quiet == [] and "2 entries on the compiled engine" in said[0]["what"]
    assert made["unplaced"] == HEAVY and "no section" in nothing[0]["what"]
