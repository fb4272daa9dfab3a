"""The smallest graph that fails in the same way: fewer nodes, random numbers, small sizes, no names."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trtbuild.base.errors import ModelError
from trtbuild.reducing import anonymous, bodies, dims, folding, graphvalues, weights
from trtbuild.reducing.failure import Failure
from trtbuild.reducing.faults import Fault, LoweringFault, SourceFault, dynamic_inputs

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

    Shows = Callable[[onnx.ModelProto], bool]

Say = Callable[[str], None]
LIMIT_S = 300.0
_NODES, _BODIES, _VALUES = 0.5, 0.7, 0.85  # shares of the time limit after which each of these phases ends


@dataclass(frozen=True)
class SmallGraph:
    """``model`` shows ``failure``.

    ``kept``: constants that had to keep the user's values.  ``values_of_inputs``: whether inputs had to keep theirs.
    ``minimal``: no node can be left out, and there was time to find out.
    """

    model: onnx.ModelProto
    failure: Failure
    nodes_before: int
    nodes: int
    minimal: bool
    static: bool
    kept: tuple[str, ...] = ()
    values_of_inputs: bool = False
    notes: tuple[str, ...] = ()
    indices: Mapping[str, Array] = field(default_factory=dict)  # small integer inputs with which it runs


def shrink(
    model: onnx.ModelProto, fault: Fault, shapes: Mapping[str, Sequence[int]], feeds: Mapping[str, Array] | None = None,
    *, whole: onnx.ModelProto | None = None, limit_s: float = LIMIT_S, say: Say = lambda line: None,
) -> SmallGraph:  # fmt: skip
    """Reduce ``model``, which shows ``fault`` as it stands.

    Args:
        shapes: input -> concrete shape, for inputs with dynamic dimensions.
        feeds: inputs with which it runs; by default random ones.
        whole: what ``model`` is a part of.

    Raises:
        ModelError: the fault does not show when it is asked for a second time.
    """
    import onnx

    started = time.monotonic()
    before = _count(whole or model)
    notes: list[str] = []
    model = prepared(model)
    if not fault.shows(model):
        raise ModelError(f"it does not fail every time: {fault.target.words or 'the mismatch'} was seen only once",
                         where="reduce", hint="an intermittent fault cannot be reduced")  # fmt: skip
    shows: Shows = fault.shows
    runner = graphvalues.Runner({})
    if not isinstance(fault, SourceFault):
        model, notes, runner, shows = _simplified(model, fault, shapes, feeds or {})
    static = not dynamic_inputs(model)
    found, minimal = _nodes(model, fault, shows, started + _NODES * limit_s, static)
    say(f"{_count(found)} of {before} nodes fail in the same way")
    if minimal and not isinstance(fault, SourceFault):
        found = bodies.simplify(found, shows, started + _BODIES * limit_s)
    found, places, needs_inputs = _values(found, fault, shows, started + _VALUES * limit_s)
    if static and not places and not isinstance(fault, SourceFault):
        found = dims.smaller(found, shows, started + limit_s)
    model = onnx.ModelProto.FromString(found.SerializeToString())
    renamed = anonymous.anonymise(model)
    fault.rename(renamed)
    model = _typed_outputs(model)
    if not fault.shows(model):
        raise ModelError("the reduced graph no longer fails once its tensors are renamed", where="reduce")
    named = list(weights.tensors(model.graph))
    kept = tuple(named[place].name or f"constant {place}" for place in places)
    indices = {renamed.tensors[name]: value for name, value in runner.indices(found).items()}
    return SmallGraph(
        model, fault.seen, before, _count(model), minimal, static, kept, needs_inputs, tuple(notes), indices
    )


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with inlined functions, constants in one place, and a name for every node."""
    import onnx
    import onnx.inliner

    from trtbuild.graphs.graph import hoist_constants

    copy: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    if copy.functions:
        copy = onnx.inliner.inline_local_functions(copy)
    hoist_constants(copy.graph)
    taken: set[str] = set()
    for i, node in enumerate(copy.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.name or node.op_type}_{i}"
        taken.add(node.name)
    return copy


