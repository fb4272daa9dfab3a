"""One case, in a worker: traced, exported, lowered, written, and run in TensorFlow and in ONNX Runtime.

Every stage reports its result as soon as it ends, so that a crash in the next one loses nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from trtbuild.base.errors import DataError, ExportError, ModelError
from trtbuild.suite.case import Case
from trtbuild.suite.stage import StageResult, shorten

if TYPE_CHECKING:
    import onnx
    import tensorflow as tf

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.suite.outline import OutlineNode


class Questions(TypedDict):
    """What TensorRT needs to be asked about a graph: by input, the concrete shape, and the profile of dynamic ones."""

    shapes: dict[str, list[int]]
    profiles: dict[str, list[list[int]]]


class Graph(Questions):
    """The graph that a case comes to: the digest that names its file, and its outline."""

    graph: str
    outline: list[OutlineNode]


class StageAnswer(TypedDict, total=False):
    """What came of one stage; where the export succeeds, with its :class:`Graph`."""

    stage: str
    result: StageResult
    says: str
    exported: Graph


Traced = Callable[..., "Mapping[str, tf.Tensor]"]  # a concrete function
Tell = Callable[[StageAnswer], None]


def examine(case: Case, graphs: Path, tell: Tell) -> None:
    """Report the stages ``exports`` and ``matches``; the graph for TensorRT is left in ``graphs``, by its digest."""
    from trtbuild.graphs import canonical
    from trtbuild.suite import outline
    from trtbuild.suite.authoring import forget_layers

    forget_layers()
    try:
        source, model = import_case(case) if case.onnx else export_case(case)
        feeds = [feeds_at(case, point) for point in range(len(points(case)))]
        lowered = lower_case(case, model, feeds)
        content = canonical.to_bytes(lowered)
    except ModelError as error:
        tell({"stage": "exports", "result": "no", "says": shorten(str(error))})
        return
    except Exception as error:  # the case's own function, and TensorFlow under it, raise anything
        tell({"stage": "exports", "result": "no", "says": shorten(f"{type(error).__name__}: {first_line(error)}")})
        return
    digest = hashlib.sha256(content).hexdigest()
    write_once(graphs / f"{digest}.onnx", content)
    graph: Graph = {"graph": digest, "outline": outline.outline(lowered), **questions(case, lowered)}
    tell({"stage": "exports", "result": "yes", "says": "", "exported": graph})
    result: StageResult
    try:
        result, says = compare_case(case, source, lowered, feeds)
    except _NotHere as error:
        result, says = "untested", str(error)
    except Exception as error:  # a runtime that cannot run the graph says so in many ways
        result, says = "no", f"{type(error).__name__}: {first_line(error)}"
        if "NOT_IMPLEMENTED" in says or "NotImplemented" in says:
            result = "untested"
    tell({"stage": "matches", "result": result, "says": shorten(says)})


def write_once(path: Path, content: bytes) -> None:
    from trtbuild.base.files import write_atomic

    if not path.exists():
        write_atomic(path, content)


def points(case: Case) -> tuple[tuple[int, ...], ...]:
    return max((spec.shapes for spec in case.inputs.values()), key=len, default=((),))


def feeds_at(case: Case, point: int) -> dict[str, Array]:
    """Inputs at one point of the profiles; those without one are the same everywhere."""
    from trtbuild.suite.values import draw

    feeds = {}
    for seed, (name, spec) in enumerate(case.inputs.items()):
        shape = spec.shapes[min(point, len(spec.shapes) - 1)]
        feeds[name] = draw(spec.values, shape, spec.dtype, 100 * point + seed)
    return feeds


def export_case(case: Case) -> tuple[Traced, onnx.ModelProto]:
    """The traced function and its ONNX graph."""
    import tensorflow as tf

    from trtbuild.graphs import canonical
    from trtbuild.graphs.graph import all_nodes
    from trtbuild.sources import tfonnx
    from trtbuild.sources.tfmodel import TfModel

    assert case.build is not None
    build = case.build
    order: list[str] = []

    def call(**tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        made = build(**tensors, **case.parameters)
        many = made if isinstance(made, (list, tuple)) else [made]
        named = dict(made) if isinstance(made, Mapping) else {f"y{i}" if i else "y": t for i, t in enumerate(many)}
        order[:] = list(named)
        return named

    specs = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in case.inputs.items()}
    traced = tf.function(call, autograph=False).get_concrete_function(**specs)
    converted = tfonnx.convert(TfModel(traced, tuple(case.inputs), tuple(order)), case.opset)
    canonical.canonicalise(converted.model, set(converted.ops))
    _check(converted.model)
    there = {node.op_type for node in all_nodes(converted.model.graph)}
    missing = [op for op in case.needs if op not in there]
    if missing:
        have = ", ".join(sorted(there)) or "no node at all"
        raise ExportError(f"the case is about {', '.join(missing)}, but the exported graph has {have}")
    return traced, converted.model


def import_case(case: Case) -> tuple[None, onnx.ModelProto]:
    from trtbuild.graphs import canonical, externaldata

    assert case.onnx is not None
    model = externaldata.load(case.onnx, case.onnx.name)
    _check(model)
    canonical.strip(model)
    return None, model


def _check(model: onnx.ModelProto) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ExportError(f"the exported graph is not valid ONNX: {first_line(error)}") from error


def lower_case(case: Case, model: onnx.ModelProto, feeds: Sequence[Mapping[str, Array]]) -> onnx.ModelProto:
    """The same graph in the case's precision, by the code of the ``lower`` step."""
    import onnx

    from trtbuild.graphs import canonical
    from trtbuild.runtimes import calibrated

    lowering = case.lowering
    if lowering.plain:
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    calibrated.lower(copy, lowering, feeds[0])
    canonical.strip(copy)
    return copy


