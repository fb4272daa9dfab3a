"""Final outputs of tapped runs compared with those of untapped runs: whether tapping changed what is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trtbuild.arrays import outputs
from trtbuild.arrays.arrayfile import Array
from trtbuild.documents.layers import TappedOutputs
from trtbuild.layers import layererror


@dataclass(frozen=True)
class FinalOutputs:
    """The outputs ``seen`` so far on each side."""

    seen: dict[str, dict[str, Array]] = field(default_factory=dict)

    def keep(self, side: str, values: Mapping[str, Array]) -> None:
        self.seen.setdefault(side, {}).update(values)

    def compare(self, side: str, untapped: Path, rows: int | None) -> TappedOutputs:
        """Largest difference of any output, absolute and relative to its RMS; ``equal`` means bit for bit."""
        plain = outputs.load(untapped)
        largest = relative = 0.0
        compared, equal = [], True
        for name, value in sorted(self.seen.get(side, {}).items()):
            want = np.asarray(plain[name][: len(np.atleast_1d(value))]) if name in plain else None
            have = np.atleast_1d(value)[:rows]
            want = None if want is None else want[: len(have)]
            if want is None or want.shape != have.shape:
                continue
            error = layererror.errors(want, have)
            compared.append(name)
            equal &= np.array_equal(want, have, equal_nan=have.dtype.kind == "f")
            largest = max(largest, error["max_abs"] or 0.0)
            relative = max(relative, error["nrmse"] or 0.0)
        return {"compared": compared, "equal": bool(compared) and equal, "max_abs": largest, "nrmse": relative}
