"""Tests of weights that stay out of TensorFlow's graphs: what comes out is what comes out with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trtbuild.graphs import canonical
from trtbuild.sources import standins, tfonnx

pytestmark = pytest.mark.slow
SIDE = 160  # 100 kB a square: large enough for a stand-in


def network() -> Any:
    """Weights that are read, folded (a transposed square looks like itself), shared, gathered and cast."""
    import numpy as np
    import tensorflow as tf

    from trtbuild.sources.tfmodel import TfModel

    rng = np.random.default_rng(0)
    plain, turned, shared, halved, table = (
        tf.Variable(rng.normal(size=(SIDE, SIDE)).astype(np.float32)) for _ in range(5)
    )
    zeros = tf.Variable(tf.zeros((SIDE, SIDE)))
    kernel = tf.Variable(rng.normal(size=(3, 3, 64, 64)).astype(np.float32))
    scale = tf.constant(rng.uniform(0.5, 2, size=64).astype(np.float32))
    written = tf.constant(rng.normal(size=(SIDE, SIDE)).astype(np.float32))

    def call(x: Any, image: Any, index: Any) -> dict[str, Any]:
        y = tf.matmul(x, plain)
        y = tf.matmul(y, tf.transpose(turned))
        y = tf.matmul(tf.matmul(y, shared), shared) + tf.matmul(y, zeros)
        y = tf.matmul(y, tf.cast(tf.cast(halved, tf.float16), tf.float32))
        y = tf.matmul(y, written)
        convolved = tf.nn.conv2d(image * scale, kernel, 1, "SAME")
        return {"y": y + tf.gather(table, index), "convolved": tf.nn.conv2d(convolved, kernel * 2.0, 1, "SAME")}

    specs = {
        "x": tf.TensorSpec([1, SIDE], tf.float32, "x"),
        "image": tf.TensorSpec([1, 8, 8, 64], tf.float32, "image"),
        "index": tf.TensorSpec([1], tf.int32, "index"),
    }
    function = tf.function(call, autograph=False).get_concrete_function(**specs)
    function.trtbuild_keep = plain, turned, shared, halved, table, zeros, kernel
    return TfModel(function, tuple(specs), ("y", "convolved"))


def converted(folder: Path, model: Any) -> tuple[bytes, dict[str, bytes], int]:
    """The ONNX model and the frozen nodes (in any order) as bytes, and how many weights had stand-ins to the end."""
    import tensorflow as tf

    found = tfonnx.convert(model, 17)
    canonical.canonicalise(found.model, set(found.ops))
    found.write_frozen(folder / "frozen.pb")
    graph_def = tf.compat.v1.GraphDef.FromString((folder / "frozen.pb").read_bytes())
    nodes = {node.name: node.SerializeToString(deterministic=True) for node in graph_def.node}
    return canonical.to_bytes(found.model), nodes, len(found.weights)


def test_stand_ins_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is folded is folded, what is not comes back, in the exported and in the frozen graph."""
    model = network()
    onnx, frozen, replaced = converted(tmp_path, model)
    monkeypatch.setattr(standins, "LARGE_BYTES", 1 << 40)

    assert replaced >= 3
    assert converted(tmp_path, model) == (onnx, frozen, 0)


def test_what_could_be_computed_before_the_run_gets_no_stand_in() -> None:
    """A transposed square, and what a loop takes in, are not among those that only products read."""
    import numpy as np
    import tensorflow as tf

    stand_ins = standins.StandIns()
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [1, SIDE], "x")
        for name in ("read", "turned", "looped"):
            tf.constant(np.random.default_rng(len(name)).normal(size=(SIDE, SIDE)).astype(np.float32), name=name)
        tf.matmul(x, graph.get_tensor_by_name("read:0"))
        tf.matmul(x, tf.transpose(graph.get_tensor_by_name("turned:0")))
        looped = graph.get_tensor_by_name("looped:0")
        tf.while_loop(lambda i, _: i < 3, lambda i, z: (i + 1, tf.matmul(z, looped)), (0, x))
    graph_def = graph.as_graph_def()
    whole = graph_def.SerializeToString(deterministic=True)
    stand_ins.hide(graph_def)
    numbers = stand_ins.found(graph_def)

    assert sorted(numbers) == ["looped", "read", "turned"]
    assert len(graph_def.SerializeToString()) < len(whole) / 20
    assert stand_ins.safe(graph_def) == {numbers["read"]}
    stand_ins.reveal(graph_def)
    assert graph_def.SerializeToString(deterministic=True) == whole
