"""Tests of the checker on networks, in every way of building one; TensorFlow and TensorRT are real."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import trt_checker
from tests.checker.results import kinds

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_registered")]
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
v1 = tf.compat.v1
HERE = __file__


def scalar(value: Any) -> Any:
    return tf.reshape(tf.reduce_sum(tf.cast(value, tf.float32)), [1, 1, 1, 1])


# One operation each that does not convert, in the order in which the stages meet them.
PLANTED: dict[str, Callable[[Any], Any]] = {
    "Lgamma": lambda h: h + tf.math.lgamma(h),
    "BesselI0": lambda h: h + tf.math.bessel_i0(h),
    "ScaleAndTranslate": lambda h: tf.image.resize(h, [20, 20], antialias=True),
    "MatrixInverse": lambda h: h + scalar(tf.linalg.inv(tf.reshape(h[:1, :4, :4, 0], [4, 4]))),
    "Unique": lambda h: h + scalar(tf.unique(tf.reshape(tf.cast(h, tf.int32), [-1])).y),
    "MaxPoolWithArgmax": lambda h: tf.nn.max_pool_with_argmax(h, 2, 2, "SAME")[0],
    "TensorScatterAdd": lambda h: tf.tensor_scatter_nd_add(h, [[0, 0, 0, 0]], [1.0]),
    "Where": lambda h: h + scalar(tf.where(h > 0.5)),
    "MatrixDeterminant": lambda h: h + scalar(tf.linalg.det(tf.reshape(h[:1, :4, :4, 0], [4, 4]))),
    "CropAndResize": lambda h: h + scalar(tf.image.crop_and_resize(h, [[0.0, 0.0, 1.0, 1.0]], [0], [8, 8])),
    "NonMaxSuppressionV3": lambda h: (
        h + scalar(tf.image.non_max_suppression(tf.reshape(h, [-1, 4])[:64], tf.reshape(h, [-1])[:64], 10))
    ),
    "TopKV2": lambda h: h + scalar(tf.nn.top_k(tf.tile(tf.reshape(h, [1, -1]), [1, 64])[:, :8000], k=3900)[0]),
}


def network(*planted: str) -> tuple[Any, dict[str, int]]:
    """Convolutions, with what is named between them; the line of each planted operation in this file."""
    with tf.Graph().as_default() as graph:
        h = tf.identity(v1.placeholder(tf.float32, [None, 16, 16, 8]), name="input")
        trt_checker.register_input(h)
        for i, kind in enumerate(planted):
            kernel = v1.get_variable(f"kernel{i}", [3, 3, 8, 8])
            h = PLANTED[kind](tf.nn.relu(tf.nn.conv2d(h, kernel, 1, "SAME")))
        trt_checker.register_output(tf.identity(tf.reduce_mean(h, [1, 2]), name="output"))
    return graph, {kind: PLANTED[kind].__code__.co_firstlineno for kind in planted}


@pytest.mark.parametrize("planted", [(), ("TopKV2",), ("CropAndResize",), tuple(PLANTED)], ids=lambda p: str(len(p)))
def test_every_planted_problem_is_found_once_with_its_line(planted: tuple[str, ...]) -> None:
    """None, one at build, a crash, and twelve of all stages at once."""
    graph, lines = network(*planted)
    result = trt_checker.check_conversion(graph=graph)

    assert sorted(kinds(result)) == sorted(planted)
    assert bool(result) is not planted or not planted
    for problem in result.errors:
        assert problem.file == HERE and lines[problem.op_type] <= problem.line <= lines[problem.op_type] + 2
        assert problem.words and problem.advice


class Trained(keras.Model):
    """Layers that are for training alone, left on."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.dense = keras.layers.Dropout(0.5), keras.layers.Dense(4)

    def call(self, x: Any) -> Any:
        return self.dense(self.drop(x, training=True))


RANDOM: dict[str, tuple[Callable[[Any], Any], str]] = {
    "RandomUniform": (lambda x: tf.nn.dropout(x, 0.5), "warning"),
    "RandomStandardNormal": (lambda x: x + tf.random.normal([8], seed=3), "warning"),
    "StatelessRandomNormalV2": (lambda x: x + tf.random.stateless_normal(tf.shape(x), [1, 2]), "error"),
}


