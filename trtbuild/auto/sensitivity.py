"""The error of each group alone in another precision, on a few samples, with everything else in float32.

The rest in float32 instead of the base leaves out rounding that all assignments share.  Errors add up nearly
(docs/auto.md), so they rank assignments; they certify none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trtbuild.auto.groups import Group
from trtbuild.auto.logits import before_softmax
from trtbuild.base.errors import LowerError
from trtbuild.core.spec import Form, Lowering
from trtbuild.graphs import lowered
from trtbuild.graphs.placement import Placement
from trtbuild.runtimes.onnxruntime import session_of

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array


@dataclass(frozen=True)
class Sensitivity:
    """A group's error, and the nodes of it that the form changes; None and none if it changes nothing."""

    group: Group
    error: float | None
    nodes: frozenset[str]


@dataclass(frozen=True)
class Measurement:
    """``model``: float32, unchanged; ``ranges``: of activations, for a quantised form; ``feeds``: of each call."""

    model: onnx.ModelProto
    form: Form
    ranges: Mapping[str, float]
    feeds: Sequence[Mapping[str, Array]]

    def errors(self, groups: Sequence[Group]) -> Iterator[Sensitivity]:
        """Each group's error; one more run for the reference."""
        reference = self._run(self.model)
        scale = {
            name: sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays) for name, arrays in reference.items()
        }
        for group in groups:
            changed, nodes = self._alone(group)
            error = None if changed is None else self._error(self._run(changed), reference, scale)
            yield Sensitivity(group, error, nodes)

    def measured(self) -> dict[str, str]:
        return before_softmax(self.model.graph)

    def _alone(self, group: Group) -> tuple[onnx.ModelProto | None, frozenset[str]]:
        """The graph with only this group in the form, and what of it is."""
        import onnx

        model: onnx.ModelProto = onnx.ModelProto.FromString(self.model.SerializeToString())
        lowering = Lowering(scopes={group.name: self.form})
        placement = Placement(lowering, {group.name: group.nodes})
        try:
            lowered.prepare(model, placement)
            nodes, _ = lowered.quantised_nodes(model, placement)
        except LowerError:
            return None, frozenset()
        lowered.write(model, placement, nodes, self.ranges)
        return model, frozenset(node.name for node in nodes) if self.form.quantised else frozenset(group.nodes)

    def _run(self, model: onnx.ModelProto) -> dict[str, list[Array]]:
        import onnx

        tensors = list(dict.fromkeys(self.measured().values()))
        watched = onnx.ModelProto.FromString(model.SerializeToString())
        del watched.graph.output[:]
        watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in tensors)
        session = session_of(watched, "an assignment")
        calls = [session.run(feeds) for feeds in self.feeds]
        return {name: [call[name] for call in calls] for name in tensors}

    def _error(
        self, made: Mapping[str, list[Array]], reference: Mapping[str, list[Array]], scale: Mapping[str, float]
    ) -> float:
        total = 0.0
        for name, arrays in reference.items():
            squares = (
                np.square(a.astype(np.float64) - b.astype(np.float64)).sum()
                for a, b in zip(made[name], arrays, strict=True)
            )
            total += float(sum(squares)) / max(scale[name], np.finfo(np.float64).tiny)
        return total
