"""task.json: the task metric for every class and slice, with intervals, and the counts of samples behind it."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypedDict

from trtbuild.documents.latency import Bounds
from trtbuild.documents.schema import Limit

ALL: Final = "all"  # ``by`` of the row of all samples
CLASS: Final = "class"  # and of a class; of a slice it is the name of its array


class Packed(TypedDict):
    """Whole numbers as base64 of their little-endian bytes (of bits, the first one highest), or one for all."""

    dtype: Literal["constant", "bits", "uint8", "uint16", "uint32", "uint64"]
    count: Annotated[int, Limit("minimum", 0)]
    data: str


class SampleScores(TypedDict):
    """What each sample adds to each class: ``parts`` of ``wholes`` (hits of elements, intersections of unions).

    A sample has ``entries`` classes; parts are multiples of ``unit``.
    """

    entries: Packed
    classes: Packed
    parts: Packed
    wholes: Packed
    unit: float


class Slicing(TypedDict):
    """An array that names the slice of each sample: an index into ``names``."""

    name: str
    names: list[str]
    codes: Packed


class Group(TypedDict):
    """A class, a slice, or all samples: its score on both sides, and the change.

    ``p``: how often a fall like this one is seen when the sides of every sample are exchanged at random.
    """

    by: str
    name: str
    samples: int
    old: Bounds
    new: Bounds
    change: Bounds
    p: float
    fell: bool


class GroupComparison(TypedDict):
    """Two sides on the same samples.  ``told``: how many groups had enough changed samples for a fall to be named."""

    metric: str
    higher_is_better: bool
    samples: int
    resamples: int
    told: int
    groups: list[Group]


class TaskScores(GroupComparison):
    """task.json: source model (old) and here (new); ``data``: digest of labels and slices, ``scores``: of here."""

    data: str
    slicings: list[Slicing]
    scores: SampleScores | None