@pytest.mark.parametrize("kind", RANDOM)
def test_random_numbers_are_told_with_their_line(kind: str) -> None:
    """A warning where they convert, and advice on them where they do not; seeded or not, and once."""
    draw, severity = RANDOM[kind]
    (problem,) = trt_checker.check(draw, tf.TensorSpec([None, 8])).problems

    assert (problem.op_type, problem.severity, problem.file) == (kind, severity, HERE)
    assert "training=False" in problem.advice


def test_dropout_that_is_left_on_is_told() -> None:
    """Keras 3 draws from a seed, which it writes.  A constant seed and shape make a constant, which is fine."""
    model = Trained()
    model(tf.zeros([2, 8]))
    found = {problem.op_type: problem.advice for problem in trt_checker.check(model).problems}

    assert "training=False" in found["StatelessRandomUniformV2"]
    constant = trt_checker.check(lambda x: x + tf.random.stateless_normal([8], [1, 2]), tf.TensorSpec([None, 8]))
    assert constant and not constant.problems


def test_a_crash_is_a_problem_of_its_operation() -> None:
    """And its words say so."""
    graph, _ = network("CropAndResize")
    (problem,) = trt_checker.check_conversion(graph=graph).errors

    assert problem.stage == "parse" and problem.words.startswith("TensorRT crashed while parsing")


def test_a_traced_function_is_checked_by_its_registrations() -> None:
    """Once, though it was traced twice; also while it is traced."""
    inside = []

    @tf.function
    def net(x: Any) -> Any:
        trt_checker.register_input(x, "x")
        y = tf.nn.relu(x) * weights
        trt_checker.register_output(y)
        inside.append(trt_checker.check_conversion())
        return y

    weights = tf.Variable(tf.ones([8]))
    net(tf.ones([2, 8]))
    net(tf.ones([2, 3, 8]))
    result = trt_checker.check_conversion()

    assert result and len(result.graphs) == 1
    assert all(inside) and len(inside) == 2


def graph_of(build: Callable[[], None], **arguments: Any) -> Any:
    with tf.Graph().as_default():
        build()
        return trt_checker.check_conversion(**arguments)


def x(shape: Any = (None, 8), dtype: Any = None) -> Any:
    tensor = v1.placeholder(dtype or tf.float32, shape, name="x")
    trt_checker.register_input(tensor)
    return tensor


def loose() -> None:
    trt_checker.register_output(x() * v1.placeholder(tf.float32, [], name="keep_prob"))


def state() -> None:
    count, values = v1.get_variable("count", [8], use_resource=True), x()
    with tf.control_dependencies([count.assign_add(tf.reduce_mean(values, 0))]):
        trt_checker.register_output(values * count.read_value())


def training() -> None:
    ones = tf.ones([4])
    trt_checker.register_output(v1.nn.fused_batch_norm(x((None, 8, 8, 4)), ones, ones, is_training=True)[0])


def branch() -> None:
    values = x()
    trt_checker.register_output(tf.cond(tf.reduce_sum(values) > 0, lambda: values, lambda: tf.math.lgamma(values)))


def loop() -> None:
    values, kernel = x(), v1.get_variable("kernel", [8, 8])
    step = lambda i, h: (i + 1, tf.nn.relu(tf.matmul(h, kernel)))  # noqa: E731
    trt_checker.register_output(tf.while_loop(lambda i, h: i < 3, step, [0, values])[1])


GRAPHS = [
    (loose, ["which is not registered"], False),
    (state, ["the output depends on writing to a variable"], False),
    (training, ["built for training"], True),
    (branch, ["TensorFlow operation Lgamma is not supported"], False),
    (loop, [], True),
    (lambda: trt_checker.register_output(tf.nn.relu(x(dtype=tf.float64))), ["is float64 in the model"], False),
    (lambda: trt_checker.register_output(tf.nn.relu(x(shape=None))), ["unknown number of dimensions"], False),
    (lambda: trt_checker.register_output(tf.nn.relu(x((None, None)))), ["dynamic dimensions without a profile"], True),
    (lambda: (x(), trt_checker.register_output(tf.ones([2]))), ["no output depends on input 'x'"], False),
]


