"""One file for each calibration algorithm: watches activations batch by batch, then names a range for each tensor.

Memory does not grow with the number of samples: a quantizer keeps a number or a histogram for each tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypedDict, runtime_checkable

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array


class Options(TypedDict, total=False):
    """An algorithm's options: ``bins`` of its histograms, ``percentile`` in percent."""

    bins: int
    percentile: float


class Quantizer(Protocol):
    def observe(self, tensor: str, values: Array) -> None:
        """See one batch of a tensor (numpy float32, any shape).  Several threads may show it different tensors."""
        ...

    def ranges(self) -> dict[str, float]:
        """The largest magnitude that int8 has to represent, by tensor (symmetric: [-range, range])."""
        ...


@runtime_checkable
class Candidates(Protocol):
    """A quantizer that offers the ranges of several algorithms; what the whole graph makes of them decides."""

    def candidates(self) -> Mapping[str, Mapping[str, float]]:
        """Ranges by tensor, by the name of the algorithm; the first of them are :meth:`Quantizer.ranges`."""
        ...
