"""A session's outputs on all samples, as one .npz with an array for each output, written as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from trtbuild.arrays.arrayfile import Array, Rows, StoredArray, open_npz, write_npz
from trtbuild.arrays.samples import Samples, rows_per_call
from trtbuild.base.errors import ModelError
from trtbuild.core.spec.data import BATCH

if TYPE_CHECKING:
    from trtbuild.core.recipes import InputParams

Row = Literal["sample", "call", "other"]


class Session(Protocol):
    """``about`` says which runtime computes, for every page that shows one of its numbers."""

    about: Mapping[str, object]

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]: ...


@dataclass(frozen=True)
class Call:
    """One call's outputs without the padding of a static batch; ``samples`` rows of input went in."""

    outputs: Mapping[str, Array]
    samples: int


@dataclass(frozen=True)
class Recording:
    """What was written: samples, and what one row of each output stands for (``other``: the data decides)."""

    samples: int
    rows: Mapping[str, Row]


def run_all(session: Session, samples: Samples, inputs: Mapping[str, InputParams]) -> Iterator[Call]:
    """Every call in turn, each output with at least one axis (a scalar becomes one entry)."""
    rows = set(rows_per_call(inputs, BATCH).values())
    for batch in samples.batches(inputs, BATCH):
        made = {}
        for name, value in session.run(batch.feeds).items():
            array = _numbers(name, np.asarray(value))
            made[name] = array[: batch.rows] if batch.padded and array.ndim and len(array) in rows else array
        yield Call(made, batch.rows or 1)


def record(path: Path, calls: Iterator[Call]) -> Recording:
    """Join the calls' outputs along their first axis in an .npz at ``path``; shapes that differ are joined flat.

    Memory: one call's outputs.  Unnamed files beside ``path`` hold the rest until it is written.

    Raises:
        ModelError: an output that holds no numbers.
    """
    joined: dict[str, Rows] = {}
    kinds: dict[str, set[Row]] = {}
    samples = 0
    for call in calls:
        samples += call.samples
        for name, array in call.outputs.items():
            joined.setdefault(name, Rows(path.parent)).append(np.atleast_1d(array))
            kind: Row = "call" if not array.ndim else "sample" if len(array) == call.samples else "other"
            kinds.setdefault(name, set()).add(kind)
    write_npz(path, {name: rows.stored() for name, rows in joined.items()})
    alike = {
        name: found.pop() if len(found) == 1 and not joined[name].flat else "other" for name, found in kinds.items()
    }
    return Recording(samples, dict(sorted(alike.items())))


def load(path: Path) -> dict[str, StoredArray]:
    """The arrays of a file that :func:`record` wrote; its digest is in the records, so nothing is read yet."""
    return open_npz(path, verify=False)


def _numbers(name: str, array: Array) -> Array:
    """bfloat16 and 8-bit floats (numpy knows them as extensions) as the float32 that holds them exactly."""
    if array.dtype.kind == "V" and array.dtype.names is None and array.dtype.name.startswith(("bfloat", "float")):
        return array.astype(np.float32)
    if array.dtype.kind not in "fiub":
        raise ModelError(f"output '{name}' holds {array.dtype}, not real numbers", where="model", hint="leave it out")
    return array
