"""Tests of an inspected engine: scopes, bytes, work and findings, each counted a second way."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import pytest

from trtbuild.engine import engine as engine_of
from trtbuild.engine import read_engine
from trtbuild.engine.findings import Finding, find, moves_more
from trtbuild.engine.inspection import Inspection, document, inspect
from trtbuild.engine.mapping import ended, places
from trtbuild.engine.text import lines

DATA = Path(__file__).parents[1] / "data"
LOGS, EXPORTS = DATA / "engine_logs", DATA / "trt_profiles"
SIZES = {"Float": 4, "Half": 2, "BFloat16": 2, "Int8": 1}
_OPERATIONS = (
    ("c1", "BiasAdd", "convolution"), ("c1", "Tanh", "Tanh"), ("s2", "AvgPool", "AvgPool"),
    ("c3", "BiasAdd", "convolution"), ("c3", "Tanh", "Tanh"), ("s4", "AvgPool", "AvgPool"),
    ("c5", "MatMul", "MatMul"), ("c5", "BiasAdd", "BiasAdd"), ("c5", "Tanh", "Tanh"),
    ("f6", "MatMul", "MatMul"), ("f6", "BiasAdd", "BiasAdd"), ("f6", "Tanh", "Tanh"),
    ("logits", "MatMul", "MatMul"), ("logits", "BiasAdd", "BiasAdd"),
    ("rescaling", "mul", "Mul"), ("rescaling", "add", "AddV2"),
)  # fmt: skip
SCOPES: dict[str, Any] = {
    "nodes": {
        f"lenet5_1/{scope}_1/{node}": {"op": f"lenet5_1/{scope}_1/{op}", "type": op, "name": f"lenet5/{scope}/{op}"}
        for scope, node, op in _OPERATIONS
    }
}


def inspected(name: str) -> Inspection:
    return inspect(read_engine(LOGS / f"{name}.log"), SCOPES)


def kinds(found: list[Finding]) -> dict[str, int]:
    return {one.kind: len(one.layers) for one in found}


def of_layers(*entries: dict[str, Any], **head: Any) -> list[Finding]:
    return find(engine_of({"Layers": list(entries), **head}, "made here"))


def layer(name: str, layer_type: str, ins: list[tuple[str, str, list[int]]], outs: list[tuple[str, str, list[int]]],
          constants: list[tuple[str, str, list[int]]] | None = None) -> dict[str, Any]:  # fmt: skip
    def tensors(side: list[tuple[str, str, list[int]]]) -> list[dict[str, Any]]:
        return [{"Name": n, "Dimensions": dims, "Datatype": kind, "Format": "(Linear)"} for n, kind, dims in side]

    return {"Name": name, "LayerType": layer_type, "Inputs": tensors(ins), "Outputs": tensors(outs),
            "Constants": tensors(constants or []), "TacticName": "", "StreamId": 0}  # fmt: skip


@pytest.mark.parametrize("name", ["lenet-int8-rtx-1.7", "lenet-bf16-rtx-1.5"])
def test_bytes_are_those_of_an_independent_count(name: str) -> None:
    """Every tensor of the text: its dimensions times the size of its type."""
    text = (LOGS / f"{name}.log").read_text("utf-8")
    found = re.findall(r"Dimensions: \[([\d,]+)\], Strides.*?Datatype: (\w+)", text)
    made = inspected(name)

    assert made.total.bytes == sum(prod(map(int, dims.split(","))) * SIZES[kind] for dims, kind in found)
    assert sum(made.bytes_by_type().values()) == made.total.bytes == sum(t.bytes for t in made.by_scope().values())
    assert made.total.unknown == 0


def test_layers_by_kind_are_those_of_the_text() -> None:
    """Each line has its type."""
    text = (LOGS / "lenet-int8-rtx-1.7.log").read_text("utf-8")
    counted = Counter(re.findall(r", LayerType: (\w+),", text))
    made = inspected("lenet-int8-rtx-1.7").by_kind()

    assert (made["convolution"].layers, made["pointwise"].layers) == (counted["correlation"], counted["kgen"])


def test_multiply_accumulates_are_the_models() -> None:
    """LeNet-5 by hand; padded channels of the engine count, and a batch counts at its optimum."""
    c1, c3, c5, f6, logits = 28 * 28 * 6 * 25, 10 * 10 * 16 * 150, 400 * 120, 120 * 84, 84 * 10
    plain, batch = inspected("lenet-bf16-rtx-1.5"), inspected("lenet-fp16-rtx-1.7-dynamic")

    assert plain.total.macs == 2 * c1 + c3 + c5 + f6 + logits  # one channel of the image became two
    assert batch.total.macs == 4 * (2 * c1 + c3 + c5 + f6 + logits)


@pytest.mark.parametrize(
    ("left", "right", "out", "inner"),
    [
        ([1, 1280, 64], [1, 448, 1280], [1, 448, 64], 1280),  # a convolution of 1x1 as W x X
        ([1, 2048], [2048, 1000], [1, 1000], 2048),
        ([2, 8, 49, 32], [2, 8, 49, 32], [2, 8, 49, 49], 32),  # attention: Q x K transposed, both with a batch
        ([2, 8, 49, 49], [2, 8, 49, 32], [2, 8, 49, 32], 49),
        ([16, 49, 64], [64, 192], [16, 49, 192], 64),  # the batch of one operand alone
        ([1, 16, 5, 5], [400, 120], [1, 120], 400),  # unflattened
        ([4, 7], [9, 11], [4, 11], None),
    ],
)
def test_the_inner_dimension_of_a_product(left: list[int], right: list[int], out: list[int], inner: int | None) -> None:
    """However the operands are transposed, and whichever of them has a batch; unknown where nothing fits."""
    entry = layer("__myl_FcAdd_myl0_1", "runtime_fusion", [("a", "Half", left)], [("y", "Half", out)],
                  [("bias", "Half", [1, out[-1]]), ("b", "Half", right)])  # fmt: skip
    (row,) = inspect(engine_of({"Layers": [entry]}, "made here")).rows

    assert row.work.macs == (None if inner is None else prod(out) * inner)


def test_a_convolution_with_counted_weights_and_a_dynamic_batch_counts_at_opt() -> None:
    """As TensorRT writes it: 32 kernels of 5x5 over one channel; without opt, nothing is known."""
    entry = layer("conv", "CaskConvolution", [("x", "Float", [-1, 1, 28, 28])], [("y", "Float", [-1, 32, 28, 28])])
    del entry["Constants"]
    entry |= {"ParameterType": "Convolution", "OutMaps": 32, "Weights": {"Type": "Float", "Count": 800}}
    made = engine_of({"Layers": [entry]}, "made here")
    (known,), (unknown,) = inspect(replace(made, optimum=3)).rows, inspect(made).rows

    assert known.work.macs == 3 * 28 * 28 * 800
    assert unknown.work.macs is None and "1 layer(s) are not known" in "\n".join(lines(inspect(made)))


@pytest.mark.parametrize(
    ("channels", "weights"), [(8, [8, 16, 3, 3]), (8, [8, 6, 3, 3])], ids=["one group, padded", "4 groups"]
)
def test_a_transposed_convolution_spreads_its_input(channels: int, weights: list[int]) -> None:
    """As RTX 1.7 writes ConvTranspose: weights [channels in, channels out of a group, height, width]."""
    entry = layer("ct", "deconv", [("x", "Float", [1, channels, 8, 8])], [("y", "Float", [1, 24, 17, 17])],
                  [("w", "Float", weights), ("one", "Float", [1])])  # fmt: skip
    (row,) = inspect(engine_of({"Layers": [entry]}, "made here")).rows

    assert (row.layer.kind, row.work.macs) == ("convolution", channels * 8 * 8 * prod(weights[1:]))


def test_weights_that_are_computed_are_an_input() -> None:
    """A convolution with two inputs; an added residual is not one of its weights."""
    x, w, y = ("x", "Float", [1, 3, 8, 8]), ("w", "Float", [4, 3, 3, 3]), ("y", "Float", [1, 4, 8, 8])
    given = inspect(engine_of({"Layers": [layer("c", "correlation", [x, w], [y])]}, "made here")).rows[0]
    added = inspect(engine_of({"Layers": [layer("c", "correlation", [x, y], [y])]}, "made here")).rows[0]

    assert (given.work.macs, added.work.macs) == (4 * 8 * 8 * 27, None)


@pytest.mark.parametrize("path", sorted(LOGS.glob("*.log")), ids=lambda path: path.stem)
def test_every_layer_that_computes_has_a_scope(path: Path) -> None:
    """By the scopes of the build; a layer that the compiler inserted belongs to its neighbour."""
    made = inspect(read_engine(path), SCOPES)
    compute = [row for row in made.rows if row.layer.kind in ("convolution", "product", "pooling")]

    assert compute and all(row.place.how == "scopes" for row in compute)
    assert all(row.place.known for row in made.rows if row.layer.kind != "shape")
    assert {row.place.scope for row in compute} >= {f"lenet5/{scope}" for scope in ("c1", "c3", "s2", "s4")}


def test_a_layer_is_its_heaviest_operations() -> None:
    """A kernel that requantises a pooling for a convolution is not that convolution."""
    made = {row.layer.name: row.place for row in inspected("lenet-int8-rtx-1.7").rows}

    assert made["lenet5_1/c3_1/BiasAdd_myl0_5"].operations[0] == "lenet5/c3/convolution"
    assert made["lenet5_1/s2_1/AvgPool_myl0_3"].scope == "lenet5/s2"
    assert made["__myl_MulAddTanh_myl0_6"].scope == "lenet5/c3"


def test_names_do_where_there_are_no_scopes() -> None:
    """Members of a fused name of TensorRT 8; the reformat is its consumer's."""
    engine = read_engine(EXPORTS / "tf_resnet50_fp32.graph.json")
    found = places(engine.layers, None)
    compute = [place for layer, place in zip(engine.layers, found, strict=True) if layer.kind == "convolution"]

    assert sum(place.known for place in compute) == len(compute) == 54
    assert "resnet50/conv2_block1_1_conv" in {place.scope for place in compute}


