"""A binary search over ordered versions for where an observed value changed, with as few observations as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Observe = Callable[[Sequence[str]], Mapping[str, str | None]]


@dataclass(frozen=True)
class BisectionResult:
    """What the search saw: values by version, in order, None for a version that could not be observed.

    ``before`` and ``after``: the two versions around the first change that was seen, or None.  ``between``: versions in
    that gap that could not be observed; one of them may be the first.
    """

    versions: tuple[str, ...]
    values: Mapping[str, str | None]
    before: str | None = None
    after: str | None = None

    @property
    def between(self) -> tuple[str, ...]:
        if self.before is None or self.after is None:
            return ()
        return self.versions[self.versions.index(self.before) + 1 : self.versions.index(self.after)]

    @property
    def unseen(self) -> tuple[str, ...]:
        """Versions that were not looked at."""
        return tuple(version for version in self.versions if version not in self.values)

    @property
    def changes(self) -> tuple[tuple[str, str], ...]:
        """Every pair of neighbours among the observed versions whose values differ."""
        return _changes(self.versions, self.values)


def bisect(versions: Sequence[str], observe: Observe, known: Mapping[str, str | None] | None = None) -> BisectionResult:
    """Binary search for the first change of a value from the first version to the last.

    Both ends are observed first, in one call, then one version at a time.  ``known`` values cost nothing and narrow the
    search, which goes on in the first gap between versions that differ.  A single change is located exactly; of
    several, the first that was seen is returned.

    Raises:
        ValueError: fewer than two versions, or one twice.
    """
    order = tuple(versions)
    if len(order) < 2 or len(set(order)) < len(order):
        raise ValueError("expects two or more versions, each once")
    seen = {version: value for version, value in (known or {}).items() if version in order}
    if ends := [version for version in (order[0], order[-1]) if version not in seen]:
        seen |= observe(ends)
    while True:
        values = {version: seen[version] for version in order if version in seen}
        gaps = _changes(order, values)
        if not gaps or values[order[0]] is None or values[order[-1]] is None:
            return BisectionResult(order, values)
        before, after = gaps[0]
        candidates = [v for v in order[order.index(before) + 1 : order.index(after)] if v not in seen]
        if not candidates:
            return BisectionResult(order, values, before, after)
        middle = candidates[(len(candidates) - 1) // 2]
        seen |= observe([middle])


def _changes(versions: Sequence[str], values: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    observed = [version for version in versions if values.get(version) is not None]
    return tuple((a, b) for a, b in pairwise(observed) if values[a] != values[b])
