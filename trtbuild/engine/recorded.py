"""Which precision moved fewer bytes in engines that were compiled here: numbers of a benchmark, never an estimate.

``python -m benchmarks placement`` writes recorded.json and docs/placement.md, which has the forms behind the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trtbuild.documents import reading
from trtbuild.documents.recorded import Recorded

PATH = Path(__file__).with_name("recorded.json")
HINT = "where memory bandwidth limits, fp16 is the better engine; int8 pays where arithmetic does (docs/placement.md)"


@dataclass(frozen=True)
class Comparison:
    """Bytes that recorded engines of one version moved in one inference at their opt, by model: (fp16, int8)."""

    version: str
    models: Mapping[str, tuple[int, int]]

    @property
    def for_fp16(self) -> tuple[str, ...]:
        """Models whose fp16 engine moved fewer bytes."""
        return tuple(name for name, (fp16, int8) in self.models.items() if fp16 < int8)

    def __str__(self) -> str:
        """
        >>> str(Comparison("tensorrt-rtx 1.7", {"a": (43_700_000, 49_300_000)})).partition(": ")[2]
        'a 43.7 against 49.3 MB'
        """
        sizes = ", ".join(f"{n} {a / 1e6:.1f} against {b / 1e6:.1f} MB" for n, (a, b) in self.models.items())
        what = f"in {len(self.for_fp16)} of {len(self.models)} networks, fp16 engines moved fewer bytes than int8 ones"
        return f"{what} when {self.version} compiled them without a GPU: {sizes}"


def comparison(flavour: str, version: str) -> Comparison | None:
    """What is recorded of a TensorRT version (``1.7.1.116``; its patch does not count); None if nothing is.

    >>> comparison("tensorrt", "10.3.0") is None
    True
    """
    known, short = _recorded(), ".".join(version.split(".")[:2])
    models = known["bytes"].get(f"{flavour} {short}")
    if not models:
        return None
    pairs = {name: (sizes["fp16"], sizes["int8"]) for name, sizes in models.items()}
    return Comparison(f"{flavour} {short}", pairs)


@cache
def _recorded() -> Recorded:
    return reading.read(PATH, Recorded)
