"""Tests of values that a compiled engine quantises and dequantises for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.compiled import engines
from tests.support.pairs import network
from trtbuild.engine import engine as engine_of
from trtbuild.engine import read_engine
from trtbuild.engine.findings import Finding, find
from trtbuild.engine.pairs import within

LOGS = Path(__file__).parents[1] / "data" / "engine_logs"
N = [1, 32, 8, 8]


def layer(name: str, inputs: dict[str, str], outputs: dict[str, str], kind: str = "kgen", nodes: str = "") -> Any:
    def tensors(side: dict[str, str]) -> list[dict[str, Any]]:
        return [{"Name": name, "Dimensions": N, "Datatype": of, "Format": "(Linear)"} for name, of in side.items()]

    return {"Name": name, "LayerType": kind, "Inputs": tensors(inputs), "Outputs": tensors(outputs), "Constants": [],
            "Metadata": nodes}  # fmt: skip


def found(*layers: Any, kind: str = "useless_pair", **head: Any) -> list[Finding]:
    return [one for one in find(engine_of({"Layers": list(layers), **head}, "made here")) if one.kind == kind]


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ("MulMinMaxRounCastCastMul", True),
        ("SigmMulMinMaxRounCastMulMinMaxRounCastConcCastMul", True),  # two, joined between
        ("MulReluMulMinMaxRounCastCastMulMulMinMaxRounCast", True),  # and quantised once more
        ("MulCastCastMul", True),  # fp8 is not rounded first
        ("MulReluMulMinMaxRounCast", False),
        ("CastMulAddMulMinMaxRounCast", False),  # dequantised, added, quantised
        ("MulCastReluMulMinMaxRounCast", False),
        ("MulCastCast", False),
        ("CastMul", False),
        ("Tran", False),
    ],
)
def test_a_kernel_that_narrows_and_widens_is_known_by_its_operations(operations: str, expected: bool) -> None:
    """In their order."""
    made = engine_of({"Layers": [layer(f"__myl_{operations}_myl0_2", {"a": "Float"}, {"b": "Float"})]}, "here")

    assert within(made.layers[0]) is expected


QUANTISE = layer("__myl_MulMinMaxRounCast_myl0_1", {"x": "Float"}, {"q": "Int8"})
POOL = layer("pool", {"q": "Int8"}, {"p": "Int8"}, "maxpool")
DEQUANTISE = layer("__myl_CastMul_myl0_3", {"p": "Int8"}, {"y": "Float"})


def test_two_kernels_with_only_pooling_between_are_a_pair() -> None:
    """What both of them move is the cost."""
    (one,) = found(QUANTISE, POOL, DEQUANTISE)

    assert one.layers == ("__myl_MulMinMaxRounCast_myl0_1", "__myl_CastMul_myl0_3")
    assert one.cost_bytes == 2 * (4 + 1) * 32 * 64


@pytest.mark.parametrize(
    "reader",
    [
        layer("conv", {"p": "Int8"}, {"z": "Float"}, "correlation"),
        layer("__myl_FcMul_myl0_4", {"p": "Int8"}, {"z": "Float"}, "runtime_fusion"),
        layer("region", {"p": "Int8"}, {"z": "Float"}, "Myelin"),
    ],
)
def test_values_that_anything_else_reads_are_not(reader: Any) -> None:
    """A quantised convolution or product, or a layer whose work is not known; nor is an output of the engine."""
    assert found(QUANTISE, POOL, DEQUANTISE, reader) == []
    assert found(QUANTISE, POOL) == []


def test_a_product_that_dequantises_first_is_a_float_one() -> None:
    """The kernel in front of it quantises for nothing."""
    product = layer("__myl_CastMulFc_myl0_4", {"p": "Int8"}, {"z": "Float"}, "runtime_fusion")

    assert [one.layers for one in found(QUANTISE, POOL, product)] == [("__myl_MulMinMaxRounCast_myl0_1",)]


def test_a_kernel_that_is_only_a_pair_finishes_no_convolution() -> None:
    """One that also computes the activation does."""
    conv = layer("conv", {"x": "Float"}, {"a": "Float"}, "correlation")
    pair = layer("__myl_MulMinMaxRounCastCastMul_myl0_2", {"a": "Float"}, {"b": "Float"})
    both = layer("__myl_MulMinMaxRounCastCastMulRelu_myl0_2", {"a": "Float"}, {"b": "Float"})

    assert found(conv, pair, kind="unfused_epilogue") == []
    assert len(found(conv, both, kind="unfused_epilogue")) == 1


def test_pairs_of_the_graph_that_cost_nothing_are_named_too() -> None:
    """Unless their nodes are in a kernel of a pair."""
    kernel = layer("__myl_MulMinMaxRounCastCastMul_myl0_2", {"a": "Float"}, {"b": "Float"}, nodes="[ONNX Layer: q1]")

    assert [one.layers for one in found(kernel, kind="idle_pair", IdlePairs=["q1", "q2"])] == [("q2",)]
    assert found(kernel, kind="idle_pair", IdlePairs=["q1"]) == []


def test_the_quantised_engine_of_a_model_has_none() -> None:
    """Its kernels requantise for the next convolution."""
    kinds = {one.kind for one in find(read_engine(LOGS / "lenet-int8-rtx-1.7.log"))}

    assert "only_requantises" in kinds and not kinds & {"useless_pair", "idle_pair"}


@pytest.mark.slow
def test_planted_pairs_are_found_in_real_engines(tmp_path: Path) -> None:
    """python -m benchmarks findings has all of them, with what they cost."""
    chosen = ("around MaxPool", "on a branch that stays float")
    models = {f"{name} {planted}": network(name, planted=planted) for name in chosen for planted in (True, False)}
    made = {name: {one.kind for one in find(engine)} for name, engine in engines(models, tmp_path).items()}
    named = {name: kinds & {"useless_pair", "idle_pair"} for name, kinds in made.items()}

    assert all(bool(kinds) is name.endswith("True") for name, kinds in named.items()), named
