"""Captures whatever a user calls a model: Keras models, functions, modules, and files of the build's source kinds.

Needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.checkout import whole
from trtbuild.base.errors import ConfigError, SourceError
from trtbuild.checker.capture import Capture, of_concrete, traced

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from tensorflow.types.experimental import ConcreteFunction

    from trtbuild.checker.capture import Specs
    from trtbuild.core.recipes import InputParams, SourceParams
    from trtbuild.sources.frozengraph import Call, Tensors
    from trtbuild.sources.tfmodel import UntracedModel

SIGNATURE_HINT = "give input_signature=[tf.TensorSpec([None, 224, 224, 3], tf.float32)]"


def of_model(model: object, input_signature: object = None) -> Capture:
    """Trace a model.

    Raises:
        ConfigError: it needs an input signature, or the given one does not fit.  SourceError: calling it failed.
    """
    import keras

    if isinstance(model, keras.Model):
        return of_keras(model, input_signature)
    if hasattr(model, "structured_input_signature") and hasattr(model, "captured_inputs"):
        return _of_concrete(model)
    if isinstance(model, keras.Layer):
        names = [layer.name for layer in model._flatten_layers()]
        return _called(lambda *tensors: model(*tensors), input_signature, type(model).__name__, names, model)
    if hasattr(model, "get_concrete_function"):
        return _of_function(model, input_signature)
    if callable(model):
        if input_signature is None and getattr(type(model).__call__, "input_signature", None) is not None:
            return _of_function(model.__call__, None)  # a module's, decorated with tf.function
        title = getattr(model, "__name__", type(model).__name__)
        return _called(model, input_signature, title, (), model)
    what = f"a {type(model).__name__} is not a model"
    raise ConfigError(what, where="check", hint="give a Keras model, a function, a tf.Module with __call__, or a path")


def of_keras(model: keras.Model, input_signature: object = None) -> Capture:
    """A Keras 3 model, called for inference; its own inputs are used where it has them."""
    from trtbuild.sources.tfmodel import keras_model

    layers = [layer.name for layer in model._flatten_layers()]
    functional = bool(getattr(model, "inputs", None))
    if functional and input_signature is None:
        opened = keras_model(model)
        assert opened.inputs is not None
        specs = {n: (list(tensor.shape), str(tensor.dtype)) for n, tensor in opened.inputs.items()}
        return _traced(opened.call, specs, model.name, layers, model)
    if functional or model.built:
        structure = input_signature if input_signature is not None else _built_for(model)
        return _called(lambda *a: model(*a, training=False), structure, model.name, layers, model, packed=True)
    if input_signature is None:
        raise ConfigError("the model is not built yet", where="check", hint=SIGNATURE_HINT)
    return _unbuilt(model, input_signature)


def _unbuilt(model: keras.Model, input_signature: object) -> Capture:
    """A model without variables: a copy is called, in a scope where Keras makes only initialisers, not variables.

    Building the user's own would draw random numbers, and make its weights too early.
    """
    import keras

    from trtbuild.checker.twin import twin

    try:
        copied = twin(model)
    except Exception as error:  # a user's class may hold anything
        what = f"the model is not built yet, and cannot be copied: {type(error).__name__}: {error}"
        raise ConfigError(
            what, where="check", hint="build it first: model.build(input_shape), or call it once"
        ) from error

    def call(*arguments: tf.Tensor) -> object:
        with keras.StatelessScope(initialize_variables=False):
            return copied(*arguments, training=False)

    capture = _called(call, input_signature, model.name, (), copied, packed=True)
    layers = [layer.name for layer in copied._flatten_layers()]
    return replace(capture, layers=layers, initialised=False)


def _built_for(model: keras.Model) -> object:
    """The shapes that a subclassed model was built for, as specs; dtypes are those it computes in."""
    import tensorflow as tf

    shapes = getattr(model, "_build_shapes_dict", None)
    if not shapes:
        raise ConfigError("the model does not say what its inputs are", where="check", hint=SIGNATURE_HINT)

    def spec(shape: object) -> object:
        if isinstance(shape, Mapping):
            return {key: spec(inner) for key, inner in shape.items()}
        assert isinstance(shape, (list, tuple))
        if any(isinstance(part, (list, tuple)) for part in shape):
            return type(shape)(spec(inner) for inner in shape)
        return tf.TensorSpec([None, *shape[1:]], model.variable_dtype)

    found = [spec(shape) for shape in shapes.values()]
    return found if len(found) > 1 else found[0]


def _of_concrete(function: ConcreteFunction) -> Capture:
    feeds = function.inputs[: len(function.inputs) - len(function.captured_inputs)]
    inputs = _unique([tensor.op.name for tensor in feeds])
    return of_concrete(function, inputs, _result_names(function), str(function.name), keep=function)


def _result_names(function: ConcreteFunction) -> list[str]:
    """Keys of a dictionary, else output_0, output_1, …"""
    structure = function.structured_outputs
    if isinstance(structure, Mapping) and len(structure) == len(function.outputs):
        return sorted(map(str, structure))
    return [f"output_{i}" for i in range(len(function.outputs))]


def _of_function(function: tf.types.experimental.PolymorphicFunction, input_signature: object) -> Capture:
    import tensorflow as tf

    arguments = _arguments(input_signature)
    if not arguments and getattr(function, "input_signature", None) is None:
        raise ConfigError("the function has no input signature", where="check", hint=SIGNATURE_HINT)
    try:
        concrete = function.get_concrete_function(*arguments)
    except Exception as error:  # the user's own code runs here
        raise _not_callable(error) from error
    del tf
    return _of_concrete(concrete)


def _called(
    call: Callable[..., object],
    input_signature: object,
    title: str,
    layers: Sequence[str],
    keep: object,
    *,
    packed: bool = False,
) -> Capture:
    """A callable with a structure of specs: one spec, a list for several arguments, or a dictionary by name.

    ``packed``: several specs are one argument (a Keras model's), not several.
    """
    import tensorflow as tf

    from trtbuild.sources.tfmodel import dims, flat_outputs

    if input_signature is None:
        raise ConfigError("its inputs are not known", where="check", hint=SIGNATURE_HINT)
    structure = input_signature
    if isinstance(structure, (list, tuple)) and len(structure) == 1:
        structure = structure[0]
    flat = tf.nest.flatten(structure)
    if not flat or not all(isinstance(part, tf.TensorSpec) or _is_spec(part) for part in flat):
        raise ConfigError("expects tf.TensorSpec", where="input_signature", hint=SIGNATURE_HINT)
    names = _unique([_short(getattr(part, "name", None)) or f"input_{i}" for i, part in enumerate(flat)])
    if isinstance(structure, Mapping) and len(structure) == len(flat):
        names = sorted(map(str, structure))
    specs = {n: (dims(part.shape), tf.dtypes.as_dtype(part.dtype).name) for n, part in zip(names, flat, strict=True)}

    def named(arguments: Tensors) -> Tensors:
        value = tf.nest.pack_sequence_as(structure, [arguments[name] for name in names])
        several = isinstance(value, (list, tuple)) and not packed
        return flat_outputs(call(*value) if several else call(value))

    return _traced(named, specs, title, layers, keep)


def _traced(call: Call, specs: Specs, title: str, layers: Sequence[str], keep: object) -> Capture:
    try:
        return traced(call, specs, title, layers, keep=keep)
    except (ConfigError, SourceError):
        raise
    except Exception as error:  # the user's own code runs here
        raise _not_callable(error) from error


def _not_callable(error: Exception) -> SourceError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = (lines[-1] if lines else type(error).__name__)[:300]
    return SourceError(f"cannot be called with this input signature: {type(error).__name__}: {said}", where="check")


def _arguments(input_signature: object) -> list[object]:
    if input_signature is None:
        return []
    return list(input_signature) if isinstance(input_signature, (list, tuple)) else [input_signature]


def _is_spec(part: object) -> bool:
    """keras.InputSpec, KerasTensor and arrays have what a spec has."""
    return hasattr(part, "shape") and hasattr(part, "dtype") and part.shape is not None and part.dtype is not None


def _short(name: str | None) -> str:
    return str(name).split(":")[0].rpartition("/")[2] if name else ""


def _unique(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        chosen, count = name, 2
        while chosen in found:
            chosen, count = f"{name}_{count}", count + 1
        found.append(chosen)
    return found


def of_path(path: Path, signature: str | None = None) -> Capture:
    """A SavedModel's folder, or a Keras file, with the inputs that it declares itself.

    Raises:
        SourceError: it cannot be loaded.  ConfigError: it has no such signature, or is of a kind that does not say its
            inputs.
    """
    from trtbuild.sources.tfmodel import dims

    if not path.exists():
        raise ConfigError("there is no such file", where=str(path))
    whole(path)
    opened = _opened(path, signature)
    if opened.inputs is None:
        raise ConfigError("the model does not say what its inputs are", where=str(path), hint="use model=NAME")
    specs = {n: (dims(spec.shape), getattr(spec.dtype, "name", str(spec.dtype))) for n, spec in opened.inputs.items()}
    return traced(opened.call, specs, path.name, loaded=True, keep=opened.keep)


def _opened(path: Path, signature: str | None) -> UntracedModel:
    from trtbuild.sources import tfmodel

    if path.is_dir():
        source: SourceParams = {"kind": "saved_model", "path": str(path), "signature": signature}
        try:
            return tfmodel.open_saved_model(source, path, {})
        except ConfigError as error:
            hint = error.hint.replace("--signature NAME", "signature=NAME")
            raise ConfigError(error.what, where=str(path), hint=hint) from error
    if path.suffix in (".keras", ".h5"):
        return tfmodel.open_keras({"kind": "keras", "path": str(path)}, path, {})
    hint = "a SavedModel's folder, .keras, .h5 or .onnx; for a frozen graph use model=NAME of a config"
    raise ConfigError(f"cannot tell what '{path.suffix or path.name}' is", where=str(path), hint=hint)


def of_source(source: SourceParams, path: Path | None, inputs: Mapping[str, InputParams], title: str) -> Capture:
    """A model of the config, opened as the export step opens it."""
    from trtbuild.sources.tfmodel import open_model

    opened = open_model(source, path, inputs)
    loaded = source["kind"] in ("saved_model", "keras", "frozen_graph")
    function = opened.function
    return of_concrete(function, sorted(opened.inputs), sorted(opened.outputs), title, loaded=loaded, keep=opened)
