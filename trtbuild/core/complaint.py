"""What TensorRT says against one node of a graph."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Complaint:
    """One refusal: the ONNX node as TensorRT names it, the stage ("parse" or "build"), and TensorRT's own words."""

    node: str
    op_type: str
    stage: str
    words: str
