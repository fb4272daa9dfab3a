"""Errors of tensors as both graphs run: each graph against the reference, and the lowered against the exported one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from trtbuild.documents.layers import TensorError
from trtbuild.layers import layererror
from trtbuild.layers.inspectedgraph import InspectedGraph
from trtbuild.layers.referencevalues import Fit, ReferenceValues
from trtbuild.layers.tappedruns import TappedRuns


@dataclass(frozen=True)
class TensorComparison:
    """``errors`` by hop; ``same``: the exported tensor holds the reference's values, up to rounding."""

    errors: dict[str, TensorError]
    same: bool
    fit: Fit


def compare(
    names: Sequence[str], exported: InspectedGraph, lowered: InspectedGraph, reference: ReferenceValues,
    runs: TappedRuns, pool: Executor,
) -> dict[str, TensorComparison]:  # fmt: skip
    """Every tensor of ``names`` that fits its reference."""
    comparisons: dict[str, TensorComparison] = {}
    for group in runs.groups({name: reference.bytes_of([name]) for name in names}, copies=2):
        comparisons |= _compare_group(group, exported, lowered, reference, runs, pool)
    return comparisons


def _compare_group(
    group: Sequence[str], exported: InspectedGraph, lowered: InspectedGraph, reference: ReferenceValues,
    runs: TappedRuns, pool: Executor,
) -> dict[str, TensorComparison]:  # fmt: skip
    high, low = runs.run(exported, group), runs.run(lowered, group)

    def compared(name: str) -> TensorComparison | None:
        value, lowered_value = high.pop(name, None), low.pop(name, None)  # freed as soon as they are compared
        if value is None or (fit := reference.fit(name, value)) is None:
            return None
        want = reference.values(name, fit)
        errors: dict[str, TensorError] = {}
        same = True
        if reference.from_tensorflow:
            errors["export"] = layererror.errors(want, value)
            same = layererror.same_values(errors["export"], want)
        if lowered_value is not None and lowered_value.shape == want.shape:
            if reference.from_tensorflow:
                errors["precision"] = layererror.errors(value, lowered_value)
            errors["total"] = layererror.errors(want, lowered_value)
        return TensorComparison(errors, same, fit)

    done = zip(group, pool.map(compared, group), strict=True)
    return {name: made for name, made in done if made is not None}


def proved_fits(
    names: Sequence[str], exported: InspectedGraph, reference: ReferenceValues, runs: TappedRuns
) -> dict[str, Fit]:
    """The fits of the tensors in ``names`` whose values in the exported graph equal the reference's."""
    fits = {}
    for group in runs.groups({name: reference.bytes_of([name]) for name in names}, copies=2):
        for name, value in runs.run(exported, group).items():
            fit = reference.fit(name, value)
            if fit is None:
                continue
            want = reference.values(name, fit)
            if not reference.from_tensorflow or layererror.same_values(layererror.errors(want, value), want):
                fits[name] = fit
    return fits
