"""A network that was trained for quantisation, through ``init`` and builds: nothing of it is lost in silence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import measure_no_latency

pytestmark = pytest.mark.slow

MAKE = """
import sys
import tensorflow as tf

fake_quantised = tf.quantization.fake_quant_with_min_max_vars


class Network(tf.Module):
    def __init__(self, activations):
        self.activations = activations
        self.kernel = tf.Variable(tf.random.stateless_normal([3, 3, 3, 8], [1, 2]) * 0.2)

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32, name="image")])
    def __call__(self, image):
        kernel = fake_quantised(self.kernel, -0.5, 0.5, narrow_range=True, name="kernel_quant")
        y = tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME", name="block/conv"))
        return {"y": fake_quantised(y, 0.0, 6.0, name="relu_quant") if self.activations else y}


for name in ("weights", "both"):
    network = Network(name == "both")
    tf.saved_model.save(network, f"{sys.argv[1]}/{name}", signatures=network.__call__)
"""
FOLDED = (
    "1 fake-quantisation operation(s) on weights are folded into float constants: what reads them (Conv2D block/conv)"
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-c", MAKE, str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture
def workspace(trtbuild, models: Path, tmp_path: Path) -> Path:
    for name in ("weights", "both"):
        trtbuild("init", "ws", f"--from={models / name}", cwd=tmp_path, check=0)
    measure_no_latency(tmp_path / "ws")
    return tmp_path / "ws"


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_relus_fake_quantisation_is_refused_in_every_precision(workspace: Path, trtbuild, precision: str) -> None:
    """tf2onnx makes uint8 of it, which TensorRT reads as int8: named with its node and its operation."""
    done = trtbuild("model=both", f"precision={precision}", check=4)

    assert "TensorFlow FakeQuantWithMinMaxVars relu_quant, node" in done.stderr
    assert "it quantises to uint8: TensorRT reads int8 with the same scale" in done.stderr
    assert FOLDED in done.stderr and "Error" not in done.stderr.splitlines()[-1]


def test_folded_weights_are_a_warning_each_time(workspace: Path, trtbuild) -> None:
    """On the terminal, when it is built and when there is nothing to do; in documents and on the page."""
    first = trtbuild("model=weights", "precision=fp16")
    again = trtbuild("model=weights", "precision=fp16")
    shown = json.loads(trtbuild("show", "model=weights", "precision=fp16", "--json", check=0).stdout)["variants"][0]
    report = workspace / shown["steps"]["report"]["folder"]
    checked = trtbuild("check", "model=weights", "precision=fp16", check=0)

    assert FOLDED in first.stderr and FOLDED in again.stderr and FOLDED in checked.stdout
    assert "nothing to do" in again.stderr and first.returncode == again.returncode
    assert [warning["step"] for warning in shown["warnings"] if warning["what"].startswith(FOLDED)] == ["export"]
    assert json.loads((report / "report.json").read_text("utf-8"))["warnings"] == shown["warnings"]
    assert FOLDED in (report / "report.md").read_text("utf-8")
    assert FOLDED in (report / "overview.html").read_text("utf-8")