def test_a_node_ends_in_the_layer_that_computes_it() -> None:
    """Also where its scale and bias went into kernels around it, and where a product became a kernel that sums."""
    int8, bf16 = (read_engine(LOGS / f"lenet-{name}.log").layers for name in ("int8-rtx-1.7", "bf16-rtx-1.5"))

    assert ended("lenet5_1/c1_1/BiasAdd", int8) == int8[1]
    assert getattr(ended("lenet5_1/c5_1/MatMul", int8), "type", "") == "gemm"
    assert "MulSum" in getattr(ended("lenet5_1/c5_1/MatMul", bf16), "name", "")
    assert ended("nowhere", int8) is None


def test_what_an_int8_engine_computes_in() -> None:
    """The proof of the parsed network says int8 100 %."""
    assert inspected("lenet-int8-rtx-1.7").compute_types() == {"operands": {"int8": 1.0}, "results": {"float32": 1.0}}


def test_findings_of_a_real_int8_engine() -> None:
    """Each with the bytes of its layers."""
    found = find(read_engine(LOGS / "lenet-int8-rtx-1.7.log"))
    wide = next(one for one in found if one.kind == "wide_results")

    assert kinds(found) == {"only_requantises": 2, "unfused_epilogue": 5, "wide_results": 5, "back_and_forth": 2}
    assert wide.cost_bytes == 4 * (6 * 28 * 28 + 16 * 10 * 10 + 120 + 84 + 10)
    assert all(one.advice for one in found)