@pytest.mark.parametrize(("build", "says", "converts"), GRAPHS, ids=range(len(GRAPHS)))
def test_graphs_that_need_a_word(build: Callable[[], None], says: list[str], converts: bool) -> None:
    """Each problem says what is wrong, at its line."""
    result = graph_of(build)

    assert bool(result) is converts and len(result.problems) == len(says)
    for problem, part in zip(result.problems, says, strict=True):
        assert part in problem.words and problem.file == HERE and problem.advice


def halves() -> None:
    with tf.Graph().as_default():
        x()
    with tf.Graph().as_default():
        trt_checker.register_output(tf.ones([2], name="y"))


USAGE = [
    (lambda: None, "nothing is registered"),
    (halves, "output 'y' and input 'x' are tensors of two graphs"),
    (lambda: trt_checker.register_input(tf.ones([2])), "an eager tensor"),
    (lambda: trt_checker.register_input(keras.Input((2,))), "a Keras input is registered, but no output"),
]


@pytest.mark.parametrize(("register", "says"), USAGE, ids=range(len(USAGE)))
def test_a_wrong_use_is_said_and_not_raised(register: Callable[[], object], says: str) -> None:
    """The training is not started either: the result is false.  Asked for, it raises."""
    keep = register()
    result = trt_checker.check_conversion()

    assert not result and says in result.error and result.problems == ()
    with pytest.raises(Exception, match=says):
        trt_checker.check_conversion(raise_on_error=True)
    del keep


@pytest.mark.parametrize("precision", ["tf32", "fp16", "bf16", "int8"])
def test_precisions_are_asked_for(precision: str) -> None:
    """In the graph that a build would make."""
    graph, _ = network()
    with graph.as_default():
        h = graph.get_tensor_by_name("input:0")
        kernel = v1.get_variable("kernel", [3, 3, 8, 8])
        trt_checker.register_output(tf.nn.conv2d(h, kernel, 1, "SAME") + tf.constant(-1e12))
    result = trt_checker.check_conversion(graph=graph, precision=precision)

    assert result, str(result)
    assert sum("overflows fp16" in p.words for p in result.problems) == (precision == "fp16")
    assert precision == "int8" or len(result.problems) == (precision == "fp16")  # the rest of int8 may be float16


def test_large_weights_are_checked_by_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same outcomes, also where there is a problem or another precision."""
    from trtbuild.checker import frozen

    monkeypatch.setattr(frozen, "REAL_BYTES", 0)
    for planted in ((), ("Unique", "TopKV2")):
        for precision in ("fp32", "fp16"):
            graph, _ = network("TensorScatterAdd", *planted)
            result = trt_checker.check_conversion(graph=graph, precision=precision)
            assert sorted(kinds(result)) == sorted(["TensorScatterAdd", *planted])


def test_logging_and_random_state_stay_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing of what the exporter says is printed."""
    random.seed(1)
    np.random.seed(2)
    tf.random.set_seed(3)
    graph, _ = network("Lgamma")
    exporter = logging.getLogger("tf2onnx")
    before = (list(logging.getLogger().handlers), exporter.propagate, list(exporter.handlers), random.getstate())
    arrays, nodes, version = np.random.get_state()[1].tolist(), len(graph.get_operations()), graph.version
    trt_checker.check_conversion(graph=graph)

    assert before == (
        list(logging.getLogger().handlers), exporter.propagate, list(exporter.handlers), random.getstate()
    )  # fmt: skip
    assert arrays == np.random.get_state()[1].tolist()
    assert (nodes, version) == (len(graph.get_operations()), graph.version)
    assert capsys.readouterr() == ("", "")


def test_a_lookup_table_is_a_problem_at_its_operation() -> None:
    """Not a fault of the checker."""
    keys = tf.constant([1, 2], tf.int64)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, tf.constant([1.0, 2.0])), 0.0)
    result = trt_checker.check(lambda x: table.lookup(x) + 1.0, tf.TensorSpec([None, 4], tf.int64))

    assert kinds(result) == ["LookupTableFindV2"] and "before the engine" in result.problems[0].advice
    assert trt_checker.check(keras.layers.IntegerLookup(vocabulary=[1, 2]), tf.TensorSpec([None, 4], tf.int64)).errors
