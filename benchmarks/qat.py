"""Fake quantisation of TensorFlow, imported: 36 small networks, each against TensorFlow and against TensorRT.

Three forms (a range for the tensor, a range for each channel of the weights, ``quantize_and_dequantize``), narrow or
not, a symmetric range or a ReLU's, for a convolution, a depthwise one and a dense layer; the last also without bias.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import say

if TYPE_CHECKING:
    import numpy.typing as npt
    import onnx
    import tensorflow as tf

    Floats = npt.NDArray[np.float32]

FORMS = ("vars", "per_channel", "quantize_and_dequantize")
SHAPES = {"conv": (3, 3, 8, 16), "depthwise": (3, 3, 8, 2), "dense": (32, 16)}
RANGE, CEILING, SAMPLES = 3.0, 6.0, 64


@dataclass(frozen=True)
class Network:
    """One of the 36."""

    form: str
    narrow: bool
    relu: bool
    layer: str

    @property
    def name(self) -> str:
        """
        >>> Network("vars", True, False, "conv").name
        'conv vars narrow symmetric'
        """
        return f"{self.layer} {self.form} {'narrow' if self.narrow else 'wide'} {'relu' if self.relu else 'symmetric'}"

    @property
    def weights(self) -> Floats:
        made = np.random.default_rng(0).normal(size=SHAPES[self.layer]).astype(np.float32) * np.float32(0.1)
        return made.astype(np.float32)


def networks() -> Iterator[Network]:
    for form, narrow, relu, layer in product(FORMS, (False, True), (False, True), SHAPES):
        yield Network(form, narrow, relu, layer)


def call(network: Network) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """The network; ``seen`` is its fake-quantised activation, ``y`` its result."""
    import tensorflow as tf

    tensor, q = tf.constant(network.weights), tf.quantization
    axis = 2 if network.layer == "depthwise" and network.form == FORMS[2] else len(tensor.shape) - 1
    others = [i for i in range(len(tensor.shape)) if i != axis]
    ends = tf.reduce_max(tf.abs(tensor), others if network.form != FORMS[0] else None)

    def quantise(value: tf.Tensor) -> tf.Tensor:
        low, high = (0.0, CEILING) if network.relu else (-RANGE, RANGE)
        if network.form == FORMS[2]:
            return q.quantize_and_dequantize_v2(
                value, low, high, signed_input=not network.relu, range_given=True, narrow_range=network.narrow
            )
        return q.fake_quant_with_min_max_vars(value, low, high, narrow_range=network.narrow)

    def kernel() -> tf.Tensor:
        if network.form == FORMS[2]:  # V2 and V4 of TensorFlow 2.21 refuse a given range for each channel
            return tf.raw_ops.QuantizeAndDequantizeV3(
                input=tensor, input_min=-ends, input_max=ends, num_bits=8, axis=axis, narrow_range=network.narrow
            )
        many = network.form == FORMS[1]
        form = q.fake_quant_with_min_max_vars_per_channel if many else q.fake_quant_with_min_max_vars
        return form(tensor, -ends, ends, narrow_range=network.narrow)

    def run(x: tf.Tensor) -> dict[str, tf.Tensor]:
        seen = quantise(tf.nn.relu(x) if network.relu else x)
        if network.layer == "conv":
            made = tf.nn.conv2d(seen, kernel(), 1, "SAME")
        elif network.layer == "depthwise":
            made = tf.nn.depthwise_conv2d(seen, kernel(), [1, 1, 1, 1], "SAME")
        else:
            made = tf.matmul(seen, kernel())
        return {"seen": seen, "y": tf.nn.relu(made)}

    return run


def input_shape(network: Network) -> list[int | None]:
    return [None, 32] if network.layer == "dense" else [None, 8, 8, 8]


def exported(network: Network) -> onnx.ModelProto:
    """The graph as a build exports it and makes it int8: nothing is left to calibrate."""
    import tensorflow as tf

    from trtbuild.core.spec.lowering import Lowering
    from trtbuild.graphs import canonical, symmetric, uncalibrated
    from trtbuild.sources import tfmodel, tfonnx

    spec = tf.TensorSpec(input_shape(network), tf.float32, "x")
    function = call(network)
    opened = tfmodel.UntracedModel(lambda arguments: function(arguments["x"]), {"x": spec}, None)
    model = tfonnx.convert(tfmodel.trace(opened, {"x": {"dtype": "float32", "shape": input_shape(network)}}), 17).model
    symmetric.make_symmetric(model)
    canonical.canonicalise(model)
    uncalibrated.lower(model, Lowering("int8", "int8", quantize_ops=("Conv", "MatMul", "Gemm")))
    return model


@dataclass(frozen=True)
class Agreement:
    """``int8``: products with int8 operands by the graph, and by the parsed network; ``steps``: the largest
    difference of the fake-quantised activation; ``differing``: elements of it that differ; ``cosine``: of the result.
    """

    name: str
    int8: tuple[str, str]
    steps: int
    differing: int
    elements: int
    cosine: float


def compare(network: Network) -> Agreement:
    import onnxruntime as ort
    import tensorflow as tf

    model = exported(network)
    shape = [SAMPLES if size is None else size for size in input_shape(network)]
    x = (np.random.default_rng(1).normal(size=shape) * 2.5).astype(np.float32)
    halves = np.arange(-130, 130, dtype=np.float32) + np.float32(0.5)  # between all steps, and beyond the ends
    x.reshape(-1)[: halves.size] = halves * np.float32(2 * RANGE / (254 if network.narrow else 255))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ours = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"x": x}), strict=True))
    theirs = {name: tensor.numpy() for name, tensor in call(network)(tf.constant(x)).items()}
    scale = next(_scale(model, node) for node in model.graph.node if node.op_type == "QuantizeLinear")
    apart = np.rint(np.abs(ours["seen"] - theirs["seen"]) / scale)
    a, b = (side["y"].astype(np.float64).reshape(-1) for side in (ours, theirs))
    cosine = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    from trtbuild.graphs.compute import promised

    kinds = "/".join(sorted(set(promised(model).values())))
    return Agreement(network.name, (kinds, parsed(model)), int(apart.max()), int((apart > 0).sum()), apart.size, cosine)


def _scale(model: onnx.ModelProto, node: onnx.NodeProto) -> float:
    import onnx

    held = next(t for t in model.graph.initializer if t.name == node.input[1])
    return float(onnx.numpy_helper.to_array(held))


def parsed(model: onnx.ModelProto) -> str:
    """The types in which the installed TensorRT's parsed network computes its products; or its refusal."""
    import tensorrt_rtx as trt

    from trtbuild.trt import network

    logger = trt.Logger(trt.Logger.ERROR)
    definition = trt.Builder(logger).create_network()
    parser = trt.OnnxParser(definition, logger)
    if not parser.parse(model.SerializeToString()):
        return f"refused: {parser.get_error(0).desc()}"
    return "/".join(sorted(set(network.compute_dtypes(trt, definition).values())))