def test_a_float_engine_of_the_same_model_has_none_of_them() -> None:
    """But a cast, where the pooling computes in float32."""
    assert kinds(find(read_engine(LOGS / "lenet-fp16-rtx-1.7-dynamic.log"))) == {}
    assert kinds(find(read_engine(LOGS / "lenet-bf16-rtx-1.5.log"))) == {"only_requantises": 1}


def test_findings_of_native_exports() -> None:
    """Reformats of a float engine; one useless result of a quantised one."""
    fp32 = find(read_engine(EXPORTS / "tf_resnet50_fp32.graph.json"))
    qat = find(read_engine(EXPORTS / "tf_resnet50_qat.graph.json"))

    assert kinds(fp32) == {"only_moves": 14}
    assert kinds(qat) == {"only_requantises": 1, "only_moves": 2, "wide_results": 1}


def test_a_transpose_alone_is_a_move_and_a_concatenation_is_none() -> None:
    """It makes one tensor of two."""
    x, y, t = [("x", "Half", [1, 8, 4, 4])], [("y", "Half", [1, 8, 4, 4])], [("t", "Half", [1, 4, 4, 8])]
    move = layer("__myl_Tran_myl0_1", "kgen", x, t)
    join = layer("__myl_Conc_myl0_2", "kgen", x + y, [("z", "Half", [1, 16, 4, 4])])

    assert kinds(of_layers(move)) == {"only_moves": 1} and of_layers(join) == []


