"""A TensorFlow source of any kind as one concrete function with named inputs and outputs.

Needs TensorFlow.  Every kind is wrapped in a ``tf.function`` over the config's input specs, so that fixed dimensions
are fixed in the graph, names are the config's, and freezing always sees the same kind of function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trtbuild.base.callables import calling, load_callable
from trtbuild.base.environment import looked_up
from trtbuild.base.errors import ConfigError, SourceError, first_line
from trtbuild.sources.savedmodel import Signature

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from tensorflow.types.experimental import ConcreteFunction

    from trtbuild.arrays.trial import Inputs
    from trtbuild.core.recipes import InputParams, SourceParams
    from trtbuild.sources.frozengraph import Call, Tensors


class TensorLike(Protocol):
    """What TensorFlow and Keras say about a tensor."""

    @property
    def shape(self) -> Iterable[int | None]: ...
    @property
    def dtype(self) -> object: ...


@dataclass(frozen=True)
class TfModel:
    """``function(**inputs) -> {output name: tensor}``, traced for the config's shapes; ``outputs`` in model order."""

    function: ConcreteFunction
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, tensors: Tensors) -> Tensors:
        if hasattr(self.function, "prune"):  # a wrapped function takes its inputs one by one, in the order of names
            found: Tensors = self.function(*(tensors[name] for name in sorted(self.inputs)))
        else:
            found = self.function(**tensors)
        return found


@dataclass(frozen=True)
class UntracedModel:
    """A model before tracing: its callable, and what it says about its inputs (None: nothing)."""

    call: Call
    inputs: Mapping[str, TensorLike] | None
    keep: object  # owns the variables, to which a traced function holds only weak references
    optional: frozenset[str] = frozenset()  # inputs with a default, which stay that constant unless they are named
    is_graph: bool = (
        False  # it puts operations of TensorFlow 1 into the trace, whose loops bear no further control edges
    )


def open_model(source: SourceParams, path: Path | None, inputs: Inputs) -> TfModel:
    """Load the source and trace it.

    Args:
        source: ``model.source`` of the config; ``path`` is its file or folder (None for a factory).
        inputs: ``model.inputs``; a null dimension stays dynamic.

    Raises:
        SourceError: it cannot be loaded or called.  ConfigError: inputs or signature do not match the model.
    """
    return trace(open_source(source, path, inputs), inputs)


def open_source(source: SourceParams, path: Path | None, inputs: Inputs) -> UntracedModel:
    """Load it once, for any number of traces."""
    return _OPEN[source["kind"]](source, path, inputs)


def trace(opened: UntracedModel, inputs: Inputs) -> TfModel:
    """Trace it for inputs of these types and shapes."""
    import tensorflow as tf

    if opened.inputs is not None:
        _check_inputs(inputs, opened.inputs, opened.optional)
    specs = {name: tf.TensorSpec(i["shape"], i["dtype"], name) for name, i in inputs.items()}
    order: list[str] = []

    def call(**arguments: tf.Tensor) -> Tensors:
        result = opened.call(arguments)
        order[:] = list(result)
        return result

    try:
        if opened.is_graph:
            names = sorted(specs)
            function = tf.compat.v1.wrap_function(
                lambda *tensors: call(**dict(zip(names, tensors, strict=True))), [specs[name] for name in names]
            )
        else:
            function = tf.function(call, autograph=False).get_concrete_function(**specs)
    except (ConfigError, SourceError):
        raise
    except Exception as error:  # the model's own code runs here, so anything may be raised
        raise SourceError(
            f"cannot be called with the configured inputs: {first_line(error)[:300]}", where="model.inputs"
        ) from error
    function.trtbuild_keep = opened.keep
    return TfModel(function, tuple(inputs), tuple(order))


def open_saved_model(source: SourceParams, path: Path | None, inputs: Inputs) -> UntracedModel:
    from trtbuild.sources import savedmodel

    assert path is not None
    return of_signature(savedmodel.load(source, path))


def of_signature(signature: Signature) -> UntracedModel:
    """Inputs that are not given have their defaults."""
    import tensorflow as tf

    def call(arguments: Tensors) -> Tensors:
        given = {name: tf.constant(value) for name, value in signature.defaults.items() if name not in arguments}
        result = signature.call(**arguments, **given)
        return {key: result[key] for key in sorted(result)}

    return UntracedModel(call, signature.inputs, signature.keep, frozenset(signature.defaults), signature.is_graph)


def open_keras(source: SourceParams, path: Path | None, inputs: Inputs) -> UntracedModel:
    from trtbuild.sources import kerasfile

    assert path is not None
    return keras_model(kerasfile.load(path, source["path"]))


def keras_model(model: keras.Model) -> UntracedModel:
    """A Keras 3 model: a functional one is called by its own input names, a subclassed one by the config's."""
    import keras

    structure = getattr(model, "input", None) if getattr(model, "_is_graph_network", True) else None
    functional = isinstance(model, (keras.Sequential, keras.Model)) and bool(getattr(model, "inputs", None))
    if functional:
        tensors = list(model.inputs)
        names = [tensor.name.split(":")[0] for tensor in tensors]
        structure = getattr(model, "_inputs_struct", None)

        def call(arguments: Tensors) -> Tensors:
            flat = [arguments[name] for name in names]
            packed = keras.tree.pack_sequence_as(structure, flat) if structure is not None else flat
            packed = packed[0] if structure is None and len(flat) == 1 else packed
            return _named(model(packed, training=False), list(getattr(model, "output_names", [])))

        return UntracedModel(call, dict(zip(names, tensors, strict=True)), model)

    def call_subclassed(arguments: Tensors) -> Tensors:
        packed = next(iter(arguments.values())) if len(arguments) == 1 else arguments
        return _named(model(packed, training=False), [])

    return UntracedModel(call_subclassed, None, model)


