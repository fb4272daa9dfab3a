"""What to do about a problem: rewrites that convert, by TensorFlow and by ONNX operation; plain data and a look-up."""

from __future__ import annotations

from collections.abc import Mapping

from trtbuild.checker.problem import FAKE_QUANTISATION, QAT

STRINGS = "an engine takes no strings: hash or look up before the network, and make the integers its input"
LATE = "did not answer in time"
# By TensorFlow's type.  tests/checker/test_advice.py converts the rewrites that are code.
TENSORFLOW: Mapping[str, str] = {
    "Unique": "keep the full tensor, or take unique values after the engine: their number is not known in advance",
    "UniqueV2": "take unique values after the engine: their number is not known in advance",
    "Where": "use tf.where(mask, x, y) with three arguments, which keeps the shape; find positions after the engine",
    "NonMaxSuppressionV3": "end the network at boxes and scores, and suppress after the engine",
    "NonMaxSuppressionV4": "end the network at boxes and scores, and suppress after the engine",
    "NonMaxSuppressionV5": "end the network at boxes and scores, and suppress after the engine",
    "CombinedNonMaxSuppression": "end the network at boxes and scores, and suppress after the engine",
    "CropAndResize": "use tf.gather on a fixed grid of indices, or crop after the engine",
    "MaxPoolWithArgmax": "use tf.nn.max_pool2d; to undo a pooling use tf.image.resize or tf.nn.conv2d_transpose",
    "TensorScatterAdd": "use tf.one_hot(indices, n) and tf.matmul to add, or tf.tensor_scatter_nd_update to replace",
    "TensorScatterSub": "use tf.one_hot(indices, n) and tf.matmul, or tf.tensor_scatter_nd_update to replace",
    "TensorScatterMax": "use tf.one_hot(indices, n), multiply and tf.reduce_max",
    "TensorScatterMin": "use tf.one_hot(indices, n), multiply and tf.reduce_min",
    "SegmentSum": "use tf.matmul(tf.one_hot(ids, n, axis=0), x): the number of segments is fixed then",
    "UnsortedSegmentSum": "use tf.matmul(tf.one_hot(ids, n, axis=0), x): the number of segments is fixed then",
    "Bincount": "use tf.reduce_sum(tf.one_hot(x, n), axis=0)",
    "DenseBincount": "use tf.reduce_sum(tf.one_hot(x, n), axis=0)",
    "Lgamma": "use Stirling's series: (x-0.5)*tf.math.log(x) - x + 0.9189385 + 1/(12*x), for x above 2",
    "Digamma": "use its series tf.math.log(x) - 1/(2*x) - 1/(12*x*x), for x above 2",
    "Erfinv": "use Winitzki's formula, built from log and sqrt",
    "Ndtri": "use Winitzki's formula, built from log and sqrt",
    "BesselI0": "use its polynomial approximation (Abramowitz and Stegun 9.8.1)",
    "BesselI0e": "use its polynomial approximation (Abramowitz and Stegun 9.8.1)",
    "LowerBound": "use tf.reduce_sum(tf.cast(sorted < x[:, None], tf.int32), axis=-1) in place of tf.searchsorted",
    "UpperBound": "use tf.reduce_sum(tf.cast(sorted <= x[:, None], tf.int32), axis=-1) in place of tf.searchsorted",
    "ScaleAndTranslate": "use tf.image.resize(…, antialias=False)",
    "ResizeNearestNeighbor": "use tf.repeat on both axes for a whole factor, or method='bilinear'",
    "ResizeArea": "use tf.nn.avg_pool2d: the exporter gives wrong numbers for an area resize",
    "MatrixInverse": "solve by a closed form for 2x2 and 3x3, or invert after the engine",
    "MatrixDeterminant": "write the determinant out for 2x2 and 3x3, or compute it after the engine",
    "MatrixSolve": "write the solution out for 2x2 and 3x3, or solve after the engine",
    "Cholesky": "compute it after the engine, or predict its factor",
    "Svd": "compute it after the engine; for a rotation predict two vectors and orthogonalise them (Gram-Schmidt)",
    "Qr": "orthogonalise by Gram-Schmidt, or after the engine",
    "SelfAdjointEigV2": "compute it after the engine",
    "Cumprod": "use tf.exp(tf.cumsum(tf.math.log(x))), for x above 0",
    "FloorMod": "use x - tf.floor(x / y) * y",
    "TruncateMod": "use x - tf.cast(tf.cast(x / y, tf.int32), x.dtype) * y",
    "BitwiseAnd": "use arithmetic on integers, or unpack the bits before the network",
    "BitwiseOr": "use arithmetic on integers, or unpack the bits before the network",
    "BitwiseXor": "use arithmetic on integers, or unpack the bits before the network",
    "LeftShift": "multiply by a power of two",
    "RightShift": "divide by a power of two with tf.math.floordiv",
    "Bitcast": "use tf.cast, or reinterpret the bytes before the network",
    "FusedBatchNormV3": "build the network with training=False: an engine cannot take batch statistics",
    "FusedBatchNorm": "build the network with training=False: an engine cannot take batch statistics",
    "TopKV2": "take at most 3840 values, which is an engine's limit",
    "Multinomial": "sample after the engine",
    "PyFunc": "rewrite the Python function with TensorFlow operations, or run it next to the engine",
    "EagerPyFunc": "rewrite the Python function with TensorFlow operations, or run it next to the engine",
    "LookupTableFindV2": "look up before the network, or use tf.gather on a constant",
    "HashTableV2": "look up before the network, or use tf.gather on a constant",
    "StringLength": STRINGS,
    **dict.fromkeys(("StringToHashBucketFast", "StringToHashBucketStrong", "StringToHashBucket"), STRINGS),
    **dict.fromkeys(("StringSplitV2", "StringLower", "StaticRegexReplace", "AsString", "StringJoin"), STRINGS),
    **dict.fromkeys(("SparseCross", "SparseCrossV2", "SparseCrossHashed", "RaggedCross"), STRINGS),
    **dict.fromkeys(FAKE_QUANTISATION, QAT),
    "Bucketize": "use tf.reduce_sum(tf.cast(x[..., None] >= boundaries, tf.int32), -1), or count before the network",
    "DecodeJpeg": "decode before the network",
    "DecodePng": "decode before the network",
    "SparseTensorDenseMatMul": "make the matrix dense with tf.sparse.to_dense before the network, then tf.matmul",
    "CTCBeamSearchDecoder": "decode after the engine",
    "CTCGreedyDecoder": "end the network at its logits, or take tf.argmax of them",
    "MirrorPad": "use mode='REFLECT', or tf.concat of the tensor and its flipped ends: tf.reverse(x[:, :2], [1])",
    "Dilation2D": "use tf.nn.max_pool2d where the structuring element is flat",
}  # fmt: skip
# By ONNX's type, for graphs that did not come from TensorFlow, and for operations that the exporter made.
ONNX: Mapping[str, str] = {
    "NonZero": "use Where with three inputs, which keeps the shape",
    "NonMaxSuppression": "end the network at boxes and scores, and suppress after the engine",
    "Unique": "take unique values after the engine: their number is not known in advance",
    "RoiAlign": "use GridSample on the feature map",
    "Compress": "use Where, which keeps the shape",
    "Det": "write the determinant out for 2x2 and 3x3",
    "ScatterND": "leave reduction at 'none', or add by OneHot and MatMul",
    "ScatterElements": "leave reduction at 'none', or add by OneHot and MatMul",
    "MaxPool": "leave dilations at 1, and use no indices",
    "AveragePool": "leave dilations at 1",
    "LpPool": "leave dilations at 1 and p at 1 or 2",
    "BatchNormalization": "export for inference: training_mode must be 0",
    "LayerNormalization": "use its first output only",
    "Mod": "set fmod=1 for floating point, or cast to int32",
    "TopK": "take at most 3840 values",
    "QLinearConv": "use QuantizeLinear and DequantizeLinear pairs around Conv",
    "QLinearMatMul": "use QuantizeLinear and DequantizeLinear pairs around MatMul",
    "ConvInteger": "use QuantizeLinear and DequantizeLinear pairs around Conv",
    "MatMulInteger": "use QuantizeLinear and DequantizeLinear pairs around MatMul",
    "DynamicQuantizeLinear": "calibrate, and use QuantizeLinear with constant scales",
    "DFT": "use a MatMul with the transform's matrix",
    "CumProd": "use Exp(CumSum(Log(x))), for x above 0",
    "DeformConv": "use GridSample and Conv",
    "BitShift": "multiply or divide by a power of two",
    "Resize": "use half_pixel or align_corners, no antialias, and round_prefer_floor for nearest",
    "Bernoulli": "compare RandomUniformLike with the probability",
    "Multinomial": "sample after the engine",
    "ConvTranspose": "dilations above 1 cannot be combined with output padding",
}  # fmt: skip
# By a part of the tool's words.
WORDS: tuple[tuple[str, str], ...] = (
    ("shiftIsAllZeros", QAT),
    (
        "for slicing a shape tensor",
        "give this axis a fixed length, or use padding='causal' or 'valid': both build",
    ),
    (LATE, "raise limit_s: whether it converts is not known"),
    ("cannot be floating point types", "use x - tf.floor(x / y) * y in place of a remainder of floats"),
    ("data type", "use float32, float16, bfloat16, int32, int64 or bool inside the network"),
    ("date type", "use float32, float16, bfloat16, int32, int64 or bool inside the network"),
    ("UINT8", "cast uint8 to float32 right after the input"),
    ("must have same input types", "cast both operands to one type"),
    ("must resolve to a build-time constant", "make it a constant: it cannot be computed while the engine runs"),
    ("no optimization profile", "give the input a profile: profiles={…}"),
    ("decide shapes, which an engine has to know", "compute it from constants or from other inputs' shapes"),
)
GENERIC_EXPORT = "rewrite it with operations that ONNX has, or end the network before it"
GENERIC_BUILD = "rewrite it, or end the network before it and compute the rest after the engine"


def advise(op_type: str, node_type: str, words: str, *, stage: str) -> str:
    """The most specific advice there is, in one sentence that can be acted on."""
    from trtbuild.sources import randomness

    found = next((advice for sign, advice in WORDS if sign in words), "")
    found = found or TENSORFLOW.get(op_type) or (randomness.HINT if randomness.draws(op_type) else "")
    return found or ONNX.get(node_type) or (GENERIC_EXPORT if stage == "export" else GENERIC_BUILD)


def another_version(works: list[str]) -> str:
    """Advice from the check itself: versions that were asked and do not have the problem.

    >>> another_version(["rtx-1.7"])
    'fixed in rtx-1.7: choose tensorrt=rtx-1.7'
    """
    return f"fixed in {works[0]}: choose tensorrt={works[0]}" if works else ""
