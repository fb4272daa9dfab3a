"""The page of a search for mixed precisions: the front, the sensitivity of every group, and what was chosen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from trtbuild.documents.auto import AutoDocument, GroupChoices, PointEntry
from trtbuild.documents.estimate import Bounded
from trtbuild.reports.render import render

WIDTH, HEIGHT, LEFT, BOTTOM, RIGHT, TOP = 720, 340, 70, 46, 16, 14
_TICKS = (1, 2, 5)


class Dot(TypedDict):
    """A compiled assignment in the picture; ``number``: its row of the table."""

    number: int
    x: float
    y: float
    kind: str
    title: str


class Tick(TypedDict):
    at: float
    text: str


def render_page(document: AutoDocument, templates: Mapping[str, Path]) -> str:
    """``auto.html``; equal documents give equal bytes."""
    data = {"page": document, "title": f"{document['model']}: precision=auto", "charts": [], **picture(document)}
    data |= {"groups": sorted(document["groups"], key=lambda group: -_largest(group)), "bound": binding(document)}
    return render(templates, "auto.html.j2", data)


def binding(document: AutoDocument) -> dict[str, Any]:
    """What binds the layers of each group, before and after, and of all groups that are not in the base.

    Empty without an estimate.
    """
    groups, base = document["groups"], document["base"]
    if not any(group["base_limits"] for group in groups):
        return {}
    changed = [group for group in groups if group["chosen"] != base]
    before, after = (_sum([g[key] for g in changed]) for key in ("base_limits", "limits"))
    who = "The group that is" if len(changed) == 1 else f"The {len(changed)} groups that are"
    return {
        "chosen": bool(changed),
        "says": f"{who} not in {base}: {_limits(before)} in {base}, {_limits(after)} as chosen.",
        "by_group": {
            g["name"]: _limits(g["base_limits"]) + (f" → {_limits(g['limits'])}" if g in changed else "")
            for g in groups
        },
    }  # fmt: skip


def _sum(parts: Sequence[Mapping[Bounded, float]]) -> dict[Bounded, float]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: sum(part.get(name, 0.0) for part in parts) for name in names}


def _limits(us: Mapping[Bounded, float]) -> str:
    """
    >>> _limits({"memory": 8.04, "arithmetic": 120.0})
    'arithmetic 120 µs, memory 8.04 µs'
    """
    ordered = sorted(us.items(), key=lambda one: -one[1])
    return ", ".join(f"{name} {float(f'{value:.3g}'):g} µs" for name, value in ordered) or "–"


def picture(document: AutoDocument) -> dict[str, Any]:
    """Positions of all points, the predicted front and the axes, in pixels; zero errors stand on a floor line."""
    points = document["points"]
    base = next((p["cost"] for p in points if p["relative_cost"] == 1.0), 1.0) or 1.0
    errors = [p["predicted_error"] for p in points] + [p["error"] for p in document["front"]]
    positive = [error for error in errors if error > 0]
    low, high = (min(positive), max(positive)) if positive else (1e-6, 1.0)
    exponents = math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + (low == high)
    costs = [p["relative_cost"] for p in points] + [p["cost"] / base for p in document["front"]]
    left, right = min(costs, default=1.0), max(costs, default=1.0)
    pad = max((right - left) * 0.06, 0.01)

    def x(cost: float) -> float:
        return round(LEFT + (cost - left + pad) / (right - left + 2 * pad) * (WIDTH - LEFT - RIGHT), 1)

    def y(error: float) -> float:
        log = math.log10(error) if error > 0 else exponents[0]
        share = (log - exponents[0]) / max(exponents[1] - exponents[0], 1)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)

    front = sorted((x(p["cost"] / base), y(p["error"])) for p in document["front"])
    dots: list[Dot] = [
        {
            "number": i + 1,
            "x": x(p["relative_cost"]),
            "y": y(p["predicted_error"]),
            "kind": _kind(p),
            "title": _title(p),
        }
        for i, p in enumerate(points)
    ]
    y_ticks: list[Tick] = [{"at": y(0.0), "text": "0"}]
    step = max(1, (exponents[1] - exponents[0]) // 6)
    y_ticks += [{"at": y(10.0**e), "text": f"1e{e}"} for e in range(exponents[0] + 1, exponents[1] + 1, step)]
    return {
        "dots": dots, "front": " ".join(f"{a},{b}" for a, b in front), "y_ticks": y_ticks,
        "x_ticks": [{"at": x(value), "text": f"{value:.3g}"} for value in _round_values(left - pad, right + pad)],
        "frame": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "bottom": HEIGHT - BOTTOM, "right": WIDTH - RIGHT,
                  "top": TOP, "floor": y(0.0)},
    }  # fmt: skip


def _kind(point: PointEntry) -> str:
    if point["chosen"]:
        return "chosen"
    return {True: "meets", False: "exceeds", None: "unmeasured"}[point["meets"]]


def _title(point: PointEntry) -> str:
    return (
        f"{point['variant']}: {point['relative_cost']:.3g} of the base, predicted error {point['predicted_error']:.3g}"
    )


def _round_values(low: float, high: float, most: int = 7) -> Sequence[float]:
    span = high - low
    size = 10.0 ** math.floor(math.log10(span / most))
    step = next((size * m for m in (*_TICKS, 10) if span / (size * m) <= most), size * 10)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def _largest(group: GroupChoices) -> float:
    return max((choice["error"] for choice in group["choices"]), default=0.0)
