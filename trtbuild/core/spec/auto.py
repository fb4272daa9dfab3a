"""How ``precision=auto`` searches: what it may choose, its budget of accuracy, and how much it measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trtbuild.core.spec.validation import check_limits

# Steps that share the groups of a candidate, so that they run side by side and a search that was stopped goes on; each
# runs the unchanged graph once, at most REFERENCES times in all.
PARTS, REFERENCES = 4, 10


@dataclass(frozen=True)
class Auto:
    """``base`` and ``candidates`` are names of options of conf/precision.

    ``max_drop``: of the task metric, null: the model's ``validation.task.max_drop``.  ``deviation``: limits on
    statistics of the outputs, beside it.  ``samples``: of the validation set, for the sensitivity of each group.
    ``builds``: engines of mixed assignments that are compiled to correct the predicted costs.
    """

    base: str = "fp16"
    candidates: tuple[str, ...] = ("int8",)
    max_drop: float | None = None
    deviation: Mapping[str, float] = field(default_factory=dict)
    samples: int = 8
    builds: int = 24

    def __post_init__(self) -> None:
        check_limits("deviation", self.deviation)
        if not self.candidates:
            raise ValueError("candidates: at least one is needed")
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError("candidates: each once")
        if self.max_drop is not None and not self.max_drop >= 0:
            raise ValueError(f"max_drop: {self.max_drop:g} is below 0; 0 allows no drop at all")
        if self.samples < 1:
            raise ValueError(f"samples: {self.samples} is below 1")
        if self.builds < 2:
            raise ValueError(f"builds: {self.builds} is below 2")

    @property
    def parts(self) -> int:
        """
        >>> Auto().parts, Auto(candidates=("int8", "fp8", "bf16")).parts
        (4, 3)
        """
        return max(1, min(PARTS, REFERENCES // len(self.candidates)))
