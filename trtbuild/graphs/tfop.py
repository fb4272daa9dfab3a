"""An operation of TensorFlow's frozen graph, as far as an exported graph is traced back to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TfOp:
    """One operation of the frozen graph; ``inputs`` are tensor names (``op:0``), ``shapes`` one for each output."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    shapes: tuple[tuple[int | None, ...] | None, ...]
