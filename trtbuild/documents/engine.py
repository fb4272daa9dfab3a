"""precision.json and passport.json: what a graph was lowered to, and the proof that its engine computes that way."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from trtbuild.documents.deviation import DataSource
from trtbuild.documents.schema import LATER, Limit
from trtbuild.documents.verdict import WithWarnings

Sha256 = Annotated[str, Limit("pattern", "^[0-9a-f]{64}$")]


class _CalibrationFacts(TypedDict):
    algorithm: str
    samples: int
    doubts: Annotated[int, LATER, Limit("minimum", 0)]
    corrected_biases: Annotated[int, LATER, Limit("minimum", 0)]
    source: DataSource
    sha256: str


class CalibrationFacts(_CalibrationFacts, total=False):
    """``doubts``: the number of warnings that make its scales doubtful; ``corrected_biases``: of how many nodes.

    ``chosen``, ``sqnr_db``: where several calibrations were tried, the best one, and that of each at the outputs.
    """

    chosen: str
    sqnr_db: dict[str, float]


class _Precision(WithWarnings):
    precision: str
    compute: dict[str, str]
    unpromised: dict[str, str]
    macs: dict[str, int]
    nodes_by_dtype: dict[str, int]
    tensors: dict[str, str]


class Precision(_Precision, total=False):
    """precision.json: the dtype promised for every compute node, its work, and the notes of the lowering.

    ``compute``: node -> dtype; ``unpromised``: node -> op type; ``not_quantised``: node of a type that is to be
    quantised -> reason; ``scopes``: scope -> precision, of a mixed one.  ``provenance``: of the range of each
    quantised tensor, where training chose some.  ``scales_by_channel``: convolution whose weights were to have one
    scale, and keep one for each channel -> reason.
    """

    kept_float32: list[str]
    not_quantised: dict[str, str]
    scopes: dict[str, str]
    clamped_constants: dict[str, float]
    calibration: CalibrationFacts
    scales: dict[str, float]
    weights_per_channel: dict[str, int]
    scales_by_channel: dict[str, str]
    provenance: dict[str, Literal["trained", "calibrated"]]


class Binding(TypedDict):
    """An input or output of a network."""

    name: str
    dtype: str
    shape: list[int]  # -1 is a dynamic dimension


class DeviceFacts(TypedDict):
    name: str
    compute_capability: str
    driver: str


class _Passport(WithWarnings):
    sha256: Sha256
    bytes: int
    flavour: str
    version: str
    compute_capabilities: list[str] | str
    strongly_typed: bool
    tf32: bool
    onnx_sha256: str
    inputs: list[Binding]
    outputs: list[Binding]
    profiles: dict[str, list[list[int]]]
    network_layers: int
    executed: bool
    compute_nodes: dict[str, int]
    unproved_nodes: list[str]
    work_share: dict[str, float]


class CompiledNode(TypedDict):
    """The layer that a node was compiled into, and the types that it reads and writes."""

    layer: str
    operands: list[str]
    results: list[str]


class _CompiledNodes(TypedDict):
    nodes: dict[str, CompiledNode]
    unplaced: list[str]
    unjudged: list[str]


class CompiledNodes(_CompiledNodes, total=False):
    """What the compiled engine made of the promise (engine/promise.py), with shares of the work by type."""

    operands: dict[str, float]
    results: dict[str, float]


class Passport(_Passport, total=False):
    """passport.json; for TensorRT it also names the GPU on which the engine was built."""

    compiled: CompiledNodes

    device: DeviceFacts
    hardware_compatibility: str
