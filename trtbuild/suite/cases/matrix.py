"""Matrix products and linear algebra: vectors, broadcasting, Einstein sums, decompositions."""

from __future__ import annotations

from trtbuild.suite import T, built, case, f32, grid, keras, tensor, tf, weights


@case(
    "gemv-consecutive",
    "Two products in a row with one row each",
    {"x": f32(1, 64)},
    issues="NVIDIA/TensorRT#3969",
    needs="MatMul",
    structure="MatMul, MatMul with M = 1",
    tolerance=(1e-3, 1e-3),
)
def gemv(x: T) -> T:
    return tf.matmul(tf.matmul(x, weights(64, 48, scale=0.1)), weights(48, 32, scale=0.1, seed=2))


@case(
    "matmul-n1",
    "Product with one column, then another",
    {"x": f32(5, 16)},
    issues="NVIDIA/TensorRT#3969",
    needs="MatMul",
)
def column(x: T) -> T:
    return tf.matmul(tf.matmul(x, weights(16, 1)), weights(1, 8))


@case("matvec-batch", "Matrix times vector, in a batch", {"a": f32(3, 4, 5), "x": f32(3, 5)}, needs="MatMul",
      issues="NVIDIA/TensorRT#3969")  # fmt: skip
def matvec(a: T, x: T) -> T:
    return tf.linalg.matvec(a, x)


@case(
    "matmul-{a}-{b}",
    "Product of shapes {a} and {b}, broadcast",
    {"x": f32("p", "q", "m", "k"), "y": f32("r", "k", "n")},
    points=[
        {"a": "2x1x3x4", "b": "5x4x6", "p": 2, "q": 1, "r": 5, "m": 3, "k": 4, "n": 6},
        {"a": "1x3x1x4", "b": "3x4x1", "p": 1, "q": 3, "r": 3, "m": 1, "k": 4, "n": 1},
    ],
    needs="MatMul",
)
def matmul_broadcast(x: T, y: T, **_: object) -> T:
    return tf.matmul(x, y)


@case("matmul-transposed-{which}", "Product with {which} transposed", {"x": f32(2, 4, 3), "y": f32(2, 4, 5)},
      points=[{"which": "first"}], needs="MatMul", structure="Transpose folded into MatMul")  # fmt: skip
def matmul_transposed(x: T, y: T, which: str) -> T:
    return tf.matmul(x, y, transpose_a=True)


@case("matmul-int32", "Product of integers", {"x": tensor("int32", 3, 4), "y": tensor("int32", 4, 2)}, needs="MatMul")
def matmul_integers(x: T, y: T) -> T:
    return tf.matmul(x, y)


@case("matmul-{precision}-k2048", "{precision} product over 2048 values", {"x": f32(4, 2048)}, needs="MatMul",
      precision="{precision}", points=grid(precision=("fp16", "bf16")), tolerance=(0.1, 0.05))  # fmt: skip
def matmul_deep(x: T, precision: str) -> T:
    return tf.matmul(x, weights(2048, 8, scale=0.02))


@case("fc-layers-100-t4", "Dense layers with a ReLU between", {"x": f32(4, 32)}, issues="NVIDIA/TensorRT#3999",
      structure="MatMul, Add, Relu, three times", tolerance=(1e-3, 1e-3), needs="Gemm Relu")  # fmt: skip
def dense(x: T) -> T:
    for width in (48, 24, 10):
        x = built(lambda width=width: keras.layers.Dense(width, activation="relu"), x)  # type: ignore[misc]
    return x


@case("dense-rank-4", "Dense layer over the last axis of rank 4", {"x": f32(2, 3, 4, 5)}, needs="MatMul")
def dense_four(x: T) -> T:
    return built(lambda: keras.layers.Dense(6), x)


