"""Tests of nodes inside loops."""

from __future__ import annotations

import onnx

from tests.reducing.graphs import Contains, loop
from tests.support.graphs import nodes
from trtbuild.reducing import bodies

FOREVER = 1e12


def test_nodes_of_a_body_go_when_the_fault_does_not_need_them() -> None:
    """A loop stays a valid one."""
    found = bodies.simplify(loop(), Contains("Loop", "Sin").shows, FOREVER)

    inner = [n.op_type for n in nodes(found) if n.op_type not in ("Constant", "Identity")]
    assert inner == ["Loop", "Sin"]
    onnx.checker.check_model(found, full_check=True)
