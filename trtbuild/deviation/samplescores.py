"""What every sample adds to the task metric of every class, as whole numbers that a report keeps.

``top1``: elements of the class that were hit, of all its elements.  ``mean_iou``: pixels where label and prediction are
the class, of those where either is.  ``mse``: the summed squared error, of the elements; it has no classes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.arrays.slices import Slices
from trtbuild.base.errors import DataError
from trtbuild.deviation import metrics
from trtbuild.documents.task import Packed, SampleScores, Slicing

BLOCK = 1 << 20  # cells of samples x classes, and elements, counted at once
MOST_ENTRIES = 1_000_000  # that a report keeps; more are some 10 MB
MOST_CLASSES = 1 << 16  # of foreign scores
FINEST = (1 << 32) - 1  # steps of a squared error, so that sums are exact in any order
_KINDS = ("uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class Scores:
    """Entries in the order of their samples, then of their classes; parts are multiples of ``unit``."""

    samples: int
    sample: Array
    klass: Array
    part: Array
    whole: Array
    unit: float = 1.0

    @property
    def classes(self) -> int:
        return int(self.klass.max()) + 1 if self.klass.size else 0


def count(task: Mapping[str, Any], outputs: Mapping[str, Array], labels: Array) -> Scores:
    """The counts of one side; a built-in metric's score follows from them (``groups.compare``).

    Raises:
        DataError, ConfigError: as ``metrics.score`` does, which is asked first.
    """
    output = outputs[metrics.chosen(task, outputs)]
    ignored = task.get("ignore_label")
    if task["metric"] == "mse":
        return _squares(output, labels, ignored)
    labels, axis = metrics.class_labels(output, labels)
    samples = len(labels)
    flat = labels.reshape(samples, -1)
    classes = output.shape[axis] if axis is not None else int(max(labels.max(), output.max())) + 1
    rows = max(1, BLOCK // max(classes, flat.shape[1]))
    found = []
    for start in range(0, samples, rows):
        block = output[start : start + rows]
        predicted = np.asarray(block.argmax(axis) if axis is not None else block).reshape(len(block), -1)
        found.append(_counted(task["metric"], flat[start : start + rows], predicted.astype(np.int64), classes, ignored))
        found[-1][0][:] += start
    sample, klass, part, whole = (np.concatenate(column) for column in zip(*found, strict=True))
    return Scores(samples, sample, klass, part, whole)


def _counted(
    metric: str, labels: Array, predicted: Array, classes: int, ignored: int | None
) -> tuple[Array, Array, Array, Array]:
    """Sample, class, part and whole of the entries of a block of samples."""
    kept = np.ones(labels.shape, bool) if ignored is None else labels != ignored
    row = np.broadcast_to(np.arange(len(labels))[:, np.newaxis] * classes, labels.shape)[kept]
    truth, said = row + labels[kept], row + predicted[kept]
    size = len(labels) * classes
    whole = np.bincount(truth, minlength=size)
    part = np.bincount(truth[truth == said], minlength=size)
    if metric == "mean_iou":
        whole = whole + np.bincount(said, minlength=size) - part
    (place,) = np.nonzero(whole)
    return place // classes, place % classes, part[place], whole[place]


def _squares(output: Array, labels: Array, ignored: float | None) -> Scores:
    samples = len(labels)
    said, truth = output.reshape(samples, -1), labels.reshape(samples, -1)
    error, whole = np.zeros(samples), np.zeros(samples, np.int64)
    rows = max(1, BLOCK // max(1, truth.shape[1]))
    for start in range(0, samples, rows):
        a, b = (side[start : start + rows].astype(np.float64) for side in (said, truth))
        kept = np.ones(b.shape, bool) if ignored is None else b != ignored
        error[start : start + rows] = np.where(kept, np.square(a - b), 0.0).sum(1)
        whole[start : start + rows] = kept.sum(1)
    largest = float(error.max(initial=0.0))
    if not np.isfinite(largest):
        raise DataError("a squared error is not finite", where=metrics.WHERE)
    unit = float(2.0 ** np.ceil(np.log2(largest / FINEST))) if largest else 1.0
    (place,) = np.nonzero(whole)
    steps = np.rint(error[place] / unit).astype(np.int64)
    return Scores(samples, place, np.zeros(len(place), np.int64), steps, whole[place], unit)


def digest(labels: Array, slices: Sequence[Slices]) -> str:
    """Equal for equal labels and slices, so that two reports know that they judge the same samples."""
    made = hashlib.sha256(f"{labels.dtype.str} {labels.shape}".encode())
    for start in range(0, len(labels), 4096):
        made.update(np.ascontiguousarray(labels[start : start + 4096]).tobytes())
    for one in slices:
        made.update("\0".join((one.name, *one.names)).encode() + one.codes.astype("<i8").tobytes())
    return made.hexdigest()


def document(scores: Scores) -> SampleScores | None:
    """None where they are too many to keep in a report."""
    if len(scores.sample) > MOST_ENTRIES:
        return None
    entries = np.bincount(scores.sample, minlength=scores.samples)
    return {
        "entries": pack(entries), "classes": pack(scores.klass), "parts": pack(scores.part),
        "wholes": pack(scores.whole), "unit": scores.unit,
    }  # fmt: skip


def read(found: SampleScores) -> Scores:
    """Raises ValueError: its arrays do not fit each other."""
    entries = unpack(found["entries"])
    klass, part, whole = (unpack(found[key]) for key in ("classes", "parts", "wholes"))
    if not int(entries.sum()) == len(klass) == len(part) == len(whole):
        raise ValueError("the counts of the samples do not fit each other")
    if klass.max(initial=0) >= MOST_CLASSES:
        raise ValueError(f"a class beyond {MOST_CLASSES}")
    return Scores(len(entries), np.repeat(np.arange(len(entries)), entries), klass, part, whole, found["unit"])


def slicing(one: Slices) -> Slicing:
    return {"name": one.name, "names": list(one.names), "codes": pack(one.codes)}


def read_slicing(found: Slicing) -> Slices:
    """Raises ValueError: a code without a name."""
    codes = unpack(found["codes"])
    if len(codes) and int(codes.max()) >= len(found["names"]):
        raise ValueError("a slice has no name")
    return Slices(found["name"], tuple(found["names"]), codes)


def pack(values: Array) -> Packed:
    """Whole numbers from 0 on, in as few bytes as their type allows."""
    values = np.asarray(values)
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if low == high:
        return {"dtype": "constant", "count": len(values), "data": str(low)}
    if high == 1:
        return {"dtype": "bits", "count": len(values), "data": _base64(np.packbits(values.astype(np.uint8)))}
    kind = next(kind for kind in _KINDS if high <= np.iinfo(kind).max)
    data = _base64(values.astype(np.dtype(kind).newbyteorder("<")))
    return cast("Packed", {"dtype": kind, "count": len(values), "data": data})


def unpack(found: Packed) -> Array:
    """Raises ValueError: it is not what :func:`pack` makes."""
    kind, size = found["dtype"], found["count"]
    if size > 64 * MOST_ENTRIES:
        raise ValueError(f"{size} numbers are too many")
    if kind == "constant":
        return np.full(size, int(found["data"]), np.int64)
    raw = base64.b64decode(found["data"], validate=True)
    if kind == "bits":
        values = np.unpackbits(np.frombuffer(raw, np.uint8))[:size]
    else:
        values = np.frombuffer(raw, np.dtype(kind).newbyteorder("<"))
    if len(values) != size:
        raise ValueError(f"{len(values)} numbers instead of {size}")
    return values.astype(np.int64)


def _base64(values: Array) -> str:
    return base64.b64encode(values.tobytes()).decode()
