"""Which tensors the exporter's map leads to the wrong TensorFlow tensor: judged by what is computed from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from trtbuild.kit.cumulativeerrors import Compared
from trtbuild.kit.layererror import OTHER_VALUES


def wrongly_mapped(
    names: Sequence[str], parents: Mapping[str, Sequence[str]], compared: Mapping[str, Compared],
    certain: Collection[str],
) -> dict[str, str]:  # fmt: skip
    """Tensors that differ from their counterpart although everything computed from them agrees, and why each.

    A wrong value would be passed on; so the map is wrong, not the graph.

    Args:
        names: in graph order; ``parents`` of each among them.
        certain: tensors that are mapped by the model's own names.
    """
    off = {name: made.errors["export"]["nrmse"] or 0.0 for name, made in compared.items()}
    children: dict[str, list[str]] = {}
    for name in names:
        for parent in parents[name]:
            children.setdefault(parent, []).append(name)
    wrong: dict[str, str] = {}
    for name in reversed(names):
        for child in [c for c in children.get(name, ()) if c in wrong]:  # look through what is wrong itself
            children[name] += children.get(child, [])
        judged = [child for child in children.get(name, ()) if child not in wrong]
        if name not in compared:
            wrong[name] = "its shape is not that of the TensorFlow tensor"
        elif (
            not compared[name].same
            and name not in certain
            and judged
            and all(compared[child].same and OTHER_VALUES * off[child] < off[name] for child in judged)
        ):
            wrong[name] = "its values differ, but everything computed from it agrees"
    return wrong
