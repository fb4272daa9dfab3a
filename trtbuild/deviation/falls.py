"""How surprising a fall is: exact and saddlepoint tails of a sum whose terms have random signs, and how many to test.

Under the hypothesis that neither side is better, exchanging the two sides of a sample changes nothing: each sample's
contribution to the difference keeps its size and has either sign.  The tail of the sum of such contributions says how
often chance alone makes a fall like the observed one.

* One size of contributions (right or wrong answers): McNemar's exact test (McNemar, Psychometrika 12, 1947).
* Several sizes: the saddlepoint approximation of the randomisation distribution (Davison and Hinkley, "Saddlepoint
  approximations in resampling methods", Biometrika 75, 1988; the formula is Lugannani and Rice's).
* Many groups: Tarone, "A modified Bonferroni method for discrete data", Biometrics 46, 1990.  A group in which few
  samples changed cannot be found at any level, and does not count among the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trtbuild.arrays.arrayfile import Array

LEVEL = (
    0.002  # of naming any class, or any slice, falsely: one comparison in 500.  Measured: python -m benchmarks perclass
)
ALIKE = 1e-9  # relative differences of contributions that are rounding


def tail(contributions: Array) -> tuple[float, float]:
    """How probable a sum as low as this one is with random signs, and the least such probability that there can be.

    ``contributions``: of samples that changed, none 0.
    """
    sizes = np.abs(contributions)
    count = len(sizes)
    least = 2.0**-count
    if not count:
        return 1.0, 1.0
    if sizes.max() - sizes.min() <= ALIKE * sizes.max():
        return _binomial_tail(int((contributions < 0).sum()), count), least
    total, largest = float(contributions.sum()), float(sizes.sum())
    low = _saddlepoint(sizes / sizes.max(), abs(total) / sizes.max(), largest / sizes.max(), least)
    return (low if total <= 0 else 1 - low), least


def _binomial_tail(falls: int, count: int) -> float:
    """P(at least ``falls`` of ``count`` fair coins)."""
    if count > 1000:  # normal, with the continuity correction: within 1e-4 of the exact tail
        return 0.5 * math.erfc((falls - 0.5 - count / 2) / math.sqrt(count / 2))
    return float(sum(math.comb(count, k) for k in range(falls, count + 1)) / 2**count)


def _saddlepoint(sizes: Array, total: float, largest: float, least: float) -> float:
    """P(sum of ``sizes`` with random signs >= ``total``) for a total from 0 on; at most 0.5, at least ``least``."""
    if total >= largest * (1 - ALIKE):
        return least
    low, high = 0.0, 1.0
    while (sizes * np.tanh(high * sizes)).sum() < total and high < 1e6:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (sizes * np.tanh(middle * sizes)).sum() < total else (low, middle)
    at = (low + high) / 2
    grown = at * sizes
    generating = float((grown + np.log1p(np.exp(-2 * grown)) - math.log(2)).sum())  # log cosh, without overflow
    w2 = 2 * (at * total - generating)
    v = at * math.sqrt(float((sizes / np.cosh(np.minimum(grown, 300)) ** 2 * sizes).sum()))
    if w2 < 1e-6 or v < 1e-6:  # the middle, where the formula is 0 / 0
        return 0.5
    w = math.sqrt(w2)
    density = math.exp(-w2 / 2) / math.sqrt(2 * math.pi)
    found = 0.5 * math.erfc(w / math.sqrt(2)) + density * (1 / v - 1 / w)
    return float(min(0.5, max(found, least)))


def corrected_for(least: Sequence[float], level: float = LEVEL) -> int:
    """How many groups to correct for, by the least probability that each could reach (Tarone's method); at least 1.

    >>> corrected_for([0.5, 2**-10, 2**-3]), corrected_for([1e-9, 1e-9, 0.5])
    (1, 2)
    """
    for count in range(1, len(least) + 1):
        if sum(one <= level / count for one in least) <= count:
            return count
    return 1
