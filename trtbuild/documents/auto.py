"""sensitivity.json and auto.json: what a search for mixed precisions measured, and what it chose."""

from __future__ import annotations

from typing import Literal, TypedDict

from trtbuild.documents.estimate import Bounded
from trtbuild.documents.verdict import Check


class GroupEntry(TypedDict):
    """Operations whose precision changes together; ``reads``: their tensors that are quantised with them."""

    name: str
    nodes: list[str]
    operations: list[str]
    reads: list[str]


class Sensitivity(TypedDict):
    """sensitivity.json: the error of some groups, each alone in one precision.

    ``errors``: group -> mean squared error of the measured tensors over their mean square, summed over the outputs;
    None where it has nothing that this precision changes.  ``changed``: those of a group's operations that it does.
    """

    schema_version: Literal[1]
    precision: str
    samples: int
    measured: dict[str, str]
    groups: list[GroupEntry]
    errors: dict[str, float | None]
    changed: dict[str, list[str]]
    runs: int


class ChoiceEntry(TypedDict):
    precision: str
    error: float
    cost: float


class GroupChoices(TypedDict):
    """``base_limits``, ``limits``: what the group's layers cost in the base's and the chosen engine, by their limit.

    Empty without a device; a layer of several groups is shared out.
    """

    name: str
    operations: list[str]
    choices: list[ChoiceEntry]
    chosen: str
    base_limits: dict[Bounded, float]
    limits: dict[Bounded, float]


class PointEntry(TypedDict):
    """An assignment whose engine was compiled; ``checks`` is None where its outputs were not measured."""

    variant: str
    scopes: dict[str, str]
    predicted_error: float
    cost: float
    relative_cost: float
    bytes_moved: int
    checks: dict[str, Check] | None
    meets: bool | None
    chosen: bool


class AutoDocument(TypedDict):
    """auto.json; ``dropped``: candidates that the target cannot build, ``refused``: assignments that TensorRT broke.

    ``front``: what no other sum of one choice of each group beats in error and cost; ``rest``: in all costs of it.
    """

    schema_version: Literal[1]
    model: str
    tensorrt: str
    target: str
    base: str
    candidates: list[str]
    dropped: dict[str, str]
    refused: list[str]
    cost_unit: str
    cost_says: str
    budget: dict[str, float]
    certified_on: str
    samples: int
    says: str
    file: str | None
    scopes: dict[str, str]
    groups: list[GroupChoices]
    rest: float
    points: list[PointEntry]
    front: list[ChoicePoint]
    runs: int
    builds: int
    evaluations: int


class ChoicePoint(TypedDict):
    """A point of the predicted front."""

    error: float
    cost: float
