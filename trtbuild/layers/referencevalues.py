"""The values that graphs are judged by: TensorFlow's tensors, read from files into the graph's own layout."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.graphs.graph import inferred
from trtbuild.layers import layererror
from trtbuild.layers.inspectedgraph import InspectedGraph
from trtbuild.layers.tappedruns import TappedRuns

INDEX = "index.json"


# numpy reads a file's header with Python's own parser, which fails now and then where two threads use it at once
# ("AST constructor recursion depth mismatch", python/cpython#106905).
_PARSER = threading.Lock()


@dataclass(frozen=True)
class Fit:
    """How a stored array becomes the graph's tensor: its ``shape`` there, and which candidate of ``fit_layout``."""

    shape: tuple[int, ...]
    candidate: int = 0


@dataclass(frozen=True)
class ReferenceValues:
    """``index``: tensor -> file in ``folder``; ``layouts``: what the exporter knows about TensorFlow's tensors."""

    folder: Path
    index: Mapping[str, str]
    layouts: Mapping[str, str | None]
    from_tensorflow: bool
    _mapped: dict[str, Array] = field(default_factory=dict)

    def stored(self, name: str) -> Array:
        """The array as stored in the file, mapped into memory."""
        if name not in self._mapped:
            with _PARSER:
                self._mapped[name] = np.load(self.folder / self.index[name], mmap_mode="r", allow_pickle=False)
        return self._mapped[name]

    def bytes_of(self, names: Iterable[str]) -> int:
        return sum(self.stored(name).nbytes for name in names)

    def fit(self, name: str, value: Array) -> Fit | None:
        """Where shapes leave the layout open, the graph's own ``value`` decides; None: no layout fits."""
        if not self.from_tensorflow:
            return Fit(value.shape)
        candidates = self._candidates(name, value.shape)
        if len(candidates) > 1:
            distances = [float(np.nan_to_num(np.abs(c - value)).sum(dtype=np.float64)) for c in candidates]
            return Fit(value.shape, int(np.argmin(distances)))
        return Fit(value.shape) if candidates else None

    def values(self, name: str, fit: Fit) -> Array:
        """The values as float32, in the graph's layout."""
        if not self.from_tensorflow:
            return np.asarray(self.stored(name), dtype=np.float32)
        return np.ascontiguousarray(self._candidates(name, fit.shape)[fit.candidate], dtype=np.float32)

    def _candidates(self, name: str, shape: tuple[int, ...]) -> list[Array]:
        return layererror.fit_layout(self.stored(name), shape, self.layouts.get(name))


def of_tensorflow(folder: Path, scopes: Mapping[str, Any]) -> ReferenceValues:
    """The values that tfvalues has written; ``scopes`` is the export's map."""
    layouts = {name: entry.get("layout") for name, entry in scopes["tensors"].items()}
    return ReferenceValues(folder, json.loads((folder / INDEX).read_text("utf-8")), layouts, True)


def of_graph(folder: Path, graph: InspectedGraph, runs: TappedRuns) -> ReferenceValues:
    """The graph's own values, computed group by group so that they fit the budget."""
    index: dict[str, str] = {}
    batch = max(len(np.atleast_1d(array)) for array in runs.feeds.values())
    shapes = _static_shapes(graph.model, batch)
    unknown = 1 << 62  # larger than any budget: a run of its own
    sizes = {name: 4 * int(np.prod(shapes[name])) if name in shapes else unknown for name in graph.activations}
    for group in layererror.groups(sizes, runs.max_bytes):
        for name, value in runs.run(graph, group).items():
            index[name] = f"{len(index)}.npy"
            np.save(folder / index[name], value, allow_pickle=False)
    (folder / INDEX).write_text(json.dumps(index), "utf-8")
    return ReferenceValues(folder, index, {}, False)


def _static_shapes(model: Any, batch: int) -> dict[str, tuple[int, ...]]:
    """Shapes known to shape inference, with the batch as first dimension."""
    found = {}
    for value in inferred(model).value_info:
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if dims and dims[0] == 0:
            dims[0] = batch
        if all(dims):
            found[value.name] = tuple(dims)
    return found