def _simplified(
    model: onnx.ModelProto, fault: Fault, shapes: Mapping[str, Sequence[int]], feeds: Mapping[str, Array]
) -> tuple[onnx.ModelProto, list[str], graphvalues.Runner, Shows]:
    """Fixed shapes and folded constants, as far as the fault remains; then the observed shapes of tensors.

    Also the question to ask from then on: a graph that runs in ONNX Runtime is reduced to one that runs, too.
    """
    import onnx

    from trtbuild.checker.pieces import make_static

    notes = []
    if dynamic_inputs(model):
        dynamic = {name: shape for name, shape in shapes.items() if name in dynamic_inputs(model)}
        for chosen in (dynamic, _of_one(model, dynamic)):
            fixed = onnx.ModelProto.FromString(model.SerializeToString())
            make_static(fixed, chosen)
            if fault.shows(fixed):
                model = fixed
                break
        else:
            notes.append("it fails only with dynamic dimensions, which therefore remain")
    constant = folding.folded(model)
    if _count(constant) < _count(model):
        if constant.graph.node and fault.shows(constant):
            model = constant
        else:
            notes.append("it does not fail with folded constants, which are therefore not folded")
    drawn = graphvalues.random_feeds(model, shapes)
    fitting = {n: v for n, v in feeds.items() if n in drawn and v.shape == drawn[n].shape}
    tensors = next(
        (t for f in [{**drawn, **fitting}, *graphvalues.tame(drawn)] if (t := graphvalues.everything(model, f))), {}
    )
    graphvalues.annotate(model, tensors)
    runner = graphvalues.Runner(tensors)
    if isinstance(fault, LoweringFault) or not runner(model):
        return model, notes, runner, fault.shows
    return model, notes, runner, lambda piece: fault.shows(piece) and runner(piece)


def _of_one(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """The same shapes with a batch of one where the first dimension is dynamic: many graphs are right only for that."""
    free = {
        value.name: bool(value.type.tensor_type.shape.dim)
        and not value.type.tensor_type.shape.dim[0].HasField("dim_value")
        for value in model.graph.input
    }
    return {name: [1, *shape[1:]] if free[name] else list(shape) for name, shape in shapes.items()}


def _nodes(
    model: onnx.ModelProto, fault: Fault, shows: Shows, deadline: float, static: bool
) -> tuple[onnx.ModelProto, bool]:
    from trtbuild.graphs.reduction import reduce

    if isinstance(fault, SourceFault) or len(model.graph.node) < 2:
        return model, len(model.graph.node) < 2
    if not static:
        return _prefix(model, shows, deadline), False
    found = reduce(model, shows, limit_s=max(0.0, deadline - time.monotonic()))
    return found.model, found.minimal


def _prefix(model: onnx.ModelProto, shows: Shows, deadline: float) -> onnx.ModelProto:
    """A graph with dynamic shapes can only be cut at its end: the fewest first nodes that show the fault."""
    import onnx

    from trtbuild.graphs.reduction import extract, tensor_values

    names = [node.name for node in model.graph.node]
    inputs = {value.name: value for value in model.graph.input}

    def first(count: int) -> onnx.ModelProto | None:
        values = {**tensor_values(model), **inputs}
        return extract(model, set(names[:count]), values)

    low, high = 0, len(names)
    best: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    while high - low > 1 and time.monotonic() < deadline:
        middle = (low + high) // 2
        piece = first(middle)
        if piece is not None and shows(piece):
            high, best = middle, piece
        else:
            low = middle
    return best


def _values(
    model: onnx.ModelProto, fault: Fault, shows: Shows, deadline: float
) -> tuple[onnx.ModelProto, list[int], bool]:
    """Replace the user's values: in constants, and for a mismatch in inputs."""
    if isinstance(fault, SourceFault):
        return model, weights.own_values(model), not fault.random
    needs_inputs = False
    if isinstance(fault, LoweringFault):
        old = fault.forget_values()
        if not fault.shows(model):
            fault.tensors, needs_inputs = old, True
    found, places = weights.without_values(model, shows, deadline)
    return found, places, needs_inputs


def _typed_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    """Declare the outputs' types, which valid ONNX needs, and their shapes where they can be inferred."""
    import onnx

    from trtbuild.graphs.graph import producers

    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # a graph that defeats shape inference keeps its declarations
        inferred = model
    kinds = {value.name: value for value in inferred.graph.output}
    known = {v.name: (v.type.tensor_type.elem_type, len(v.type.tensor_type.shape.dim)) for v in model.graph.input}
    known |= {tensor.name: (tensor.data_type, len(tensor.dims)) for tensor in model.graph.initializer}
    makers = producers(model.graph)
    for value in model.graph.output:
        if value.type.tensor_type.elem_type:
            continue
        if kinds[value.name].type.tensor_type.elem_type:
            value.CopyFrom(kinds[value.name])
            continue
        # The type of the first operand, as for most operations; the fault is checked with it afterwards.
        read = [known[name] for name in makers[value.name].input if name in known]
        kind, rank = read[0] if read else (onnx.TensorProto.FLOAT, 1)
        value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, [None] * rank))
    return model


def _count(model: onnx.ModelProto) -> int:
    from trtbuild.graphs.graph import all_nodes

    return sum(node.op_type != "Constant" for node in all_nodes(model.graph))
