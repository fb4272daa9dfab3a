"""A network with a refused operation deep inside, made of what may not leak; and a fault without TensorRT."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from tests.support.graphs import graph
from trtbuild.graphs.graph import all_nodes
from trtbuild.reducing.anonymous import Renaming
from trtbuild.reducing.failure import Failure

TEXT = """float[b,2,8,8] secret_image => float[b,2,8,8] secret_scores {
    secret_a = Conv <pads = [1,1,1,1]> (secret_image, secret_kernel)
    secret_b = Relu(secret_a)
    secret_d = Det(secret_b)
    secret_s = ReduceSum <keepdims = 1> (secret_d)
    secret_e = Add(secret_b, secret_s)
    secret_scores = Conv <pads = [1,1,1,1]> (secret_e, secret_kernel)
}"""
KERNEL = np.random.default_rng(3).standard_normal((2, 2, 3, 3)).astype(np.float32)


def secret() -> onnx.ModelProto:
    model = graph(TEXT, secret_kernel=KERNEL)
    model.graph.name, model.producer_name, model.doc_string = "secret_model", "secret_tool", "secret text"
    for node in model.graph.node:
        node.name = f"secret/{node.name}"
    return model


class Contains:
    """A graph fails when it has these operations."""

    def __init__(self, *ops: str) -> None:
        self.ops = set(ops)
        self.target = self.seen = Failure("parse", "parse", ops[0], "", "refused")

    def shows(self, model: Any) -> bool:
        return self.ops <= {node.op_type for node in all_nodes(model.graph)}

    def rename(self, new: Renaming) -> None:
        pass


LOOP = """int64 n, float[2] start => float[2] final {
    final = Loop(n, yes, start) <body = inner (int64 i, bool go, float[2] state) => (bool more, float[2] next) {
        more = Identity(go)
        secret_one = Relu(state)
        secret_two = Sin(secret_one)
        next = Softmax(secret_two)
    }>
}"""


def loop() -> onnx.ModelProto:
    return graph(LOOP, yes=np.array(True))
