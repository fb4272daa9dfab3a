"""Tests of checking Keras models, functions, modules and files; TensorFlow and TensorRT are real."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import trt_checker
from tests.checker.results import kinds

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_registered")]
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
HERE = __file__


def test_keras_tensors_are_checked_model_by_model() -> None:
    """Two models in one process; a built-in layer's problem names the layer, since Keras knows no line."""
    inputs, other = keras.Input((8, 8, 3), name="image"), keras.Input((4,), name="x")
    good = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, groups=1)(inputs))
    bad = keras.layers.Activation(tf.math.lgamma, name="strange")(keras.layers.Dense(3)(other))
    trt_checker.register_input([inputs, other])
    trt_checker.register_output([good, bad])
    result = trt_checker.check_conversion()

    assert kinds(result) == ["Lgamma"] and len(result.graphs) == 2
    assert result.problems[0].layer == "strange"
    assert "layer 'strange'" in result.problems[0].place_note


class Sub(keras.Model):  # type: ignore[misc, name-defined]
    """A subclassed model with layers in a list and a dictionary."""

    def __init__(self, bad: bool = False) -> None:
        super().__init__()
        self.blocks = [keras.layers.Dense(8, activation="relu") for _ in range(2)]
        self.heads = {"a": keras.layers.Dense(2), "b": keras.layers.Dense(3)}
        self.bad = bad

    def call(self, x: Any, training: bool = False) -> Any:
        x = tf.identity(x, name="input")
        trt_checker.register_input(x)
        for block in self.blocks:
            x = block(x)
        result = {name: head(x) for name, head in self.heads.items()}
        if self.bad:
            result["a"] = tf.math.lgamma(result["a"])
        trt_checker.register_output(result)
        return result


@pytest.mark.parametrize("bad", [False, True])
def test_a_subclassed_model_is_checked_after_its_first_call(bad: bool) -> None:
    """What it registered in ``call``; weights that do not exist yet are not random operations."""
    Sub(bad)(np.ones([2, 4], np.float32))
    result = trt_checker.check_conversion()

    assert kinds(result) == ["Lgamma"] * bad and not result.by_version["rtx-1.7"][bad:]
    assert all(problem.file == HERE for problem in result.problems)


def test_a_model_that_was_not_built_stays_so() -> None:
    """A copy of it is checked."""
    model = Sub(bad=True)
    result = trt_checker.check(model, input_signature=tf.TensorSpec([None, 4]))

    assert kinds(result) == ["Lgamma"]
    assert not model.built and not model.weights and not model.blocks[0].built


def test_several_inputs_and_outputs_of_a_function() -> None:
    """By position."""
    result = trt_checker.check(
        lambda a, b: (tf.matmul(a, b), a * 2.0), [tf.TensorSpec([None, 8]), tf.TensorSpec([8, 4])]
    )

    assert result, str(result)


X4 = (None, 4)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (lambda x: {"a": (x + 1, x + 2)}, {"a_0", "a_1"}),
        (lambda x: (x + 1, (x + 2, x[:, :1])), {"output_0", "output_1_0", "output_1_1"}),
        (lambda x: (x + 1, None), {"output_0"}),
    ],
    ids=["in a dictionary", "in a tuple", "none"],
)
def test_nested_outputs_are_outputs_each(function: Any, names: set[str]) -> None:
    """Not stacked into one tensor, nor refused for their shapes."""
    from trtbuild.checker.models import of_model

    assert set(of_model(function, tf.TensorSpec(X4)).outputs) == names
    assert trt_checker.check(function, tf.TensorSpec(X4))


def test_nested_outputs_of_a_keras_model_are_outputs_each() -> None:
    """Its names are by place, as a list has them."""
    from trtbuild.checker.models import of_model

    x = keras.Input((3,))
    deep = keras.Model(x, [keras.layers.Dense(2)(x), {"b": keras.layers.Dense(3)(x), "c": keras.layers.Dense(2)(x)}])

    assert len(of_model(deep).outputs) == 3 and trt_checker.check(deep)


def test_a_saved_model_is_checked_by_the_signature_that_is_named(tmp_path: Any) -> None:
    """Not every one has serving_default; the only one there is need not be named."""
    from trtbuild.base.errors import ConfigError
    from trtbuild.cli import main as cli

    module = tf.Module()
    module.f = tf.function(lambda x: {"y": x + 1.0}, input_signature=[tf.TensorSpec([None, 4], name="x")])
    tf.saved_model.save(module, str(tmp_path / "m"), signatures={"foo": module.f})
    tf.saved_model.save(module, str(tmp_path / "two"), signatures={"foo": module.f, "bar": module.f})

    assert cli.run(["check", str(tmp_path / "m"), "opset=18"]) == 0
    assert cli.run(["check", str(tmp_path / "two"), "signature=foo"]) == 0
    with pytest.raises(ConfigError, match=r"two: several signatures: bar, foo; choose one: signature=NAME"):
        cli.run(["check", str(tmp_path / "two")])


@pytest.mark.parametrize("name", ["broken.keras", "broken.h5"])
def test_a_broken_file_is_not_a_network_that_does_not_convert(name: str, tmp_path: Any) -> None:
    """Nor one that is not there."""
    (tmp_path / name).write_bytes(b"PK no model")
    result = trt_checker.check(tmp_path / name)

    assert result.exit_status == 4 and "not a readable Keras model" in result.error
    assert "not found: filepath" not in result.error


def test_a_module_whose_call_has_a_signature_needs_no_other() -> None:
    """It says its inputs itself."""

    class Module(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return {"y": x + 1.0}

    assert trt_checker.check(Module())