EINSUM = {
    "bij-jk": "bij,jk->bik",
    "batch-chain": "abc,cd->abd",
    "permuted": "aecd,abcd->acbe",
    "ellipsis": "...ij,...jk->...ik",
    "sum": "bij->bj",
    "outer": "i,j->ij",
    "diagonal": "ii->i",
    "trace": "ii->",
}
EINSUM_SHAPES = {"bij-jk": ((2, 3, 4), (4, 5)), "batch-chain": ((2, 3, 4), (4, 5)),
                 "permuted": ((2, 3, 4, 5), (2, 6, 4, 5)), "ellipsis": ((2, 3, 4), (2, 4, 5)), "sum": ((2, 3, 4),),
                 "outer": ((3,), (4,)), "diagonal": ((4, 4),), "trace": ((4, 4),)}  # fmt: skip


@case(
    "einsum-{form}",
    "einsum {form}",
    {"x": f32(2, 3, 4, 5)},
    issues="NVIDIA/TensorRT#1617 NVIDIA/TensorRT/CHANGELOG@10.12",
    points=[
        {"form": "bij-jk"},
        {"form": "ellipsis", "id": "einsum-ellipsis"},
        {"form": "batch-chain"},
        {"form": "permuted"},
        {"form": "sum"},
        {"form": "outer"},
        {"form": "diagonal"},
        {"form": "trace"},
    ],
    needs=lambda form: {"sum": "ReduceSum", "outer": "Mul"}.get(form, "MatMul"),
)
def einsum(x: T, form: str) -> T:
    flat, operands, used = tf.reshape(x, [-1]), [], 0
    for i, shape in enumerate(EINSUM_SHAPES[form]):
        count = int(tf.TensorShape(shape).num_elements())
        source = flat[used % 100 : used % 100 + count] if count <= 20 else tf.concat([flat] * 3, 0)[:count]
        operands.append(tf.reshape(source * (1.0 + i), shape))
        used += 17
    return tf.einsum(EINSUM[form], *operands)


@case("tensordot-two-axes", "tensordot over two axes", {"x": f32(2, 3, 4), "y": f32(4, 3, 5)}, needs="MatMul")
def tensordot(x: T, y: T) -> T:
    return tf.tensordot(x, y, [[1, 2], [1, 0]])


@case(
    "linalg-{name}",
    "tf.linalg.{name}",
    {"x": f32(2, 4, 4)},
    points=grid(name=("det", "inv", "svd", "cholesky", "qr")),
    needs=lambda name: "Det" if name == "det" else (),
)
def linalg(x: T, name: str) -> T:
    return getattr(tf.linalg, name)(tf.matmul(x, x, transpose_b=True) + 2.0 * tf.eye(4))


@case("triangular-solve", "Solution of a triangular system", {"b": f32(4, 2)})
def solve(b: T) -> T:
    return tf.linalg.triangular_solve(tf.linalg.band_part(weights(4, 4), -1, 0) + 2.0 * tf.eye(4), b)


@case("band-part-{low}-{high}", "band_part of {low} below and {high} above", {"x": f32(4, 5)},
      points=[{"low": -1, "high": 0}, {"low": 1, "high": 2}], needs="CumSum")  # fmt: skip
def band_part(x: T, low: int, high: int) -> T:
    return tf.linalg.band_part(x, low, high)


@case("matrix-diag", "Diagonal matrix of a vector, and its diagonal part", {"x": f32(2, 4)}, needs="GatherElements")
def diag(x: T) -> T:
    made = tf.linalg.diag(x)
    return made, tf.linalg.diag_part(made * 2.0)


@case(
    "sparse-constant",
    "Sparse constant times dense matrix",
    {"x": f32(5, 3)},
    issues="onnx/onnx-tensorrt/onnxOpCheckers.cpp",
)
def sparse(x: T) -> T:
    matrix = tf.sparse.SparseTensor([[0, 1], [2, 4], [3, 0]], [1.0, 2.0, 3.0], [4, 5])
    return tf.sparse.sparse_dense_matmul(matrix, x)
