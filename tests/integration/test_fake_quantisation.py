"""A network that was trained for quantisation, through ``init`` and builds: nothing of it is lost in silence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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
        if self.activations:
            image = fake_quantised(image, -1.0, 1.0, name="image_quant")
        y = tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME", name="block/conv"))
        return {"y": fake_quantised(y, 0.0, 6.0, name="relu_quant") if self.activations else y}


for name in ("weights", "both"):
    network = Network(name == "both")
    tf.saved_model.save(network, f"{sys.argv[1]}/{name}", signatures=network.__call__)
"""


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


def document(workspace: Path, kind: str, name: str) -> dict[str, Any]:
    (path,) = (workspace / "build").glob(f"*/{kind}-*/{name}")
    return json.loads(path.read_text("utf-8"))


def test_trained_ranges_are_taken_as_they_are(workspace: Path, trtbuild) -> None:
    """init says what to do about a ReLU's range; its loss is a hop of its own, and the engine's product is int8."""
    trtbuild("model=both", "precision=int8", "precision.rest=float32", check=0)
    precision = document(workspace, "lower", "precision.json")
    deviation = document(workspace, "deviation", "deviation.json")
    hops = {hop: outputs["y"]["max_abs"] for hop, outputs in deviation["hops"].items()}

    assert set(precision["compute"].values()) == {"int8"} and set(precision["provenance"].values()) == {"trained"}
    assert "calibration" not in precision
    assert hops["export"] < 1.01 * 6 / 255, "sums in another order reach the next step at most"
    assert hops["precision"] == 0 and 0 < hops["ranges"] < 12 / 127


def test_other_precisions_refuse_it_or_take_the_rounding_out(workspace: Path, trtbuild) -> None:
    """As the config says; without the word for symmetric ranges, a ReLU's is refused, too."""
    refused = trtbuild("model=both", "precision=fp16", check=4)
    stripped = trtbuild("model=both", "precision=fp16", "model.qat.strip=[fp16]", check=0)
    exact = trtbuild("model=both", "precision=int8", "model.qat.ranges=exact", check=4)

    assert "already computes in int8 (Q/DQ), so it is not fp16" in refused.stderr
    assert "model.qat.strip: [fp16]" in refused.stderr
    assert "trained range(s) was taken out: fp16 clamps" in stripped.stderr
    assert "1 trained range(s) are not symmetric" in exact.stderr and "relu_quant" in exact.stderr


def test_what_has_no_trained_range_is_named_or_calibrated(workspace: Path, trtbuild) -> None:
    """Here the image, which is not fake-quantised."""
    nothing = trtbuild("model=weights", "precision=int8", check=4)
    trtbuild("model=weights", "precision=int8", "model.qat.untrained=calibrate", check=0)
    origin = document(workspace, "lower", "precision.json")["provenance"]

    assert "no operation has trained ranges for both operands" in nothing.stderr
    assert sorted(origin.values()) == ["calibrated", "trained"]
