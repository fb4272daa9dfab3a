"""Sets of samples in a config: for calibration, validation and inspection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

VALIDATION = "validation"
BATCH = 8  # samples per call, within the profile; enough to amortise a call, few enough for any memory
_SET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # part of file names and of step folders


def check_seed(seed: int) -> None:
    """Raise ValueError unless a seed has 32 bits, as NumPy's and Keras' generators require."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed: {seed} is not between 0 and {2**32 - 1}")


@dataclass(frozen=True)
class RandomData:
    """Seeded uniform random samples drawn from every input's ``range``."""

    count: int = 8
    seed: int = 0
    kind: Literal["random"] = "random"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count: {self.count} is below 1")
        check_seed(self.seed)


@dataclass(frozen=True)
class FactoryData:
    """An importable callable that yields one sample at a time: ``{key: array without the batch dimension}``."""

    callable: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    kind: Literal["factory"] = "factory"


DataSource = str | RandomData | FactoryData  # text: an .npz file, or a folder with one .npy per key


@dataclass(frozen=True)
class Data:
    """``validation`` is judged; the sets in ``inspection`` are measured and shown beside it.

    ``slices``: a file of arrays with the part of the validation data that each sample belongs to.
    ``certification``: held-out samples, on which the result of ``precision=auto`` is certified.
    """

    calibration: DataSource | None = None
    validation: DataSource = RandomData()
    inspection: Mapping[str, DataSource] = field(default_factory=dict)
    certification: DataSource | None = None
    slices: str | None = None

    def __post_init__(self) -> None:
        seen = [(VALIDATION, self.validation)]
        for name, source in self.inspection.items():
            if not _SET_NAME.fullmatch(name) or name == VALIDATION:
                raise ValueError(f"inspection: '{name}' cannot name a set; use letters, digits, '_' and '-'")
            same = next((other for other, known in seen if known == source), None)
            if same is not None:
                raise ValueError(f"inspection: '{name}' has the same source as '{same}'; once is enough")
            seen.append((name, source))

    @property
    def sets(self) -> dict[str, DataSource]:
        """Every set whose deviation is measured, validation first."""
        return {VALIDATION: self.validation, **{name: self.inspection[name] for name in sorted(self.inspection)}}