def _open_frozen_graph(source: SourceParams, path: Path | None, inputs: Inputs) -> UntracedModel:
    from trtbuild.sources import frozengraph

    assert path is not None
    graph_def = frozengraph.parse(path, source["path"])
    graph = frozengraph.graph_of(graph_def, source["path"])
    feeds = frozengraph.tensors(graph, source["inputs"], "model.source.inputs")
    fetches = frozengraph.tensors(graph, source["outputs"], "model.source.outputs")
    if missing := set(inputs) - set(feeds):
        raise ConfigError(
            f"input '{min(missing)}' has no tensor", where="model.source.inputs", hint='write name: "op:0"'
        )
    names = ({name: tensor.name for name, tensor in found.items()} for found in (feeds, fetches))
    return UntracedModel(frozengraph.caller(graph_def, *names), feeds, graph_def, is_graph=True)


def _open_factory(source: SourceParams, path: Path | None, inputs: Inputs) -> UntracedModel:
    import keras
    import tensorflow as tf

    make = load_callable(source["callable"], "model.source.callable")
    keras.utils.set_random_seed(source["seed"])
    arguments = looked_up(source["arguments"], "model.source.arguments")
    arguments |= {"seed": source["seed"]} if _takes_seed(make) and "seed" not in arguments else {}
    try:
        with calling(source["callable"]):
            made = make(**arguments)
    except Exception as error:  # the user's own code
        raise SourceError(f"the factory failed: {first_line(error)[:300]}", where=source["callable"]) from error
    if isinstance(made, keras.Model):
        return keras_model(made)
    if isinstance(made, tf.Module) and not callable(made):
        raise SourceError("the factory returned a tf.Module without __call__", where=source["callable"])
    if not callable(made):
        hint = "return a Keras model, or a callable of named tensors"
        raise SourceError(f"the factory returned a {type(made).__name__}", where=source["callable"], hint=hint)
    return UntracedModel(lambda tensors: _named(made(**tensors), []), None, made)


def _takes_seed(make: Callable[..., object]) -> bool:
    import inspect

    try:
        return "seed" in inspect.signature(make).parameters
    except (TypeError, ValueError):  # a builtin without a signature
        return False


_OPEN: dict[str, Callable[[SourceParams, Path | None, Inputs], UntracedModel]] = {
    "saved_model": open_saved_model,
    "keras": open_keras,
    "frozen_graph": _open_frozen_graph,
    "factory": _open_factory,
}


def _named(result: object, names: list[str]) -> Tensors:
    """Outputs by name: a mapping keeps its keys, a list takes the model's names, or output_0, output_1, …"""
    found = flat_outputs(result)
    usable = not isinstance(result, Mapping) and len(names) == len(found) == len(set(names))
    return dict(zip(names, found.values(), strict=True)) if usable else found


def flat_outputs(result: object) -> dict[str, tf.Tensor]:
    """Every tensor of a result by name, however it is nested: ``a_0`` is the first of what is called ``a``.

    None is not an output.

    >>> flat_outputs({"a": (1, {"b": 2}), "c": None})
    {'a_0': 1, 'a_1_b': 2}
    >>> flat_outputs([1, (2, 3)])
    {'output_0': 1, 'output_1_0': 2, 'output_1_1': 3}

    Raises:
        SourceError: there is no output, or two would have one name.
    """
    found: dict[str, tf.Tensor] = {}

    def add(name: str, value: object) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                add(f"{name}_{key}" if name else str(key), inner)
        elif isinstance(value, (list, tuple)):
            for i, inner in enumerate(value):
                add(f"{name or 'output'}_{i}", inner)
        elif value is not None:
            name = name or "output_0"
            if name in found:
                raise SourceError(f"two of its outputs would be called '{name}'", where="model", hint="rename one")
            found[name] = value

    add("", result)
    if not found:
        raise SourceError("it returns no tensor", where="model", hint="return what the network computes")
    return found


def _check_inputs(wanted: Inputs, have: Mapping[str, TensorLike], optional: frozenset[str]) -> None:
    """The config's inputs must be the model's, with its types, and shapes inside the model's own."""
    from trtbuild.base.text import did_you_mean

    for name in wanted:
        if name not in have:
            raise ConfigError(
                f"the model has no input '{name}'", where=f"model.inputs.{name}", hint=did_you_mean(name, have)
            )
    for name, tensor in have.items():
        if name not in wanted:
            if name in optional:
                continue
            raise ConfigError(f"the model's input '{name}' is missing", where="model.inputs")
        check_fit(name, wanted[name], str(getattr(tensor.dtype, "name", tensor.dtype)), dims(tensor.shape))


def dims(shape: Iterable[int | None]) -> list[int | None] | None:
    if getattr(shape, "rank", 0) is None:
        return None
    return [None if d is None else int(d) for d in tuple(shape)]


def check_fit(name: str, wanted: InputParams, dtype: str, dims: list[int | None] | None) -> None:
    """Raise ConfigError when the configured input cannot be fed to a tensor of ``dtype`` and ``dims``."""
    if wanted["dtype"] != dtype:
        raise ConfigError(f"{wanted['dtype']} does not match the model's {dtype}", where=f"model.inputs.{name}.dtype")
    shape = list(wanted["shape"])
    fits = dims is None or (
        len(dims) == len(shape) and all(m is None or m == w for m, w in zip(dims, shape, strict=True))
    )
    if not fits:
        shown = "[" + ", ".join("null" if d is None else str(d) for d in dims or []) + "]"
        asked = "[" + ", ".join("null" if d is None else str(d) for d in shape) + "]"
        raise ConfigError(f"{asked} does not fit the model's {shown}", where=f"model.inputs.{name}.shape")
