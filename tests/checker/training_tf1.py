"""The article's listing in graph mode, with training; with the word "check" the conversion is checked first.

Prints the loss curve, exactly, and the graph as it was built.
"""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import tensorflow as tf

import trt_checker

tf.compat.v1.disable_eager_execution()
v1 = tf.compat.v1


class Lenet5:
    def network(self, X: tf.Tensor) -> tf.Tensor:
        input = tf.identity(X, name="input")
        trt_checker.register_input(input)
        with v1.variable_scope("conv1"):
            kernel, bias = v1.get_variable("kernel", [5, 5, 1, 6]), v1.get_variable("bias", [6])
            x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(input, kernel, 1, "SAME") + bias), 2, 2, "VALID")
        with v1.variable_scope("fc"):
            logits = tf.matmul(tf.reshape(x, [-1, 14 * 14 * 6]), v1.get_variable("kernel", [14 * 14 * 6, 10]))
        output = tf.identity(logits, name="output")
        trt_checker.register_output(output)
        return output

    def train(self, loss: tf.Tensor, step: tf.Operation, feeds: dict[tf.Tensor, np.ndarray]) -> list[float]:
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            return [float(session.run([loss, step], feeds)[0]) for _ in range(5)]


def main() -> None:
    v1.set_random_seed(5)
    rng = np.random.default_rng(6)
    X, y = v1.placeholder(tf.float32, [None, 28, 28, 1]), v1.placeholder(tf.float32, [None, 10])
    lenet_network = Lenet5()
    output = lenet_network.network(X)
    before = hashlib.sha256(v1.get_default_graph().as_graph_def().SerializeToString(deterministic=True)).hexdigest()
    conversion_result = trt_checker.check_conversion(raise_on_error=True) if "check" in sys.argv else True
    if conversion_result:
        after = v1.get_default_graph().as_graph_def().SerializeToString(deterministic=True)
        assert hashlib.sha256(after).hexdigest() == before
        loss = tf.reduce_mean(tf.square(tf.nn.dropout(output, 0.3) - y))
        step = v1.train.GradientDescentOptimizer(1e-3).minimize(loss)
        feeds = {X: rng.normal(size=(8, 28, 28, 1)), y: rng.normal(size=(8, 10))}
        print([value.hex() for value in lenet_network.train(loss, step, feeds)])


main()
