"""The cheapest point of a front that meets the budget when it is really measured, in few measurements.

Predicted errors only order the points.  Bisection assumes that this order is also that of the measured drop; where it
is not, a cheaper point may be missed, but what is returned was measured and meets the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def cheapest_within(points: Sequence[T], meets: Callable[[T], bool]) -> T | None:
    """The first point for which ``meets`` holds, provided that it then holds for every later one; none is asked twice.

    Args:
        points: the cheapest, and so the least accurate, first; the last one is the base.

    Returns:
        A point that was measured and meets the budget; None if not even the last one does.

    >>> asked = []
    >>> cheapest_within(range(32), lambda point: not asked.append(point) and point >= 11), len(asked)
    (11, 7)
    """
    if not points or not meets(points[-1]):
        return None
    if len(points) == 1 or meets(points[0]):
        return points[0]
    low, high = 0, len(points) - 1  # the point at ``high`` meets the budget, the one at ``low`` does not
    while high - low > 1:
        middle = (low + high) // 2
        if meets(points[middle]):
            high = middle
        else:
            low = middle
    return points[high]
