"""Tests of how two compiled engines are told apart in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.engines import engine, float_engine, int8_engine, layer
from tests.support.sweeps import report
from trtbuild.documents.enginecomparison import EngineComparison
from trtbuild.engine.comparison import compare_engines
from trtbuild.pipeline.comparison import write_page
from trtbuild.reports.compare import compare
from trtbuild.reports.compareengine import engine_changes, grew, scope_rows, total_rows
from trtbuild.reports.comparetable import table

ROOT = Path(__file__).parents[2]


def compared(new: Any, old: Any) -> EngineComparison:
    return compare_engines(new, old)


def test_what_matters_is_said_first() -> None:
    """Bytes, layers, fusions by scope, types, memory."""
    memory = {"activation": 8_000_000, "weights": 1_000_000}
    assert engine_changes(compared(int8_engine(memory=memory), float_engine())) == [
        "bytes moved 12.000 kB → 20.000 kB (1.67 times)",
        "engine layers 3 → 4 (net/a 1 → 2, net/b 1 → 2, net 1 → 0)",
        "2 fusions vanished (1 in net/a, 1 in net/b)",
        "1 fusion appeared in scope net/b",
        "types of 2 convolutions and products: float16 > float16 → int8 > float32, and of 3 other operations",
        "activation memory 4.000 MB → 8.000 MB (2 times)",
    ]


def test_many_scopes_are_counted() -> None:
    """Instead of a line that nobody reads."""
    names = [f"s{i}" for i in range(9)]
    old = engine(*(layer(f"{name}/conv", f"{name}/relu") for name in names))
    new = engine(*(one for n in names for one in (layer(f"{n}/conv"), layer(f"{n}/relu", kind="pointwise"))))

    assert "9 fusions vanished in 9 scopes" in engine_changes(compared(new, old))


def test_engines_that_do_the_same_have_no_phrase() -> None:
    """Nor have those that cannot be compared."""
    for new in (float_engine(), None):
        assert engine_changes(compared(new, float_engine())) == []
    assert total_rows(compared(None, None)) == list(scope_rows(compared(None, None))) == []


def test_more_bytes_are_more_by_more_than_a_twentieth() -> None:
    """What is not stated has not grown."""
    rows = float_engine()["rows"]
    slightly = float_engine(rows=[{**row, "bytes": row["bytes"] + 10} for row in rows])

    assert grew(compared(int8_engine(), float_engine()))
    assert not grew(compared(slightly, float_engine())) and not grew(compared(None, float_engine()))


def test_the_table_has_scopes_and_totals() -> None:
    """The scopes that differ most, and how many others; each change on a line of its own where there are many."""
    sides = [{**report(), "compiled": made} for made in (int8_engine(), float_engine())]
    comparison = compare(*sides)  # type: ignore[arg-type]
    lines = table(comparison, 1)

    assert lines[0].endswith(":") and lines[1] == "  bytes moved 12.000 kB → 20.000 kB (1.67 times)"
    (shown,) = [line.split(maxsplit=2) for line in lines if line.startswith("in net")]
    assert shown[1] == "net/a" and shown[2].endswith("2.5 times; fusions -1; types 2")
    assert any(line.startswith("in 2 other scopes (--all)") for line in lines)
    assert not any("other scopes" in line for line in table(comparison, None))


def test_the_page_says_what_matters_and_folds_the_rest(tmp_path: Path) -> None:
    """Names from the model are text, and several comparisons share a page."""
    apart = engine(layer("<script>/conv"), layer("<script>/relu", kind="pointwise"))
    fused = engine(layer("<script>/conv", "<script>/relu", bytes=None))
    sides = [({**report(), "compiled": int8_engine()}, {**report(), "compiled": float_engine()}),
             ({**report(), "compiled": apart}, {**report(), "compiled": fused}),
             (report(), report())]  # fmt: skip
    comparisons = [compare(new, old) for new, old in sides]  # type: ignore[arg-type]
    write_page(comparisons, tmp_path / "diff.html", ROOT)
    text = (tmp_path / "diff.html").read_text("utf-8")

    assert text.index("bytes moved 12.000 kB → 20.000 kB") < text.index("3 scopes that differ; 0 do not</summary>")
    assert "The engines were not compared: the new engine&#39;s layers are not recorded" in text
    assert "<script>/relu" not in text and "&lt;script&gt;/relu" in text
    assert "<details open" not in text and '<script src="plotly' not in text


def test_an_older_report_says_that_it_has_no_layers() -> None:
    """And its other numbers are compared as before."""
    comparison = compare({**report(), "compiled": float_engine()}, report())  # type: ignore[arg-type]

    assert "engines: the old engine's layers are not recorded" in table(comparison)
    assert comparison["summary"].startswith("segnet: nothing that counts changed")
