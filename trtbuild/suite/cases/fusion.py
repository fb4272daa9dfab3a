"""Structures of a few operations that optimisers merge: each has a second consumer, a view, or a twin."""

from __future__ import annotations

from trtbuild.suite import T, built, case, exactly, f32, grid, keras, tf, weights

IMAGE = {"x": f32(1, 8, 8, 8)}
LOOSE = (5e-2, 5e-2)


@case(
    "conv-act-residual-{precision}",
    "{precision} split, bottleneck with shortcut, concatenation of three",
    {"x": f32(1, 8, 8, 32)},
    precision="{precision}",
    issues="NVIDIA/TensorRT#4854",
    needs="Conv Concat Add Sigmoid",
    tolerance=(0.15, 0.05),
    points=[
        {"precision": "fp16", "id": "conv-act-residual-strided-concat"},
        {"precision": "fp32"},
        {"precision": "bf16"},
    ],
    structure="Split, Conv, SiLU, Conv, SiLU, Add of a shortcut, Concat in which the shortcut is a strided view",
)
def bottleneck(x: T, precision: str) -> T:
    first, second = tf.split(x, 2, -1)
    y = second
    for seed in (1, 2):
        y = tf.nn.silu(tf.nn.conv2d(y, weights(3, 3, 16, 16, scale=0.1, seed=seed), 1, "SAME"))
    return tf.concat([first, second, y + second], -1)


@case(
    "scale-strided-concat-slice",
    "Slice, scale, concatenation",
    IMAGE,
    issues="NVIDIA/TensorRT/release-notes@8.2.5",
    needs="Slice Concat",
    structure="two slices of one tensor, each scaled by channel, concatenated in the other order",
)
def scale_slice(x: T) -> T:
    return tf.concat([x[:, 4:] * weights(8) + weights(8, seed=2), x[:, :4] * weights(8, seed=3)], 1)


@case(
    "extra-node-breaks-outputs-84",
    "Two heads and a third that nothing needs",
    IMAGE,
    issues="NVIDIA/TensorRT#2091",
    needs="Conv",
    structure="Conv with three consumers, three outputs",
    tolerance=(1e-3, 1e-3),
)
def heads(x: T) -> T:
    y = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 8, 8, scale=0.2), 1, "SAME"))
    return tf.reduce_mean(y, [1, 2]), tf.nn.max_pool2d(y, 2, 2, "VALID"), tf.shape(y)[1] * 2


@case(
    "onnx-821-ok-861-wrong",
    "Intermediate that is an output as well",
    {"a": f32(2, 6), "b": f32(2, 6)},
    issues="NVIDIA/TensorRT#3645",
    structure="Mul, Add, Sigmoid, Mul; the Add is an output",
    needs="Mul Add Sigmoid",
)
def intermediate(a: T, b: T) -> T:
    total = a * b + a
    return tf.sigmoid(total) * total, total


@case(
    "fusion-86-to-108",
    "Branches that end in a concatenation",
    {"x": f32(1, 6, 8)},
    issues="NVIDIA/TensorRT#4400",
    needs="Concat",
    structure="MatMul, Slice and Reshape of one tensor, Concat",
)
def branches(x: T) -> T:
    y = tf.matmul(x, weights(8, 8))
    return tf.concat([y[:, :3], tf.reshape(y, [1, 12, 4])[:, :3, :] @ weights(4, 8, seed=2), y[:, 3:] * 0.5], 1)


@case(
    "valid-onnx-zero-scalar-1011",
    "Small graph that ends in a scalar",
    {"x": f32(3, 4)},
    issues="NVIDIA/TensorRT#4473",
    structure="Mul, Exp, ReduceMax, Log, ReduceMean to a scalar",
    needs="Exp ReduceMax Log ReduceMean",
)
def to_scalar(x: T) -> T:
    return tf.reduce_mean(tf.math.log(tf.reduce_max(tf.exp(x * 0.5), 1) + 1.0))


@case(
    "identical-twins-{what}",
    "Two {what} that differ in their weights only",
    IMAGE,
    points=grid(what=("convolutions", "products")),
    structure="one input, two operations of equal form, Sub: merging them gives zero",
    needs=lambda what: "MatMul" if what == "products" else "Conv",
)
def twins(x: T, what: str) -> T:
    if what == "products":
        return tf.matmul(x, weights(8, 5)) - tf.matmul(x, weights(8, 5, seed=2))
    return tf.nn.conv2d(x, weights(3, 3, 8, 4), 1, "SAME") - tf.nn.conv2d(x, weights(3, 3, 8, 4, seed=2), 1, "SAME")


