"""A graph in a precision, with the scales of one call's inputs: what the suite and reductions compare with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.base.errors import DataError
from trtbuild.core.spec import Lowering
from trtbuild.graphs import lowered, uncalibrated
from trtbuild.graphs.graph import hoist_constants
from trtbuild.graphs.placement import Placement
from trtbuild.quantizers import Quantizer
from trtbuild.runtimes.onnxruntime import session_of

if TYPE_CHECKING:
    import onnx


def lower(
    model: onnx.ModelProto, lowering: Lowering, feeds: Mapping[str, Array],
    scoped: Mapping[str, Collection[str]] | None = None,
) -> None:  # fmt: skip
    """Rewrite ``model`` (float32) in place, as the step ``lower`` does.

    Args:
        feeds: inputs of one call, with which it is calibrated.
        scoped: the nodes in each of the lowering's scopes, by name.

    Raises:
        LowerError: there is nothing to quantise.  ModelError: ONNX Runtime cannot run the graph.
        DataError: a tensor becomes NaN or infinite.
    """
    if not lowering.calibrated:
        uncalibrated.lower(model, lowering, scoped)
        return
    hoist_constants(model.graph)
    placement = Placement(lowering, scoped)
    lowered.prepare(model, placement)
    nodes, _ = lowered.quantised_nodes(model, placement)
    quantizer: Quantizer = import_module(f"trtbuild.quantizers.{lowering.calibration.algorithm}").make(
        asdict(lowering.calibration)
    )
    for name, values in _values(model, lowered.activations(model, placement, nodes), feeds).items():
        if not np.isfinite(values).all():
            raise DataError(f"'{name}' becomes NaN or infinite during calibration", where="lower")
        quantizer.observe(name, values)
    lowered.write(model, placement, nodes, quantizer.ranges())


def _values(model: onnx.ModelProto, tensors: Collection[str], feeds: Mapping[str, Array]) -> dict[str, Array]:
    import onnx

    computed = [name for name in tensors if name not in feeds]
    values = {name: feeds[name] for name in tensors if name in feeds}
    if computed:
        watched = onnx.ModelProto.FromString(model.SerializeToString())
        del watched.graph.output[:]
        watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in computed)
        session = session_of(watched, "the float32 graph", quiet=True)
        values |= session.run({name: value for name, value in feeds.items() if name in session.inputs})
    return values
