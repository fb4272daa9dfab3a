"""Tests that what is registered is checked, no more and no less, and that the innocent are let go."""

from __future__ import annotations

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


@pytest.mark.parametrize("constant", [tf.ones, tf.zeros, lambda shape: tf.fill(shape, 3.0)])
def test_a_large_constant_that_tensorflow_folds_is_innocent(constant: Callable[[Any], Any]) -> None:
    """From 1000 elements on TensorFlow makes it by an operation, which its optimiser ties to others."""
    assert trt_checker.check(lambda x: x * constant([1, 1000]), tf.TensorSpec([None, 1000]))


class Registering(keras.Model):  # type: ignore[misc]
    """Registers what it is called with, as it is, and what it makes of it."""

    def __init__(self, bad: bool) -> None:
        super().__init__()
        self.bad, self.dense = bad, keras.layers.Dense(4)

    def call(self, x: Any) -> Any:
        trt_checker.register_input(x)
        y = self.dense(x)
        y = tf.math.lgamma(y) if self.bad else tf.abs(y)
        trt_checker.register_output(y)
        return y


@pytest.mark.parametrize("order", [(True, False), (False, True)], ids=str)
def test_two_networks_of_one_class_are_both_checked(order: tuple[bool, bool]) -> None:
    """Though the same lines register both; each is built inside of its trace."""
    networks = [tf.function(Registering(bad)) for bad in order]
    for net in networks:
        net(tf.ones([2, 4]))

    assert kinds(trt_checker.check_conversion()) == ["Lgamma"]


@pytest.mark.parametrize("way", ["trace", "fit", "predict"])
def test_a_model_that_registers_what_it_is_called_with_is_checked(way: str) -> None:
    """Keras first runs it in a graph of its own, in which only the output is a tensor."""
    net, x = Registering(True), np.ones((4, 4), np.float32)
    if way == "fit":
        net.compile("sgd", "mse")
        net.fit(x, x, verbose=0)
    elif way == "predict":
        net.predict(x, verbose=0)
    else:
        tf.function(net)(tf.constant(x))

    assert set(kinds(trt_checker.check_conversion())) == {"Lgamma"}


@pytest.mark.parametrize("control_flow", [1, 2])
def test_moving_averages_of_a_branch_are_named_and_hide_nothing(control_flow: int) -> None:
    """The batch normalisation of TensorFlow 1: the branch for training writes; the rest is checked all the same."""
    choose = {1: v1.disable_control_flow_v2, 2: v1.enable_control_flow_v2}
    choose[control_flow]()
    try:
        with tf.Graph().as_default():
            x, training = v1.placeholder(tf.float32, [None, 4]), v1.placeholder_with_default(False, [])
            trt_checker.register_input(x)
            mean = v1.get_variable("mean", [4])
            used = tf.cond(training, lambda: v1.assign(mean, 0.9 * mean + tf.reduce_mean(x, 0)), lambda: mean + 0.0)
            trt_checker.register_output(tf.math.lgamma(x - used))
            result = trt_checker.check_conversion()
    finally:
        v1.enable_control_flow_v2()

    assert kinds(result) == ["Assign", "Lgamma"]
    assert all(problem.file == __file__ and problem.code for problem in result.errors)


def test_operations_of_a_loop_have_their_lines() -> None:
    """AutoGraph's, and map_fn's."""

    @tf.function
    def looped(x: Any) -> Any:
        for _ in tf.range(5):
            x = tf.math.lgamma(x)
        return tf.map_fn(lambda row: tf.math.digamma(row), x)

    result = trt_checker.check(looped, tf.TensorSpec([2, 4]))

    assert sorted(kinds(result)) == ["Digamma", "Lgamma"]
    for problem in result.errors:
        assert problem.file == __file__ and problem.op_type.lower() in problem.code


def test_a_node_that_a_build_refusal_names_is_its_operation() -> None:
    """A kernel larger than its input is refused in words alone."""
    shapes = {"input_0": [(1, 4, 4, 3)] * 3}
    spec = tf.TensorSpec([None, None, None, 3])
    result = trt_checker.check(lambda x: tf.nn.conv2d(x, tf.ones([9, 9, 3, 4]), 1, "VALID"), spec, profiles=shapes)

    assert kinds(result) == ["Conv2D"] and result.errors[0].file == __file__


def test_a_suppression_is_named_and_not_the_copy_behind_it() -> None:
    """TensorRT names the layer by its kind, the exporter the node by what hands its result on."""
    specs = [tf.TensorSpec([100, 4]), tf.TensorSpec([100])]
    result = trt_checker.check(lambda boxes, scores: tf.image.non_max_suppression(boxes, scores, 10), specs)

    assert kinds(result) == ["NonMaxSuppressionV3"] and result.errors[0].file == __file__
