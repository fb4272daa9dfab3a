"""Tensors that the exporter maps to the wrong TensorFlow tensor: suspected by their values, proved by feeding them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from trtbuild.layers import layererror, taps
from trtbuild.layers.cumulativeerrors import TensorComparison
from trtbuild.layers.inspectedgraph import InspectedGraph
from trtbuild.layers.layererror import OTHER_VALUES
from trtbuild.layers.referencevalues import ReferenceValues
from trtbuild.layers.tappedruns import TappedRuns

SHAPE = "its shape is not that of the TensorFlow tensor"
VALUES = "its values differ, everything computed from it agrees, and does not when it is computed from those values"
UNDECIDED = (
    "its values differ, and everything computed from it agrees whichever of them it is computed from: "
    "nothing shows whether its map is wrong or its error has no effect"
)


def suspects(
    names: Sequence[str], parents: Mapping[str, Sequence[str]], compared: Mapping[str, TensorComparison],
    certain: Collection[str],
) -> dict[str, list[str]]:  # fmt: skip
    """Tensors that differ from their counterpart although everything computed from them agrees -> those tensors.

    A wrong value would be passed on, unless a later layer saturates: a suspicion, not a proof.

    Args:
        names: in graph order; ``parents`` of each among them.
        certain: tensors that are mapped by the model's own names.
    """
    off = {name: made.errors["export"]["nrmse"] or 0.0 for name, made in compared.items()}
    children: dict[str, list[str]] = {}
    for name in names:
        for parent in parents[name]:
            children.setdefault(parent, []).append(name)
    unknown = {name for name in names if name not in compared}  # looked through, like suspects
    found: dict[str, list[str]] = {}
    for name in reversed(names):
        judged: dict[str, None] = {}
        for child in children.get(name, ()):
            judged |= dict.fromkeys(children.get(child, ()) if child in unknown or child in found else [child])
        children[name] = list(judged)
        if (
            name not in unknown
            and not compared[name].same
            and name not in certain
            and judged
            and all(compared[child].same and OTHER_VALUES * off[child] < off[name] for child in judged)
        ):
            found[name] = list(judged)
    return found


def disproved_maps(
    suspected: Mapping[str, Sequence[str]], compared: Mapping[str, TensorComparison], graph: InspectedGraph,
    reference: ReferenceValues, runs: TappedRuns,
) -> set[str]:  # fmt: skip
    """The suspects whose counterparts' values, fed in their place, spoil the tensors computed from them.

    First the graph is fed all of them at once; a suspect that spoils nothing then is not proved.  The others are fed
    one by one, since a wrong one also spoils the tensors computed from its neighbours.
    """

    def spoilt_by(fed: Iterable[str]) -> set[str]:
        at = list(fed)
        sources: dict[str, list[str]] = {}
        for name in at:
            for child in suspected[name]:
                sources.setdefault(child, []).append(name)
        sizes = {name: reference.bytes_of([name, *feeding]) for name, feeding in sources.items()}
        spoilt: set[str] = set()
        for group in runs.groups(sizes, copies=2):
            session = runs.session(taps.cut(graph.model, at, group, {}), graph, "none")
            feeds = {
                name: runs.feeds[name] if name in runs.feeds else reference.values(name, compared[name].fit)
                for name in session.inputs
            }
            for name, value in session.run(feeds).items():
                want = reference.values(name, compared[name].fit)
                if value.shape != want.shape or not layererror.same_values(layererror.errors(want, value), want):
                    spoilt.add(name)
        return spoilt

    together = spoilt_by(suspected)
    return {name for name, judged in suspected.items() if together.intersection(judged) and spoilt_by([name])}
