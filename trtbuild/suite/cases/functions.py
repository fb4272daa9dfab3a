"""Functions past neural networks: spectra, random numbers, images, tables, Python."""

from __future__ import annotations

from trtbuild.suite import T, built, case, exactly, f32, grid, i32, keras, tensor, tf, uniform

# Function -> the operations that it is exported as; "" where it cannot be exported.
IMAGE_OPS = {
    "rgb_to_hsv": "", "rgb_to_grayscale": "MatMul", "per_image_standardization": "ReduceMean Sqrt Div",
    "flip_left_right": "ReverseSequence", "rot90": "If", "adjust_contrast": "ReduceMean Mul",
    "total_variation": "Slice Abs ReduceSum", "sobel_edges": "Pad Conv",
}  # fmt: skip


@case(
    "{name}",
    "tf.signal.{name}, its parts",
    {"x": f32(2, 64)},
    tolerance=(1e-3, 1e-3),
    points=[{"name": "rfft"}, {"name": "fft"}],
    issues="NVIDIA/TensorRT/release-notes@11.2.1",
    needs="MatMul",
)
def spectrum(x: T, name: str) -> T:
    y = tf.signal.rfft(x) if name == "rfft" else tf.signal.fft(tf.cast(x, tf.complex64))
    return tf.abs(y)


@case(
    "rfft2d",
    "Two-dimensional spectrum",
    {"x": f32(1, 16, 16)},
    issues="NVIDIA/TensorRT/release-notes@11.2.1",
    tolerance=(1e-3, 1e-3),
    needs="MatMul",
)
def rfft2d(x: T) -> T:
    return tf.abs(tf.signal.rfft2d(x))


@case("irfft", "Spectrum and back", {"x": f32(2, 32)}, tolerance=(1e-3, 1e-3))
def irfft(x: T) -> T:
    return tf.signal.irfft(tf.signal.rfft(x))


@case(
    "stft",
    "Short-time spectrum with a Hann window",
    {"x": f32(1, 400)},
    issues="NVIDIA/TensorRT/CHANGELOG@10.4",
    tolerance=(1e-3, 1e-3),
    needs="MatMul Pad",
)
def stft(x: T) -> T:
    return tf.abs(tf.signal.stft(x, 100, 50, 128))


@case(
    "mel-filterbank",
    "Mel spectrum: a constant matrix and a logarithm",
    {"x": f32(1, 10, 65, values=uniform(0, 1))},
    needs="MatMul Log",
)
def mel(x: T) -> T:
    return tf.math.log(tf.matmul(x, tf.signal.linear_to_mel_weight_matrix(20, 65, 16000, 80.0, 7600.0)) + 1e-6)


@case("dct", "Discrete cosine transform", {"x": f32(2, 16)}, tolerance=(1e-3, 1e-3))
def dct(x: T) -> T:
    return tf.signal.dct(x)


@case("frame", "Overlapping frames", {"x": f32(1, 20)}, needs="Gather Reshape")
def frame(x: T) -> T:
    return tf.signal.frame(x, 6, 3)


@case(
    "random-{name}-shape",
    "Random {name} numbers: their shape, since values are not comparable",
    {"x": f32(3, 4)},
    points=[{"name": "normal"}, {"name": "uniform"}],
    issues="onnx/onnx-tensorrt/operators.md",
    structure="RandomNormal times zero, added",
    needs=lambda name: f"Random{name.title()}",
)
def random(x: T, name: str) -> T:
    return x + getattr(tf.random, name)([3, 4], seed=1) * 0.0


@case(
    "dropout-training",
    "Dropout that is left switched on, times zero",
    {"x": f32(3, 4)},
    issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
    needs="RandomUniform",
)
def dropout(x: T) -> T:
    return tf.nn.dropout(x, 0.5, seed=1) * 0.0 + x


@case("stateless-random", "Stateless random numbers", {"x": f32(3)}, needs="Add")
def stateless(x: T) -> T:
    return x + tf.random.stateless_uniform([3], [1, 2])


@case(
    "multinomial",
    "Samples of a categorical distribution",
    {"x": f32(2, 5)},
    issues="onnx/onnx-tensorrt/operators.md",
    needs="Multinomial",
)
def categorical(x: T) -> T:
    return tf.random.categorical(x, 3, seed=1) * 0


