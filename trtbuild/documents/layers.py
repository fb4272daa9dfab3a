"""layers.json: the error of every compared tensor, both as the graphs run and of each layer by itself."""

from __future__ import annotations

from typing import Annotated, Literal, TypedDict

from trtbuild.documents.schema import LATER, Limit
from trtbuild.documents.verdict import WithWarnings

View = Literal["cumulative", "local"]
Mode = Literal["all", "fusion", "per_op"]
JumpReason = Literal["outlier", "excess", "growth", "nonfinite"]


class TensorError(TypedDict):
    """The error of one tensor, in units of its RMS (layers/layererror.py); None: nothing finite, or no meaning."""

    median: float | None
    max: float | None
    nrmse: float | None
    sqnr_db: float | None
    cosine: float | None
    max_abs: float | None
    rms: float | None
    nonfinite: int
    hidden: Annotated[float | None, LATER]


class LayerFacts(TypedDict):
    """What a layer is, and its errors by hop."""

    name: str
    tensor: str
    path: str
    scope: str
    type: str
    op: str
    members: Annotated[list[str], LATER]
    dtype: str
    shape: list[int]
    proof: Literal["value", "local value", "none", "same graph"]
    expected_nrmse: float | None
    cumulative: dict[str, TensorError]
    local: dict[str, TensorError]


class Layer(LayerFacts):
    """One row of layers.json; ``parents``: names of the nearest compared tensors that feed it."""

    parents: list[str]


class Jump(TypedDict):
    """A layer that causes an error (layers/jumps.py)."""

    name: str
    why: JumpReason
    growth: float | None
    local: float | None
    times_typical: float | None
    times_expected: float | None
    alone: Annotated[bool, LATER]


class TappedOutputs(TypedDict):
    """Final outputs of tapped runs compared with those of untapped runs."""

    compared: list[str]
    equal: bool
    max_abs: float
    nrmse: float


class TapCounts(TypedDict):
    """What was compared, what was not, and why."""

    mode: Mode
    tensors: int
    mapped: int
    compared: int
    same_value: int
    proved: int
    unmapped: list[str]
    wrongly_mapped: dict[str, str]
    undecided: Annotated[dict[str, str], LATER]
    emulated: list[str]


class Taps(TapCounts):
    outputs: dict[str, TappedOutputs]
    frozen_outputs: TappedOutputs


class _Inspection(TypedDict):
    mode: Mode
    scope: str | None
    op: str | None
    samples: Annotated[int, Limit("minimum", 1)]
    reference: str
    taps: Taps


class Layers(_Inspection, WithWarnings):
    """layers.json; rows in topological order, jumps by hop."""

    layers: list[Layer]
    jumps: dict[str, list[Jump]]


class JumpPlace(TypedDict):
    index: int
    path: str
    type: str
    dtype: str


class ReportedJump(Jump, JumpPlace):
    """A jump with its place, and the sentence about it."""

    says: str


class LayerRow(LayerFacts):
    """One row of the layer page."""

    index: int
    top_scope: str
    jumps: list[str]


class LayerGroup(TypedDict):
    """The layers of one scope or type; ``first`` is the index of the first of them."""

    name: str
    count: int
    worst_local: float | None
    median_local: float | None
    worst_total: float | None
    first: int


class ReportedLayers(_Inspection):
    """The layers in report.json."""

    rows: list[LayerRow]
    jumps: dict[str, list[ReportedJump]]
    notes: list[str]
    by_scope: list[LayerGroup]
    by_type: list[LayerGroup]
