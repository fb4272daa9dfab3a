"""Calibration: the float32 graph on all samples, and a quantizer that sees every tensor whose range it needs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.arrays.samples import Batch, Samples
from trtbuild.base.errors import DataError
from trtbuild.graphs.biases import MeanError
from trtbuild.graphs.degenerate import CalibrationStatistics, Extent, InputExtent
from trtbuild.quantizers import Quantizer
from trtbuild.runtimes.onnxruntime import OnnxRuntimeSession, session_of

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.core.recipes import InputParams

WATCHED_BYTES = 500_000_000  # of all watched tensors in one call


def calibrate(
    model: onnx.ModelProto, tensors: list[str], parts: Sequence[Samples], inputs: Mapping[str, InputParams], batch: int,
    quantizer: Quantizer,
) -> CalibrationStatistics:  # fmt: skip
    """Run the float32 graph on all samples and show the quantizer every tensor; each part is of one size.

    The runtime may sum in another order for another batch: values differ by their last bits then, and so may ranges.
    """
    import onnx

    feeds_only = {value.name for value in model.graph.input} & set(tensors)
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    computed = [name for name in tensors if name not in feeds_only]
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in computed)
    session = session_of(watched, "the exported graph") if computed else None
    seen = CalibrationStatistics(
        sum(part.count for part in parts), {n: InputExtent() for n in inputs}, {n: Extent() for n in tensors}
    )
    calls = ((c, part.where) for part in parts for c in part.batches(inputs, _rows(session, part, inputs, batch)))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for call, where in calls:
            values = session.run(call.feeds) if session else {}
            values |= {name: call.feeds[name] for name in feeds_only}
            for name, given in seen.inputs.items():
                given.see_samples(call.feeds[name], call.rows)
            deque(pool.map(partial(_see, values, call, where, quantizer), seen.tensors, seen.tensors.values()))
    return seen


def _see(values: dict[str, Array], call: Batch, where: str, quantizer: Quantizer, name: str, extent: Extent) -> None:
    value = values.pop(name)  # freed as soon as it was seen
    own = own_rows(value, call)
    if not np.isfinite([own.min(initial=0), own.max(initial=0)]).all():
        raise DataError(f"'{name}' becomes NaN or infinite during calibration", where=where)
    extent.see(own)
    quantizer.observe(name, own)


def mean_errors(
    compared: onnx.ModelProto, errors: Sequence[MeanError], parts: Sequence[Samples],
    inputs: Mapping[str, InputParams], batch: int,
) -> dict[str, Array]:  # fmt: skip
    """Node -> its mean error by output channel over all samples (``graphs/biases.py``: comparison)."""
    if not errors:  # no operation has a place for a bias, and ONNX Runtime runs no graph without outputs
        return {}
    session = session_of(compared, "the exported graph beside its int8 form")
    sums: dict[str, Array] = {}
    rows = dict.fromkeys((error.node for error in errors), 0)
    for part in parts:
        for call in part.batches(inputs, batch):
            values = session.run(call.feeds)
            for error in errors:
                own = own_rows(values[error.tensor], call).astype(np.float64)
                sums[error.node] = sums.get(error.node, 0.0) + own.sum(axis=0)
                rows[error.node] += len(own)
    return {node: total / rows[node] for node, total in sums.items() if rows[node]}


def _rows(session: OnnxRuntimeSession | None, part: Samples, inputs: Mapping[str, InputParams], batch: int) -> int:
    """How many samples a call takes: ``batch``, or fewer where everything watched would not fit the budget."""
    if session is None or min(batch, part.count) == 1:
        return batch
    first = next(iter(part.batches(inputs, 1)))
    one = sum(value.nbytes for value in session.run(first.feeds).values())
    return max(1, min(batch, WATCHED_BYTES // max(one, 1)))


def own_rows(values: Array, call: Batch) -> Array:
    """Without the rows that padding made, where a tensor has one row, or a fixed number of rows, for each sample."""
    size = next((len(array) for array in call.feeds.values() if array.ndim), 1)
    if not call.padded or not values.ndim or len(values) % size:
        return values
    return values[: call.rows * (len(values) // size)]
