"""Fake quantisation in places where networks have it: loops, branches, shared layers, joins, moves, odd ranges.

Each graph is exported, made symmetric, lowered and parsed as a build does.  With symmetric ranges it is TensorFlow's
own to the rounding of sums; otherwise its products stay in float with a reason, or it is refused, in stated words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    Call = Callable[[tf.Tensor], tf.Tensor]

IMAGE, VECTOR, SEQUENCE = [None, 8, 8, 4], [None, 16], [None, 6, 16]
SAMPLES = 4
NEAR = 1e-5  # of the largest value: float32 sums in another order
ASYMMETRIC = 0.03  # the same where 255 steps became 127


@dataclass(frozen=True)
class Kind:
    """``says``: a reason to stay in float or to be refused; "" where every product is int8."""

    name: str
    shape: list[int | None]
    call: Call
    says: str = ""
    symmetric: bool = True


@dataclass(frozen=True)
class Verdict:
    """``apart``: the largest difference from TensorFlow's, of its largest value; None where there is no graph."""

    name: str
    good: bool
    apart: float | None
    parsed: str
    said: str


def weights(*shape: int) -> tf.Tensor:
    import tensorflow as tf

    return tf.constant((np.random.default_rng(sum(shape)).normal(size=shape) * 0.3).astype(np.float32))


