"""A sample of ``python -m benchmarks engines``: logs read by the package, and counted by a scan of their text."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.engines import MEMORY, bytes_of, kinds_of, memory_of, section
from trtbuild.engine import read_engine
from trtbuild.engine.inspection import inspect

LOGS = Path(__file__).parents[1] / "data" / "engine_logs"


@pytest.mark.parametrize("name", sorted(path.stem for path in LOGS.glob("*.log")))
def test_two_ways_of_counting_an_engine_agree(name: str) -> None:
    """Every line is a layer; bytes, layers by kind and memory are those of the text."""
    text = (LOGS / f"{name}.log").read_text("utf-8")
    seen = inspect(read_engine(LOGS / f"{name}.log"))
    lines = section(text)

    assert len(lines) == len(seen.rows) > 0
    assert {kind: total.layers for kind, total in seen.by_kind().items()} == kinds_of(lines)
    assert {key: getattr(seen.engine.memory, key) for key in MEMORY} == memory_of(text)
    if not seen.total.unknown:
        assert seen.total.bytes == bytes_of(lines, seen.engine.optimum or 1)