@case(
    "same-op-other-attribute-{name}",
    "Two {name} of one tensor that differ in one attribute",
    {"x": f32(1, 5, 7, 4)},
    points=grid(name=("softmax", "maxpool", "transpose", "reduce", "leaky_relu")),
    issues="NVIDIA/TensorRT#4513",
    structure="one input, two operations of one kind, no common subexpression",
    needs=lambda name: {
        "softmax": "Softmax",
        "maxpool": "MaxPool",
        "transpose": "Transpose",
        "reduce": "ReduceSum",
        "leaky_relu": "LeakyRelu",
    }[name],
)
def attributes(x: T, name: str) -> T:
    return {
        "softmax": lambda: (tf.nn.softmax(x, 1), tf.nn.softmax(x, 2)),
        "maxpool": lambda: (tf.nn.max_pool2d(x, 3, 1, "SAME"), tf.nn.max_pool2d(x, [1, 3], 1, "SAME")),
        "transpose": lambda: (tf.transpose(x, [0, 2, 1, 3]) + 1.0, tf.transpose(x, [0, 3, 1, 2]) + 1.0),
        "reduce": lambda: (tf.reduce_sum(x, 1), tf.reduce_sum(x, 2)),
        "leaky_relu": lambda: (tf.nn.leaky_relu(x, 0.1), tf.nn.leaky_relu(x, 0.3)),
    }[name]()


@case(
    "conv-add-relu-consumer",
    "Convolution, addition, ReLU, whose sum is read twice",
    {"x": f32(1, 6, 6, 4), "skip": f32(1, 6, 6, 4)},
    needs="Conv Add",
    structure="Conv, Add with two consumers, Relu, Conv",
)
def conv_add(x: T, skip: T) -> T:
    total = tf.nn.conv2d(x, weights(3, 3, 4, 4), 1, "SAME") + skip
    return tf.nn.conv2d(tf.nn.relu(total), weights(1, 1, 4, 3), 1, "SAME"), total


@case(
    "conv-bias-clip-hardswish",
    "MobileNet block: depthwise, squeeze and excite, hard swish",
    IMAGE,
    needs="Conv",
    tolerance=(1e-3, 1e-3),
    structure="Conv by channel, mean, two 1x1 Conv, hard sigmoid, Mul, Add",
)
def mobile(x: T) -> T:
    y = tf.nn.depthwise_conv2d(x, weights(3, 3, 8, 1), [1, 1, 1, 1], "SAME")
    gate = tf.nn.relu(tf.nn.conv2d(tf.reduce_mean(y, [1, 2], keepdims=True), weights(1, 1, 8, 4), 1, "SAME"))
    gate = tf.nn.relu6(tf.nn.conv2d(gate, weights(1, 1, 4, 8), 1, "SAME") + 3.0) / 6.0
    return y * gate + x


@case(
    "concat-of-convs-{precision}",
    "{precision} inception block: four branches, concatenated",
    IMAGE,
    precision="{precision}",
    needs="Conv Concat",
    points=[{"precision": "fp32"}, {"precision": "fp16"}, {"precision": "int8"}],
    tolerance=(0.4, 0.1),
    structure="Conv 1x1, 3x3, 5x5 and pooling, Concat, Conv",
)
def inception(x: T, precision: str) -> T:
    y = [tf.nn.conv2d(x, weights(k, k, 8, 4, scale=0.3 / k), 1, "SAME") for k in (1, 3, 5)]
    return tf.nn.conv2d(
        tf.concat([*y, tf.nn.max_pool2d(x, 3, 1, "SAME")], -1), weights(1, 1, 20, 6, scale=0.2), 1, "SAME"
    )


@case("output-is-input", "An input handed through beside a result", {"x": f32(2, 3)}, needs="Identity")
def handed_through(x: T) -> T:
    return {"kept": tf.identity(x), "doubled": x * 2.0}


@case("output-twice", "One result under two names", {"x": f32(2, 3)}, needs="Relu")
def twice(x: T) -> T:
    y = tf.nn.relu(x)
    return {"first": y, "second": y}


@case("unused-input", "An input that nothing reads", {"x": f32(2, 3), "unused": f32(4)}, needs="Mul")
def unused(x: T, unused: T) -> T:
    return x * 2.0


@case(
    "nan-hidden-by-relu6",
    "NaN that a clip could hide from the output",
    {"x": f32(1, 4, values=exactly(float("nan"), 1.0, 9.0, -1.0))},
    issues="NVIDIA/TensorRT#4773",
    structure="Sqrt of negatives, ReLU6, Add",
    needs="Sqrt Clip",
)
def hidden(x: T) -> T:
    return tf.nn.relu6(tf.sqrt(x)) + 1.0


@case(
    "deep-chain-of-50",
    "Fifty small operations in a row",
    {"x": f32(2, 8)},
    structure="Mul, Add, Tanh and Relu, taken in turn",
    needs="Mul Add Tanh Relu",
)
def chain(x: T) -> T:
    steps = (lambda y: y * 0.9, lambda y: y + 0.1, tf.tanh, tf.nn.relu)
    for i in range(50):
        x = steps[i % 4](x)
    return x


@case(
    "pixel-shuffle-decoder",
    "Dense prediction: depth to space after a dilated convolution",
    IMAGE,
    needs="Conv DepthToSpace",
    tolerance=LOOSE,
)
def shuffle(x: T) -> T:
    y = tf.nn.conv2d(x, weights(3, 3, 8, 8, scale=0.2), 1, "SAME", dilations=2)
    return tf.nn.depth_to_space(built(lambda: keras.layers.PReLU(shared_axes=[1, 2]), y), 2)