def test_work_beside_a_cast_is_no_conversion() -> None:
    """An addition must be computed somewhere, and a result that others read, too, is not an epilogue's input."""
    conv = layer("c", "correlation", [("x", "Half", [1, 8, 4, 4])], [("y", "Half", [1, 8, 4, 4])])
    add = layer("__myl_AddCast_myl0_1", "kgen", [("y", "Half", [1, 8, 4, 4])], [("z", "Float", [1, 8, 4, 4])])
    other = layer("p", "maxpool", [("y", "Half", [1, 8, 4, 4])], [("w", "Half", [1, 8, 2, 2])])

    assert kinds(of_layers(conv, add)) == {"unfused_epilogue": 1} and of_layers(conv, add, other) == []


def test_integers_are_no_quantisation() -> None:
    """A shape that becomes int64 costs nothing that a user could quantise away."""
    assert of_layers(layer("s", "cast", [("a", "Int32", [1])], [("b", "Int64", [1])])) == []


def test_values_that_go_to_float_and_back() -> None:
    """The wide tensor is written once and read once."""
    x, wide, back = [("x", "Int8", [1, 8, 4, 4])], [("w", "Float", [1, 8, 4, 4])], [("b", "Int8", [1, 8, 4, 4])]
    found = of_layers(layer("p", "maxpool", x, wide), layer("__myl_MulRounCast_myl0_1", "kgen", wide, back))

    assert {one.kind: one.cost_bytes for one in found} == {"back_and_forth": 2 * 512, "only_requantises": 512 + 128}


def test_constants_that_are_no_weights() -> None:
    """A kernel pads 96 channels to 384 with zeros that are stored; the weights that are needed are the rest."""
    zeros, scale = ("zeros", "Int8", [1, 96, 3, 112, 112]), ("s", "Float", [1, 96, 1, 1])
    pad = layer("__myl_MulCastConc_myl0_1", "kgen", [("x", "Float", [1, 96, 112, 112])],
                [("y", "Int8", [1, 384, 112, 112])], [zeros, scale])  # fmt: skip
    conv = layer("c", "correlation", [("y", "Int8", [1, 384, 112, 112])], [("z", "Float", [1, 96, 56, 56])],
                 [("k", "Int8", [96, 4, 3, 3])])  # fmt: skip
    found = {one.kind: one for one in of_layers(pad, conv, Memory={"weights": 3_800_000})}

    assert found["padding_constants"].cost_bytes == 96 * 3 * 112 * 112
    assert found["heavy_weights"].cost_bytes == 3_800_000 - 96 * 4 * 9 - 96 * 4


def test_constants_that_were_not_folded() -> None:
    """A layer without an input computes the same in every inference."""
    made = layer(
        "__myl_MulAdd_myl0_1", "kgen", [], [("y", "Float", [64])], [("a", "Float", [64]), ("b", "Float", [64])]
    )

    assert {one.kind: one.cost_bytes for one in of_layers(made)} == {"not_folded": 3 * 256}


def test_an_engine_that_moves_more_than_another() -> None:
    """With the ratio; no finding where it moves less, or where the bytes are unknown."""
    (found,) = moves_more(107, 36, "fp16")
    assert (found.cost_bytes, "2.97 times" in found.what) == (71, True)
    assert moves_more(36, 107, "fp16") == moves_more(None, 1, "fp16") == moves_more(1, None, "fp16") == []


def test_unknown_dimensions_are_unknown_bytes() -> None:
    """RTX 1.4 does not say the optimum: no number is made up."""
    made = inspected("lenet-fp16-rtx-1.4-dynamic")
    said = "\n".join(lines(made))

    assert (made.total.bytes, made.total.unknown, made.constants_told) == (0, 9, False)
    assert "not known: give --batch" in said and "lists no weights" in said


def test_the_document_is_json_and_complete() -> None:
    """Every layer, in order; the sum is the total."""
    made = json.loads(json.dumps(document(inspected("lenet-int8-rtx-1.7")), allow_nan=False))

    assert [row["kind"] for row in made["layers"]].count("pointwise") == made["by_kind"]["pointwise"]["layers"] == 8
    assert sum(row["bytes"] for row in made["layers"]) == made["total"]["bytes"] and made["unread"] == []
    assert made["memory"]["activation"] == 8214016


def test_the_text_leads_with_the_findings() -> None:
    """One screen: totals, findings, scopes, and the layers that move most."""
    said = lines(inspected("lenet-int8-rtx-1.7"), shown=3)

    assert said[1].startswith("15 layers, 196.") and "results of convolutions and products: float32 100.0%" in said[3]
    assert sum(line.startswith("finding: ") for line in said) == 4 and "layers that move most (3 of 15)" in str(said)
    assert len(lines(inspected("lenet-int8-rtx-1.7"), shown=None)) > len(said)
