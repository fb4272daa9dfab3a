"""The part of an exported graph whose values differ from TensorFlow's for the same inputs: the exporter's mistake.

TensorFlow can be fed and asked anywhere in its graph, so a part between tensors that both have can be compared alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.reducing import graphvalues
from trtbuild.reducing.faults import SourceFault, relative_error
from trtbuild.suite import worker
from trtbuild.suite.case import Tolerance

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.graphs.scopes import TensorEntry

MOST_BYTES = 1 << 30  # of TensorFlow's values at a time
VALUES_S = 300.0  # for all of them


@dataclass(frozen=True)
class Source:
    """``frozen``: the exported graph in TensorFlow's format; ``tensors``: ONNX tensor -> its tensor and layout there.

    ``types``: ONNX node -> the type of TensorFlow's operation.
    """

    frozen: Path
    tensors: Mapping[str, TensorEntry]
    types: Mapping[str, str]


def worst_part(
    model: onnx.ModelProto, source: Source, feeds: Mapping[str, Array], tolerance: Tolerance, folder: Path
) -> tuple[onnx.ModelProto, SourceFault] | None:
    """The part that by itself has the largest relative error, and its fault, with random inputs if they show it.

    None if the graphs have too few comparable tensors to locate it.
    """
    from trtbuild.layers import taps

    known = {name: entry for name, entry in source.tensors.items() if entry["layout"] in ("same", "NCHW")}
    values = {**_values(source, known, feeds, folder), **feeds}
    made = {name for node in model.graph.node for name in node.output}
    found: tuple[float, onnx.ModelProto, SourceFault] | None = None
    for name, nodes in taps.segments(model, made & values.keys()).items():
        part = _part(model, nodes, name, values)
        if part is None:
            continue
        given = {value.name: values[value.name] for value in part.graph.input}
        fault = SourceFault(given, {name: values[name]}, tolerance)
        if not fault.shows(part):
            continue
        have, _ = graphvalues.runs(part, given)
        error = relative_error(values[name], have[name])
        if found is None or error > found[0]:
            found = (error, part, fault)
    if found is None:
        return None
    _, part, fault = found
    shapes = {name: value.shape for name, value in feeds.items()}
    drawn = _with_random_inputs(part, source, fault, tolerance, folder, graphvalues.random_feeds(model, shapes))
    chosen = drawn or fault
    chosen.random = drawn is not None
    chosen.operations = tuple(dict.fromkeys(source.types[n.name] for n in part.graph.node if n.name in source.types))
    return part, chosen


def _values(
    source: Source, names: Mapping[str, TensorEntry], feeds: Mapping[str, Array], folder: Path
) -> dict[str, Array]:
    """TensorFlow's values in ONNX's layout, computed in a process of their own."""
    import numpy as np

    from trtbuild.layers.tfvalues import write_aside

    place = Path(tempfile.mkdtemp(dir=folder))
    wanted = {name: entry["tensor"] for name, entry in names.items() if name not in feeds}
    given = {source.tensors[name]["tensor"]: _turned(value, source.tensors[name], -1) for name, value in feeds.items()}
    out = write_aside(source.frozen, wanted, given, place, MOST_BYTES,
                      environment=worker.environment(), limit_s=VALUES_S, own_log=True)  # fmt: skip
    index = json.loads((out / "index.json").read_text("utf-8"))
    return {name: _turned(np.load(out / file), names[name], 1) for name, file in index.items()}


def _turned(value: Array, entry: TensorEntry, way: int) -> Array:
    """From TensorFlow's NHWC to NCHW (1) or back (-1), where the exporter transposed it."""
    import numpy as np

    if entry["layout"] != "NCHW" or value.ndim < 3:
        return value
    return np.ascontiguousarray(np.moveaxis(value, -1, 1) if way == 1 else np.moveaxis(value, 1, -1))


def _part(
    model: onnx.ModelProto, nodes: frozenset[str], output: str, values: Mapping[str, Array]
) -> onnx.ModelProto | None:
    """These nodes as a graph with one output; None if TensorFlow has no value for an input."""
    import onnx

    from trtbuild.graphs.reduction import extract
    from trtbuild.layers import taps

    info = {
        name: onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in values.items()
    }
    part = extract(model, nodes, info)
    if part is None or output not in {name for node in part.graph.node for name in node.output}:
        return None
    found: onnx.ModelProto = taps.with_outputs(part, [output], only=True)
    found.graph.output[0].CopyFrom(info[output])
    return found


def _with_random_inputs(
    part: onnx.ModelProto,
    source: Source,
    fault: SourceFault,
    tolerance: Tolerance,
    folder: Path,
    whole: Mapping[str, Array],
) -> SourceFault | None:
    """The same fault without the user's data; None if random inputs do not show it.

    Args:
        whole: random inputs of the whole graph, for TensorFlow operations that the part does not contain.
    """
    from trtbuild.base.errors import TrtbuildError

    feeds = graphvalues.random_feeds(part, {})
    (output,) = fault.golden
    others = {name: value for name, value in whole.items() if name not in feeds}
    try:
        wanted = _values(source, {output: source.tensors[output]}, {**others, **feeds}, folder)
    except (TrtbuildError, KeyError):  # an input that TensorFlow does not accept
        return None
    drawn = SourceFault(feeds, wanted, tolerance)
    return drawn if output in wanted and drawn.shows(part) else None
