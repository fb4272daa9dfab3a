"""What is to be checked, as a TensorFlow graph with named inputs and outputs: from registrations or from a model.

Needs TensorFlow; makes graphs of its own where a model has none yet, and leaves the user's as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError
from trtbuild.checker.registry import Registration, Registry, is_symbolic

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from tensorflow.types.experimental import ConcreteFunction

    from trtbuild.sources.frozengraph import Call, Tensors

    Record = tuple[tf.Graph, Registration]
    Symbolic = dict[str, keras.KerasTensor]
    Specs = Mapping[str, tuple[Sequence[int | None] | None, str]]  # name -> shape (None: unknown rank) and dtype

_SCRATCH = "scratch_graph"  # Keras' name for the graph in which it runs a model that has no variables yet
HOW = "call trt_checker.register_input(x) and trt_checker.register_output(y) while the network is built"


@dataclass(frozen=True)
class Capture:
    """``inputs`` and ``outputs``: chosen name -> tensor of ``graph``; ``keep`` holds what the graph refers to weakly.

    ``initialised``: weights are variables, not the results of their initialisers.
    """

    graph: tf.Graph
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    title: str
    layers: Collection[str] = ()
    loaded: bool = False
    keep: object = None
    initialised: bool = True


def current_graph() -> tf.Graph | None:
    """The graph that the calling thread builds, None where it computes eagerly or has no TensorFlow."""
    tf = sys.modules.get("tensorflow")
    if tf is None or not hasattr(tf, "executing_eagerly") or tf.executing_eagerly():
        return None
    return tf.compat.v1.get_default_graph()


def registered(registry: Registry, graph: tf.Graph | None, *, named: bool) -> list[Callable[[], Capture]]:
    """Everything that was registered and is to be checked now; calling each one makes its capture.

    Only ``graph`` is checked where it has registrations, or where the user ``named`` it; otherwise all graphs are, and
    of several traces of one function the latest.

    Raises:
        ConfigError: nothing, or not enough, was registered.
    """
    records = [(g, record) for g, record in registry.graphs() if record.inputs or record.outputs]
    mine = [(g, record) for g, record in records if g is graph]
    if mine or named:
        records = mine
        if not mine:
            raise ConfigError("nothing is registered in this graph", where="check_conversion", hint=HOW)
    else:
        records = _latest(_without_scratch_halves(records))
    symbolic = [] if mine else _symbolic(registry)
    if not records and not symbolic:
        _refuse_mistakes(registry)
        raise ConfigError("nothing is registered", where="check_conversion", hint=HOW)
    if any(not (record.inputs and record.outputs) for _, record in records):
        _refuse_mistakes(registry)
    _refuse_halves(records)
    return [partial(_of_record, graph, record) for graph, record in records] + symbolic


def _refuse_mistakes(registry: Registry) -> None:
    if registry.mistakes:
        hint = "register tf.identity(x) where a network is traced, or use trt_checker.check(model, …)"
        raise ConfigError(registry.mistakes[0], where="check_conversion", hint=hint)


def _latest(records: Sequence[Record]) -> list[Record]:
    """Graphs that the same lines registered for one tf.function are its traces; any others are separate networks."""
    kept: dict[object, Record] = {}
    for graph, record in records:
        traced = record.function is not None
        kept[(id(record.function), record.sites) if traced else id(graph)] = (graph, record)
    return list(kept.values())


def _without_scratch_halves(records: Sequence[Record]) -> Sequence[Record]:
    """Where a model is built inside a trace, Keras runs it on the trace's tensors in a graph that it throws away."""
    whole = [(graph, record) for graph, record in records if record.inputs and record.outputs]
    return [pair for pair in records if pair in whole or not _is_scratch(pair[0])] if whole else records


def _is_scratch(graph: tf.Graph) -> bool:
    return str(getattr(graph, "name", "") or "").startswith(_SCRATCH)


def _refuse_halves(records: Sequence[Record]) -> None:
    no_outputs = [(g, record) for g, record in records if not record.outputs]
    no_inputs = [(g, record) for g, record in records if not record.inputs]
    if no_outputs and no_inputs:
        lost, found = next(iter(no_inputs[0][1].outputs)), next(iter(no_outputs[0][1].inputs))
        what = f"output '{lost}' and input '{found}' are tensors of two graphs"
        raise ConfigError(what, where="check_conversion", hint="register both ends of one network in its own graph")
    if no_outputs:
        raise ConfigError("an input is registered, but no output", where="check_conversion", hint=HOW)
    if no_inputs:
        raise ConfigError("an output is registered, but no input", where="check_conversion", hint=HOW)


