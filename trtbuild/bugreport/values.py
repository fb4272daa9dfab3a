"""Inputs and reference outputs in Polygraphy's own JSON, for its --load-inputs and --load-outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def can_be_written(arrays: Mapping[str, Any]) -> bool:
    """Texts and types that numpy has not (bfloat16) have no form there."""
    return bool(arrays) and all(value.dtype.kind in "fiubc" and value.dtype.isbuiltin == 1 for value in arrays.values())


def inputs_json(feeds: Mapping[str, Any]) -> bytes:
    """A list with one set of inputs."""
    from polygraphy.json import to_json

    return bytes(to_json([dict(feeds)]).encode()) + b"\n"


def golden_json(outputs: Mapping[str, Any], runner: str) -> bytes:
    """Results of one run; ``runner`` says by what."""
    from polygraphy.comparator import IterationResult, RunResults

    results = RunResults()
    results.append((runner, [IterationResult(outputs=dict(outputs), runner_name=runner)]))
    return bytes(results.to_json().encode()) + b"\n"
