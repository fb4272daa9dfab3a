"""Each layer's own error: a graph cut at every compared tensor, and fed there with the reference's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from trtbuild.arrays.arrayfile import Array
from trtbuild.documents.layers import TensorError
from trtbuild.layers import layererror, taps
from trtbuild.layers.inspectedgraph import InspectedGraph
from trtbuild.layers.referencevalues import Fit, ReferenceValues
from trtbuild.layers.tappedruns import TappedRuns


@dataclass(frozen=True)
class LocalErrors:
    """``cuts``: the tensors at which graphs are cut, each with how it takes on the reference's values."""

    cuts: Mapping[str, Fit]
    reference: ReferenceValues
    runs: TappedRuns
    pool: Executor

    def of(self, graph: InspectedGraph, wanted: Sequence[str]) -> dict[str, TensorError]:
        """Errors of the ``wanted`` tensors (all in ``cuts``) that the graph computes in the reference's shape."""
        results = graph.results
        at = [name for name in self.cuts if name in results]
        fed = taps.parents(graph.model, set(at))
        index = self.reference.index
        stored = {name: [name, *(p for p in fed.get(name, ()) if p in index)] for name in wanted if name in results}
        sizes = {name: self.reference.bytes_of(arrays) for name, arrays in stored.items()}
        errors: dict[str, TensorError] = {}
        for group in self.runs.groups(sizes, copies=2):
            errors |= self._of_group(graph, at, group)
        return errors

    def _of_group(self, graph: InspectedGraph, at: Sequence[str], group: Sequence[str]) -> dict[str, TensorError]:
        cuts = set(at)
        model = taps.cut(graph.model, at, group, {name: kind for name, kind in graph.low.items() if name in cuts})
        session = self.runs.session(model, graph, "none")
        values: dict[str, Array] = session.run({name: self._fed(name) for name in session.inputs})

        def errors(name: str) -> TensorError | None:
            value, reference = values.pop(f"{name}{taps.LOCAL}"), self._values(name)
            return layererror.errors(reference, value) if value.shape == reference.shape else None

        done = zip(group, self.pool.map(errors, group), strict=True)
        return {name: made for name, made in done if made is not None}

    def _fed(self, name: str) -> Array:
        """The feed of a graph input: the model's own input, or the reference's values at a cut."""
        feeds = self.runs.feeds
        return feeds[name] if name in feeds else self._values(name.removesuffix(taps.FED))

    def _values(self, name: str) -> Array:
        return self.reference.values(name, self.cuts[name])
