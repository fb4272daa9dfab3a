"""Which precision each node of a graph computes in: a lowering, and the nodes that are in its scopes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError
from trtbuild.base.text import did_you_mean
from trtbuild.core.spec import Form, Lowering
from trtbuild.core.spec.precision import FloatType, longest_last
from trtbuild.graphs.graph import all_nodes
from trtbuild.graphs.scopes import names_of, nodes_in_scopes

if TYPE_CHECKING:
    import onnx

    from trtbuild.graphs.scopes import NodeEntry

_LISTED = 12  # scopes that an error names
EXCLUDED = Form("fp32", "none")


class Placement:
    """``scoped``: scope -> names of the nodes in it, for the lowering's scopes and its excluded ones."""

    def __init__(self, lowering: Lowering, scoped: Mapping[str, Collection[str]] | None = None) -> None:
        found = scoped or {}
        self.lowering = lowering
        self._scopes = {name: scope for scope in longest_last(lowering.scopes) for name in found.get(scope, ())}
        self._excluded = {name for scope in lowering.exclude_scopes for name in found.get(scope, ())}

    def of(self, node: onnx.NodeProto, outer: Form | None = None) -> Form:
        """``outer``: what the loop or branch that a node is in computes in; it passes on to nodes in no scope."""
        return EXCLUDED if self.excludes(node) else self.requested(node, outer)

    def requested(self, node: onnx.NodeProto, outer: Form | None = None) -> Form:
        """The same before exclusions."""
        scope = self.scope_of(node)
        return self.lowering.scopes[scope] if scope is not None else outer or self.lowering.base

    def scope_of(self, node: onnx.NodeProto) -> str | None:
        """The longest of the lowering's scopes that a node is in."""
        return self._scopes.get(node.name)

    def excludes(self, node: onnx.NodeProto) -> bool:
        return node.name in self._excluded or node.op_type in self.lowering.exclude_ops

    @property
    def float_types(self) -> frozenset[FloatType]:
        """What the graph's floating-point tensors have inside; excluded nodes and shape arithmetic have float32."""
        return frozenset(form.float_type for form in self.lowering.forms)

    @property
    def casts(self) -> bool:
        return self.float_types != {"float32"}


def scoped(
    model: onnx.ModelProto, lowering: Lowering, nodes: dict[str, NodeEntry] | None = None
) -> dict[str, frozenset[str]]:
    """The nodes in each scope that a lowering names; ``nodes``: where they come from, as in scopes.json.

    Raises:
        ConfigError: a scope, or an operation that it excludes, matches nothing.
    """
    present, entries = list(all_nodes(model.graph)), nodes or {}
    where = f"model.overrides.{lowering.precision}"
    places = dict.fromkeys(lowering.exclude_scopes, f"{where}.exclude_scopes")
    places |= dict.fromkeys(lowering.scopes, f"precision={lowering.precision}: scopes")
    found = nodes_in_scopes(present, places, {"nodes": entries, "tensors": {}})
    for scope, members in found.items():
        if not members:
            known = (n for node in present for n in names_of(entries.get(node.name))[1::2] or [node.name])
            parts = {part for name in known for part in _scopes_of(name, scope.count("/") + 1)}
            hint = did_you_mean(scope, parts)
            if hint.startswith("valid: ") and len(parts) > _LISTED:
                hint = "'trtbuild options scopes model=…' lists them"
            raise ConfigError(f"no node is in scope '{scope}'", where=places[scope], hint=hint)
    kinds = {node.op_type for node in present}
    for op_type in lowering.exclude_ops:
        if op_type not in kinds:
            hint = did_you_mean(op_type, kinds)
            raise ConfigError(f"the graph has no {op_type}", where=f"{where}.exclude_ops", hint=hint)
    return {scope: frozenset(members) for scope, members in found.items()}


def _scopes_of(operation: str, count: int) -> Iterator[str]:
    """Every run of ``count`` components in the scope of an operation."""
    parts = operation.split("/")[:-1]
    yield from ("/".join(parts[i : i + count]) for i in range(len(parts) - count + 1) if all(parts[i : i + count]))
