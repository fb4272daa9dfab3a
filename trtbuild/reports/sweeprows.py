"""The variants of a large sweep as rows of data, which its page draws in parts: as markup they would be 15 MB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trtbuild.documents.sweep import SweepVariant

LARGE = 1000  # variants; a smaller sweep is readable without JavaScript
HEADS = ("variant", "state", "p50 (ms)", "faster than source", "share of limit", "worst check", "RMS error (%)",
         "score", "plan (MB)", "layers", "moved (MB)", "reason")  # fmt: skip
NUMBERS = (2, 3, 4, 6, 7, 8, 9, 10)


def rows(variants: Sequence[SweepVariant], words: Mapping[str, str]) -> dict[str, Any]:
    """``rows``: the cells under ``heads``, then the link to the variant's own report; None where there is nothing.

    Texts that many rows share are numbers of ``texts``, as are the columns in ``shared``.
    """
    texts: dict[str, int] = {}
    made = []
    for v in variants:
        link = v["links"].get("overview")
        cells: list[object] = _cells(v, words)
        for column in SHARED:
            text = cells[column]
            cells[column] = None if not text else texts.setdefault(str(text), len(texts))
        while cells and cells[-1] is None and link is None:
            cells.pop()
        made.append([*cells, *([link] if link is not None else [])])
    return {"heads": HEADS, "numbers": NUMBERS, "shared": SHARED, "texts": list(texts), "rows": made}


SHARED = (1, 5, 11)


def _cells(v: SweepVariant, words: Mapping[str, str]) -> list[object]:
    worst, error, compiled, engine = v["worst"], v["error"], v["compiled"], v["engine"]
    moved = None if compiled is None else compiled["moved_bytes"]
    return [
        v["id"], words[v["state"]],
        None if v["p50_ms"] is None else _short(v["p50_ms"]["value"]),
        None if v["speedup"] is None else _short(v["speedup"]["value"]),
        None if worst is None else _short(worst["share"]),
        None if worst is None else worst["name"],
        None if error is None else _short(100 * error["relative"]),
        _short(v["task"][0]["score"]) if v["task"] else None,
        None if engine is None else round(engine["bytes"] / 1e6, 3),
        None if compiled is None else compiled["layers"],
        None if moved is None else round(moved / 1e6, 3),
        v["reason"],
    ]  # fmt: skip


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