def _of_record(graph: tf.Graph, record: Registration) -> Capture:
    name = str(getattr(graph, "name", "") or "")
    return Capture(
        graph, dict(record.inputs), dict(record.outputs), _title(name, record.outputs), keep=graph,
        initialised=not _is_scratch(graph),
    )  # fmt: skip


def _title(name: str, outputs: Mapping[str, str]) -> str:
    """A function's graph has a name; any other is known by what it makes."""
    return f"graph {name}" if name else f"graph of {', '.join(outputs)}"


def _symbolic(registry: Registry) -> list[Callable[[], Capture]]:
    inputs, outputs = registry.symbolic.alive("inputs"), registry.symbolic.alive("outputs")
    if not inputs and not outputs:
        return []
    if not inputs or not outputs:
        side = "input" if inputs else "output"
        other = "output" if inputs else "input"
        raise ConfigError(f"a Keras {side} is registered, but no {other}", where="check_conversion", hint=HOW)
    groups: dict[frozenset[str], Symbolic] = {}
    for name, tensor in outputs.items():
        reached = frozenset(_behind(tensor, inputs))
        if not reached:
            what = f"output '{name}' does not depend on a registered input"
            raise ConfigError(what, where="check_conversion", hint="register the input of the same model")
        groups.setdefault(reached, {})[name] = tensor
    return [partial(keras_tensors, {name: inputs[name] for name in sorted(ins)}, outs) for ins, outs in groups.items()]


def _behind(tensor: keras.KerasTensor, inputs: Symbolic) -> set[str]:
    """Names of the inputs that a Keras tensor was made from."""
    known = {id(t): name for name, t in inputs.items()}
    found, seen, waiting = set(), set(), [tensor]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if id(one) in known:
            found.add(known[id(one)])
            continue
        history = getattr(one, "_keras_history", None)
        if history is not None:
            waiting += history.operation._inbound_nodes[history.node_index].input_tensors
    return found


def keras_tensors(inputs: Symbolic, outputs: Symbolic) -> Capture:
    """The network between symbolic Keras tensors, traced into a graph of its own."""
    import keras

    function = keras.Function(list(inputs.values()), list(outputs.values()), name="trt_checker")
    specs = {name: (list(tensor.shape), str(tensor.dtype)) for name, tensor in inputs.items()}
    names = {operation.name for operation in function.operations}

    def call(arguments: Tensors) -> Tensors:
        results = function([arguments[name] for name in inputs])
        return dict(zip(outputs, results, strict=True))

    return traced(call, specs, "Keras tensors", names, keep=function)


def traced(
    call: Call, specs: Specs, title: str, layers: Collection[str] = (), *, loaded: bool = False, keep: object = None,
) -> Capture:  # fmt: skip
    """A callable of named tensors, traced for the shapes and dtypes of ``specs``."""
    import tensorflow as tf

    order: list[str] = []

    def flat(*tensors: tf.Tensor) -> list[tf.Tensor]:
        result = call(dict(zip(specs, tensors, strict=True)))
        order[:] = list(result)
        return [tf.identity(result[name]) for name in order]

    signature = [tf.TensorSpec(shape, dtype, _op_name(name)) for name, (shape, dtype) in specs.items()]
    function = tf.function(flat, autograph=False).get_concrete_function(*signature)
    return of_concrete(function, list(specs), order, title, layers, loaded=loaded, keep=(function, keep))


def of_concrete(
    function: ConcreteFunction, inputs: Sequence[str], outputs: Sequence[str], title: str, layers: Collection[str] = (),
    *, loaded: bool = False, keep: object = None,
) -> Capture:  # fmt: skip
    """A concrete function; names stand for its flat inputs and outputs, in order."""
    feeds = function.inputs[: len(function.inputs) - len(function.captured_inputs)]
    ins = {name: tensor.name for name, tensor in zip(inputs, feeds, strict=True)}
    outs = {name: tensor.name for name, tensor in zip(outputs, function.outputs, strict=True)}
    return Capture(function.graph, ins, outs, title, layers, loaded, keep=(function, keep))


def _op_name(name: str) -> str:
    """TensorFlow's operation names allow fewer characters than a dictionary's keys."""
    cleaned = "".join(c if c.isalnum() or c in "_./-" else "_" for c in name).lstrip("_./-")
    return cleaned or "input"


__all__ = ["Capture", "current_graph", "is_symbolic", "keras_tensors", "of_concrete", "registered", "traced"]