def measure(scratch: Path) -> None:
    """All 36, in one process of its own."""
    done = subprocess.run([sys.executable, "-m", "benchmarks.qat"], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        words = f"{row['differing']} of {row['elements']} differ, by {row['steps']} step(s); cosine {row['cosine']:.6f}"
        say(row["name"], "/".join(row["int8"]), words)
    good = sum(row["int8"] == ["int8", "int8"] for row in rows)
    ties = sum(row["differing"] for row in rows if "symmetric" in row["name"])
    most = max(row["steps"] for row in rows if "symmetric" in row["name"])
    say("int8 in the graph and as parsed", f"{good} of {len(rows)}", "bar 36 of 36")
    say("symmetric: activations that differ", f"{ties}, by at most {most} step(s)", "bar: rounding ties, one step")
    done = subprocess.run([sys.executable, "-m", "benchmarks.qatkinds"], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for row in rows:
        apart = "no graph" if row["apart"] is None else f"{row['apart']:.1e} of the largest value apart"
        say(row["name"], row["parsed"] or "refused", f"{apart} {row['said'][:120]}")
    say("equal, named or refused", f"{sum(row['good'] for row in rows)} of {len(rows)}", "bar: all")


if __name__ == "__main__":
    for one in networks():
        print(json.dumps(asdict(compare(one))), flush=True)
