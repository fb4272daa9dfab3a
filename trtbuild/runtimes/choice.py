"""Which of several ranges, and whether with corrected biases: what brings the outputs closest to the float32 graph's.

Measured on some of the calibration samples, at the outputs of the whole graph, before a final softmax.  An
operation's own error does not tell: of rounding, which is noise, later sums average most away, and of saturation they
do not.  ResNet50 loses 14 dB at its output with the ranges that have the least error of every convolution by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.arrays.samples import Samples
from trtbuild.graphs import biases, lowered, qdq
from trtbuild.runtimes.calibration import mean_errors, own_rows
from trtbuild.runtimes.onnxruntime import OnnxRuntimeSession, session_of

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array
    from trtbuild.core.recipes import InputParams
    from trtbuild.graphs.placement import Placement

# Samples that tell graphs apart, however many calibration has: fewer where they have so many output values.  A hundred
# logits are noisy (LeNet's best differs with 8, 16 and 32 samples), a million pixels are not (SegNet: 16, 32 and 64).
SAMPLES, FEWER, MANY_VALUES = 32, 16, 1_000_000
KEPT_BYTES = 128_000_000  # of the float32 graph's outputs; the rest of them is computed again for each candidate
WORST_DB = 300.0  # in both directions: stands for no noise at all, and for noise that is not finite
CORRECTED = ", biases corrected"


@dataclass
class _Reference:
    """The float32 graph; its outputs are kept, by the index of the call, up to KEPT_BYTES."""

    session: OnnxRuntimeSession
    kept: dict[int, dict[str, Array]] = field(default_factory=dict)
    bytes_left: int = KEPT_BYTES

    def run(self, index: int, feeds: Mapping[str, Array]) -> dict[str, Array]:
        if index in self.kept:
            return self.kept[index]
        values = self.session.run(feeds)
        size = sum(value.nbytes for value in values.values())
        if size <= self.bytes_left:
            self.kept[index] = values
            self.bytes_left -= size
        return values


@dataclass(frozen=True)
class Choice:
    """``errors``: node -> mean error by channel, for biases; empty where they stay; ``sqnr_db``: of every candidate."""

    name: str
    ranges: Mapping[str, float]
    errors: Mapping[str, Array]
    sqnr_db: dict[str, float]


def choose(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], placement: Placement,
    candidates: Mapping[str, Mapping[str, float]], parts: Sequence[Samples], inputs: Mapping[str, InputParams],
    batch: int, *, correct: bool,
) -> Choice:  # fmt: skip
    """Try each of ``candidates`` (ranges by the name of their algorithm), then the best with corrected biases.

    Not each: biases are measured on the same samples, and with few of them, what saturates would seem mended.

    Args:
        model: the float32 graph; nodes: those of it to quantise; correct: whether biases may be corrected.
    """
    model = _before_softmax(model)
    shortcuts = lowered.shortcuts(model, placement, nodes)
    reference = _Reference(session_of(model, "the exported graph"))
    wanted = FEWER if FEWER * _output_values(reference.session, parts[0], inputs) >= MANY_VALUES else SAMPLES
    few = [part.some(max(1, wanted // len(parts))) for part in parts]

    def quantised(ranges: Mapping[str, float], means: Mapping[str, Array]) -> OnnxRuntimeSession:
        written = type(model).FromString(model.SerializeToString())
        biases.correct(written, means)
        qdq.insert(written, nodes, ranges, shortcuts, placement)
        return session_of(written, "the quantised graph")

    sqnr_db = {name: _sqnr(reference, quantised(ranges, {}), few, inputs, batch) for name, ranges in candidates.items()}
    best = max(sqnr_db, key=lambda name: sqnr_db[name])
    ranges = candidates[best]
    if correct:
        compared, errors = biases.comparison(model, nodes, ranges, placement)
        means = mean_errors(compared, errors, few, inputs, batch)
        corrected = best + CORRECTED
        sqnr_db[corrected] = _sqnr(reference, quantised(ranges, means), few, inputs, batch)
        if sqnr_db[corrected] > sqnr_db[best]:
            return Choice(corrected, ranges, means, sqnr_db)
    return Choice(best, ranges, {}, sqnr_db)


def _output_values(session: OnnxRuntimeSession, samples: Samples, inputs: Mapping[str, InputParams]) -> int:
    """Of one sample."""
    call = next(iter(samples.batches(inputs, 1)))
    return sum(own_rows(value, call).size for value in session.run(call.feeds).values()) // max(1, call.rows)


def _before_softmax(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with the operand of each final softmax as its output: of probabilities only the largest few count."""
    import onnx

    copied: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    made = {name: node for node in copied.graph.node for name in node.output}
    names = [value.name for value in copied.graph.output]
    ends = [made[name].input[0] if name in made and made[name].op_type == "Softmax" else name for name in names]
    known = {value.name: value for value in copied.graph.output}
    del copied.graph.output[:]
    empty = onnx.helper.make_empty_tensor_value_info
    copied.graph.output.extend(known.get(name) or empty(name) for name in dict.fromkeys(ends))
    return copied


def _sqnr(
    reference: _Reference, quantised: OnnxRuntimeSession, parts: Sequence[Samples],
    inputs: Mapping[str, InputParams], batch: int,
) -> float:  # fmt: skip
    """In dB over all samples, of the floating-point output with the least of it; what is not finite does not count.

    -WORST_DB where the quantised graph is not finite by itself.
    """
    signal: dict[str, float] = {}
    noise: dict[str, float] = {}
    for index, call in enumerate(call for part in parts for call in part.batches(inputs, batch)):
        wanted, found = reference.run(index, call.feeds), quantised.run(call.feeds)
        for name, value in wanted.items():
            if np.issubdtype(value.dtype, np.floating):
                exact, near = (own_rows(one, call).astype(np.float64) for one in (value, found[name]))
                finite = np.isfinite(exact)
                signal[name] = signal.get(name, 0.0) + float((exact[finite] ** 2).sum())
                noise[name] = noise.get(name, 0.0) + float(((near - exact)[finite] ** 2).sum())
    shares = [noise[name] / signal[name] for name in signal if signal[name]]
    if not all(map(math.isfinite, shares)):
        return -WORST_DB
    return round(-10 * math.log10(max(max(shares, default=1.0), 10 ** (-WORST_DB / 10))), 2)
