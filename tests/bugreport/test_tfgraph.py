"""Tests of build_tf_graph.py as text; a slow test runs one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.graphs import graph
from trtbuild.bugreport import tfgraph
from trtbuild.suite.collection import collect

KNOWN = """float[1,2,8,8] x => float[1,2,1] y {
    c = Conv <pads = [1,1,1,1]> (x, w)
    r = Relu(c)
    p = MaxPool <kernel_shape = [2,2], strides = [2,2]> (r)
    s = Reshape(p, shape)
    d = Softmax <axis = 2> (s)
    y = ReduceMean <axes = [2]> (d)
}"""


def known() -> str:
    weights = np.random.default_rng(0).standard_normal((2, 2, 3, 3)).astype(np.float32)
    script, missing = tfgraph.of_graph(graph(KNOWN, w=weights, shape=np.array([1, 2, 16])))
    assert missing == []
    return script


def test_a_graph_of_known_operations_becomes_tensorflow() -> None:
    """Every node a line."""
    script = known()

    ast.parse(script)
    assert "tf.nn.conv2d" in script and "tf.reduce_mean(d, axis=[2], keepdims=True)" in script


def test_a_graph_without_tensorflow_code_says_so() -> None:
    """By the operations that have none."""
    script, missing = tfgraph.of_graph(graph("float[4] x => float[n] y { y = Unique(x) }"))

    assert missing == ["Unique"] and "known only as ONNX" in script and "exports to: Unique" in script
    ast.parse(script)


@pytest.mark.parametrize("name", ["crop-and-resize-roialign", "resize-area", "resize-asymmetric-only-70"])
def test_a_case_gives_its_own_source(name: str) -> None:
    """With helpers and parameters, and nothing of trtbuild."""
    script = tfgraph.of_case(collect(None)[name])

    ast.parse(script)
    assert "trtbuild" not in script and "tf2onnx.convert.from_function" in script


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resize-asymmetric-only-70", ""])
def test_the_script_runs_without_trtbuild(name: str, tmp_path: Path) -> None:
    """And exports; a case with a Keras layer, and code written from ONNX."""
    (tmp_path / "script.py").write_text(tfgraph.of_case(collect(None)[name]) if name else known())
    done = subprocess.run([sys.executable, "-I", "script.py"], cwd=tmp_path, capture_output=True, text=True)

    assert "OPS" in done.stdout, done.stderr[-500:]
    assert "Conv" in done.stdout
