"""Where a tensor of the exported graph comes from: TensorFlow's tensor, op type and scope, and the ONNX op."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trtbuild.graphs.graph import producers
from trtbuild.graphs.scopes import in_scope


@dataclass(frozen=True)
class Origin:
    """``type`` and ``path`` are TensorFlow's, or ONNX's own where nothing is mapped; ``scope`` is the path's folder.

    ``members`` are the paths of the operations that were folded into this one.
    """

    tensor: str
    type: str
    op: str
    path: str
    scope: str
    members: tuple[str, ...] = ()


def origins(names: Iterable[str], model: Any, scopes: Mapping[str, Any]) -> dict[str, Origin]:
    """The origin of each name, from the export's ``scopes`` map."""
    made_by = producers(model.graph)
    return {name: _origin(name, made_by[name], scopes) for name in names}


def _origin(name: str, node: Any, scopes: Mapping[str, Any]) -> Origin:
    owner = scopes["nodes"].get(node.name, {})
    path = owner.get("name") or node.name
    tensor = scopes["tensors"].get(name, {}).get("tensor", name)
    members = tuple(member["name"] for member in owner.get("members", ()))
    return Origin(tensor, owner.get("type", node.op_type), node.op_type, path, path.rpartition("/")[0], members)


def is_asked_for(origin: Origin, scope: str | None, op: str | None) -> bool:
    """Whether a tensor is in ``scope`` and computed by op type ``op`` of TensorFlow or ONNX; None takes any."""
    if scope and not any(in_scope(n, scope) for n in (f"{origin.scope}/{origin.tensor}", origin.path, *origin.members)):
        return False
    return not op or op in (origin.type, origin.op)