@case(
    "image-{name}",
    "tf.image.{name}",
    {"x": f32(1, 4, 4, 3, values=uniform(0, 1))},
    points=grid(name=IMAGE_OPS),
    needs=lambda name: IMAGE_OPS[name],
)
def image(x: T, name: str) -> T:
    return getattr(tf.image, name)(x, 2.0) if name == "adjust_contrast" else getattr(tf.image, name)(x)


@case("image-hue", "Hue and saturation changed", {"x": f32(1, 4, 4, 3, values=uniform(0, 1))}, needs="TopK GatherND")
def hue(x: T) -> T:
    return tf.image.adjust_saturation(tf.image.adjust_hue(x, 0.2), 1.5)


@case("projective-warp", "Projective transform of an image", {"x": f32(1, 6, 6, 2)})
def warp(x: T) -> T:
    transform = tf.constant([[0.9, 0.1, 0.5, -0.1, 0.9, 0.5, 0.0, 0.0]])
    return tf.raw_ops.ImageProjectiveTransformV3(images=x, transforms=transform, output_shape=[6, 6], fill_value=0.0,
                                                 interpolation="BILINEAR", fill_mode="CONSTANT")  # fmt: skip


@case("decode-image", "Decoding of a JPEG", {"x": tensor("string")})
def decode(x: T) -> T:
    return tf.io.decode_jpeg(x)


@case("lookup-table", "Lookup in a table of constants", {"x": tensor("int64", 3)})
def lookup(x: T) -> T:
    with tf.init_scope():
        pairs = tf.lookup.KeyValueTensorInitializer(
            tf.constant([0, 1, 2, 3, 4], tf.int64), tf.constant([5.0, 4.0, 3.0, 2.0, 1.0])
        )
        table = tf.lookup.StaticHashTable(pairs, -1.0)
    return table.lookup(x)


@case(
    "ragged-mean",
    "Mean of ragged rows",
    {"x": f32(6)},
    issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
    needs="Compress",
)
def ragged(x: T) -> T:
    return tf.reduce_mean(tf.RaggedTensor.from_row_lengths(x, [2, 0, 4], validate=False).to_tensor(), 1)


@case("py-function", "Python inside the graph", {"x": f32(3)})
def python(x: T) -> T:
    return tf.reshape(tf.numpy_function(lambda v: v * 2.0, [x], tf.float32), [3])


@case("assert-and-print", "Assertion and print beside the computation", {"x": f32(3)}, needs="Add")
def asserting(x: T) -> T:
    tf.debugging.assert_less(x, 1e9)
    tf.print("seen", tf.shape(x))
    return x + 1.0


@case(
    "state-left-in-training",
    "Batch normalisation that updates its statistics",
    {"x": f32(4, 3)},
    structure="an assignment to a variable; an engine keeps no state",
)
def state(x: T) -> T:
    return built(lambda: keras.layers.BatchNormalization(), x, training=True)


@case("gradient", "Gradient inside the graph", {"x": f32(3)}, needs="Cos Sin")
def gradient(x: T) -> T:
    return tf.gradients(tf.reduce_sum(tf.sin(x) * x), x)[0]


@case("histogram", "Histogram of fixed width", {"x": f32(20)})
def histogram(x: T) -> T:
    return tf.histogram_fixed_width(x, [-1.0, 1.0], 4)


@case(
    "edit-distance-ctc",
    "Greedy decoding of CTC",
    {"x": f32(5, 1, 4), "length": i32(1, values=exactly(5))},
    needs="Split",
)
def ctc(x: T, length: T) -> T:
    return tf.nn.ctc_greedy_decoder(x, length)[1]


@case("confusion-matrix", "Confusion matrix", {"a": i32(6), "b": i32(6)}, needs="ScatterND")
def confusion(a: T, b: T) -> T:
    return tf.math.confusion_matrix(a, b, 5)


@case("polyval-clip-by-norm", "clip_by_norm, global norm and polynomial", {"x": f32(2, 5)})
def norms(x: T) -> T:
    return (
        tf.clip_by_norm(x, 1.0),
        tf.linalg.global_norm([x, x * 2.0]),
        tf.math.polyval([weight * 1.0 for weight in (2.0, -1.0)], x),
    )


@case("erosion-dilation", "Morphological dilation", {"x": f32(1, 6, 6, 2)})
def morphology(x: T) -> T:
    return tf.nn.dilation2d(x, tf.zeros([3, 3, 2]), [1, 1, 1, 1], "SAME", "NHWC", [1, 1, 1, 1])