def kinds() -> Iterator[Kind]:
    """Ends such as 1 and 2 are ranges whose zero TensorFlow puts at 127; that of 3 is at 128."""
    import tensorflow as tf

    quantise, by_channel = tf.quantization.fake_quant_with_min_max_vars, _by_channel
    kernel, dense = weights(3, 3, 4, 8), weights(16, 16)

    def q(x: tf.Tensor, end: float = 3.0, **more: Any) -> tf.Tensor:
        return quantise(x, -end, end, **more)

    def w(tensor: tf.Tensor) -> tf.Tensor:
        return quantise(tensor, -1.0, 1.0, narrow_range=True)

    def conv(x: tf.Tensor, taken: tf.Tensor | None = None, **more: Any) -> tf.Tensor:
        return tf.nn.conv2d(x, by_channel(kernel) if taken is None else taken, 1, "SAME", **more)

    def product(x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, w(dense))

    def loop(x: tf.Tensor) -> tf.Tensor:
        return tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, tf.tanh(product(q(y, 2.0)))), [0, x])[1]

    def branch(x: tf.Tensor) -> tf.Tensor:
        seen = q(x, 2.0)
        return tf.cond(tf.reduce_sum(x) > 0, lambda: product(seen), lambda: product(q(x, 1.0)))

    layer, cell, nested = _layer(q, by_channel), _cell(q, w), tf.function(tf.function(lambda x: conv(q(x))))
    yield Kind("tf.while_loop", VECTOR, loop)
    yield Kind("tf.cond", VECTOR, branch)
    yield Kind("Keras RNN cell", SEQUENCE, cell)
    yield Kind("tf.map_fn", VECTOR, lambda x: tf.map_fn(lambda row: tf.linalg.matvec(w(dense), q(row)), x))
    yield Kind("nested functions", IMAGE, lambda x: tf.nn.relu(nested(x)))
    yield Kind("a layer called twice", VECTOR, lambda x: layer(x) + layer(x * 0.5 + 0.1))
    yield Kind("dense on rank 3", SEQUENCE, layer)
    yield Kind("einsum", SEQUENCE, lambda x: tf.einsum("abc,cd->abd", q(x), by_channel(dense)))
    yield Kind("input and output", IMAGE, lambda x: q(conv(q(x)), 6.3))
    yield Kind("both operands", SEQUENCE, lambda x: tf.matmul(q(x), q(tf.tanh(x), 1.0), transpose_b=True))
    yield Kind("addition of two ranges", IMAGE, lambda x: conv(q(q(x, 2.0) + q(x * 0.3, 1.0))))
    yield Kind("concat of one range", IMAGE, lambda x: conv(tf.concat([q(x[..., :2], 2.0), q(x[..., 2:], 2.0)], -1)))
    yield Kind("concat of two ranges", IMAGE, lambda x: conv(tf.concat([q(x[..., :2], 2.0), q(x[..., 2:])], -1)),
               "tensors of different trained ranges")  # fmt: skip
    yield Kind("flatten", IMAGE, lambda x: tf.matmul(tf.reshape(q(x), [-1, 256]), by_channel(weights(256, 8))))
    yield Kind("transpose", IMAGE, lambda x: tf.matmul(tf.transpose(q(x), [0, 3, 1, 2]), w(weights(8, 5))))
    yield Kind("max pooling", IMAGE, lambda x: conv(tf.nn.max_pool2d(q(x, 1.0), 3, 2, "SAME")))
    yield Kind("average pooling", IMAGE, lambda x: conv(tf.nn.avg_pool2d(q(x), 2, 2, "SAME")), "no trained range for")
    yield Kind("bilinear resizing", IMAGE, lambda x: conv(tf.image.resize(q(x), [16, 16])), "no trained range for")
    yield Kind("padding", IMAGE, lambda x: conv(tf.pad(q(x), [[0, 0], [1, 1], [1, 1], [0, 0]])))
    yield Kind("slices", IMAGE, lambda x: conv(q(x)[:, ::2, 1::2]))
    yield Kind("two in a row, the wider first", IMAGE, lambda x: conv(q(q(x), 1.0)))
    yield Kind("two in a row, the narrower first", IMAGE, lambda x: conv(q(q(x, 1.0))))
    yield Kind("end below the beginning", IMAGE, lambda x: conv(quantise(x, 1.0, -1.0)), "not above its beginning")
    yield Kind("end at the beginning", IMAGE, lambda x: conv(quantise(x, 1.0, 1.0)), "not above its beginning")
    yield Kind("beginning above zero", IMAGE, lambda x: conv(quantise(x, 0.5, 2.5)), symmetric=False)
    yield Kind("end below zero", IMAGE, lambda x: conv(quantise(x, -2.5, -0.5)), symmetric=False)
    yield Kind("range of zeros", IMAGE, lambda x: conv(quantise(x, 0.0, 0.0)) + x[..., :1])
    yield Kind("4 bits", IMAGE, lambda x: conv(q(x), q(kernel, 1.0, num_bits=4)), "quantises to 4 bits")
    yield Kind("16 bits", IMAGE, lambda x: conv(q(x, num_bits=16)), "quantises to 16 bits")
    yield Kind("a range from the data", IMAGE, lambda x: conv(quantise(x, -tf.reduce_max(x), tf.reduce_max(x))),
               "a range that is computed from the data")  # fmt: skip
    yield Kind("activation by channel", IMAGE, lambda x: conv(by_channel(x, tf.constant([1.1, 2.1, 3.0, 4.1]))),
               "a range by channel for")  # fmt: skip
    yield Kind("wide weights, wide input", IMAGE, lambda x: conv(q(x, 2.0), q(kernel, 0.5)))
    yield Kind("wide weights alone", IMAGE, lambda x: conv(q(x), q(kernel, 0.5)))
    yield Kind("asymmetric weights", IMAGE, lambda x: conv(q(x), quantise(kernel, -0.3, 1.0)), symmetric=False)
    yield Kind("ReLU6", IMAGE, lambda x: conv(quantise(tf.nn.relu6(x), 0.0, 6.0)), symmetric=False)
    yield Kind("transposed convolution", IMAGE, lambda x: tf.nn.conv2d_transpose(
        q(x), w(weights(3, 3, 8, 4)), tf.stack([tf.shape(x)[0], 16, 16, 8]), 2, "SAME"),
        "does not quantise operations of this type")  # fmt: skip
    yield Kind("depthwise", IMAGE, lambda x: tf.nn.depthwise_conv2d(q(x), w(weights(3, 3, 4, 2)), [1] * 4, "SAME"))
    yield Kind("grouped", IMAGE, lambda x: conv(q(x), by_channel(weights(3, 3, 2, 8))))
    yield Kind("dilated", IMAGE, lambda x: conv(q(x), dilations=2))
    yield Kind("one dimension", SEQUENCE, lambda x: tf.nn.conv1d(q(x), by_channel(weights(3, 16, 8)), 1, "SAME"))
    yield Kind("three dimensions", [None, 4, 6, 6, 2],
               lambda x: tf.nn.conv3d(q(x), by_channel(weights(3, 3, 3, 2, 8)), [1] * 5, "SAME"))  # fmt: skip
    yield Kind("scaled behind", IMAGE, lambda x: conv(q(x)) * tf.linspace(0.5, 2.0, 8) + 1.0)
    yield Kind("a kernel for two", IMAGE, lambda x: conv(q(x)) + conv(q(x, 1.0)))
    yield Kind("float16", IMAGE, lambda x: tf.cast(conv(tf.cast(q(x), tf.float16), tf.cast(w(kernel), tf.float16)),
                                                   tf.float32), "not float32")  # fmt: skip