def questions(case: Case, model: onnx.ModelProto) -> Questions:
    """Shapes and profiles of the graph's inputs, for TensorRT; inputs that the export dropped are left out."""
    constants = {tensor.name for tensor in model.graph.initializer}
    there = [value.name for value in model.graph.input if value.name not in constants]
    specs = {name: case.inputs[name] for name in there if name in case.inputs}
    middle = {name: list(spec.shapes[len(spec.shapes) // 2]) for name, spec in specs.items()}
    profiles = {name: [list(shape) for shape in spec.profile] for name, spec in specs.items() if spec.profile}
    return {"shapes": middle, "profiles": profiles}


class _NotHere(Exception):
    """TensorFlow itself cannot run the source on this machine, so there is nothing to compare with."""


def compare_case(
    case: Case, source: Traced | None, lowered: onnx.ModelProto, feeds: Sequence[Mapping[str, Array]]
) -> tuple[StageResult, str]:
    """Whether the lowered graph gives the source's values, in ONNX Runtime; at every point of the profiles."""
    from trtbuild.runtimes.onnxruntime import session_of
    from trtbuild.suite.comparison import difference

    golden = case.onnx.with_suffix(".npz") if case.onnx else None
    if golden is not None and not golden.is_file():
        return "untested", f"there are no reference values ({golden.name} beside {case.file.name})"
    session = session_of(lowered, case.id)
    worst = ""
    for given in feeds:
        if golden is None:
            wanted = run_tensorflow(source, given)
        else:
            given, wanted = read_golden(golden, case)
        have = session.run({name: value for name, value in given.items() if name in session.inputs})
        for name, reference in wanted.items():
            says = difference(reference, have[output_name(name, have)], case.tolerance)
            if says:
                where = f" at {_shapes(given)}" if len(feeds) > 1 else ""
                worst = worst or f"{name}{where}: {says}"
        if golden is not None or worst:
            break
    return ("no", worst) if worst else ("yes", "")


def output_name(name: str, have: Mapping[str, Array]) -> str:
    """The export renames an output that has an input's name."""
    return name if name in have else f"{name}_output"


def _shapes(feeds: Mapping[str, Array]) -> str:
    return ", ".join("x".join(map(str, value.shape)) or "scalar" for value in feeds.values())


def read_golden(path: Path, case: Case) -> tuple[dict[str, Array], dict[str, Array]]:
    import numpy as np

    from trtbuild.arrays.arrayfile import open_npz

    try:
        everything = {name: np.asarray(array) for name, array in open_npz(path).items()}
    except ValueError as error:
        raise DataError(f"not a readable .npz file: {error}", where=path.name) from None
    missing = [name for name in case.inputs if name not in everything]
    if missing:
        raise DataError(f"{path.name} has no array '{missing[0]}'")
    given = {name: everything.pop(name) for name in case.inputs}
    return given, everything


def run_tensorflow(source: Traced | None, feeds: Mapping[str, Array]) -> dict[str, Array]:
    import tensorflow as tf

    try:
        assert source is not None
        values = source(**{name: tf.constant(value) for name, value in feeds.items()})
        return {name: value.numpy() for name, value in values.items()}
    except tf.errors.OpError as error:
        raise _NotHere(f"TensorFlow cannot run it: {type(error).__name__}: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first line that is about the error: TensorFlow's begin with where it was detected."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    places = ("Graph execution error", "Detected at node", "File ", "<stack traces", "[[{{")
    return next((line for line in lines if not line.startswith(places)), type(error).__name__)