def _by_channel(tensor: tf.Tensor, ends: tf.Tensor | None = None) -> tf.Tensor:
    import tensorflow as tf

    reach = tf.reduce_max(tf.abs(tensor), range(len(tensor.shape) - 1)) if ends is None else ends
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(tensor, -reach, reach, narrow_range=True)


def _layer(q: Call, by_channel: Call) -> keras.Layer:
    import keras
    import tensorflow as tf

    class Dense(keras.layers.Layer):
        def build(self, shape: tuple[int, ...]) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], 8), initializer=keras.initializers.RandomNormal(0, 0.3, 3))

        def call(self, x: tf.Tensor) -> tf.Tensor:
            return tf.matmul(q(x), by_channel(tf.convert_to_tensor(self.kernel)))

    return Dense()


def _cell(q: Callable[..., tf.Tensor], w: Call) -> keras.Layer:
    import keras
    import tensorflow as tf

    class Cell(keras.layers.Layer):
        state_size = output_size = 16

        def build(self, shape: tuple[int, ...]) -> None:
            normal = keras.initializers.RandomNormal(0, 0.3, 1)
            self.kernels = [self.add_weight(shape=(16, 16), initializer=normal, name=name) for name in ("x", "h")]

        def call(self, x: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
            y = tf.tanh(tf.matmul(q(x), w(self.kernels[0])) + tf.matmul(q(states[0], 1.0), w(self.kernels[1])))
            return y, [y]

    return keras.layers.RNN(Cell(), return_sequences=True)


def judge(kind: Kind) -> Verdict:
    import onnxruntime as ort
    import tensorflow as tf

    from benchmarks.qat import parsed
    from trtbuild.base.errors import ModelError
    from trtbuild.core.spec.lowering import Lowering
    from trtbuild.graphs import canonical, compute, symmetric, uncalibrated
    from trtbuild.sources import tfmodel, tfonnx

    spec = {"x": {"dtype": "float32", "shape": kind.shape}}
    opened = tfmodel.UntracedModel(lambda given: {"y": kind.call(given["x"])}, {"x": tf.TensorSpec(kind.shape)}, None)
    try:
        converted = tfonnx.convert(tfmodel.trace(opened, spec), 17)
        model = converted.model
        canonical.canonicalise(model, set(converted.ops))
        symmetric.make_symmetric(model)
        kept = uncalibrated.lower(model, Lowering("int8", "int8", quantize_ops=("Conv", "MatMul", "Gemm")))
    except ModelError as error:
        return Verdict(kind.name, bool(kind.says) and kind.says in str(error), None, "", str(error))
    x = (np.random.default_rng(1).normal(size=[size or SAMPLES for size in kind.shape]) * 1.5).astype(np.float32)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # its int8 kernels saturate sums
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    ours, theirs = session.run(["y"], {"x": x})[0], kind.call(tf.constant(x)).numpy()
    apart = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    types, said = parsed(model), "; ".join(kept.values())
    whole = set(compute.promised(model).values()) == {"int8"} and types == "int8" and not kept
    near = apart <= (NEAR if kind.symmetric else ASYMMETRIC)
    return Verdict(kind.name, near and whole and not kind.says, apart, types, said)


if __name__ == "__main__":
    for one in kinds():
        print(json.dumps(asdict(judge(one))), flush=True)
