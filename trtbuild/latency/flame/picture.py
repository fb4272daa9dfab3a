"""A tree of frames to boxes of a picture: where, how wide, in which colour, with which words."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from trtbuild.latency.flame.attribute import MYELIN, REFORMAT, TENSORRT
from trtbuild.latency.flame.diff import ABSOLUTE_BAND_NS, RELATIVE_BAND, Change, Difference, key
from trtbuild.latency.flame.formats import clean
from trtbuild.latency.flame.tree import TIMER_NS, Frame, Path, facts, share_text, time_text, tree
from trtbuild.latency.flame.values import Graph, Scope

WIDTH_PX, LEAST_PX, TEXT_PX = 1200, 0.1, 14.0  # a frame narrower than LEAST_PX is merged, than TEXT_PX unlabelled
HUES, STEPS = 24, 5
ROW_PX, LINE_PX = 18, 16
MANY, LONG, SHORT = 1500, 240, 48  # above MANY frames, a tooltip's list of members is cut at SHORT characters
KIND_CLASS = {REFORMAT: "kr", MYELIN: "km", TENSORRT: "kt"}
SIGNS = {"appeared": "+ new ", "vanished": "− gone ", "grown": "▲ ", "shrunk": "▼ ", "within noise": "≈ "}


@dataclass(frozen=True)
class Look:
    """How one frame is drawn: colour class, label, tooltip (lines)."""

    colour: str
    label: str
    tip: str


@dataclass(frozen=True)
class Box:
    """``x`` and ``width`` in percent of the picture's width, ``y`` in pixels."""

    x: str
    y: int
    width: str
    colour: str
    label: str
    tip: str
    labelled: bool


Legend = Sequence[tuple[str, str]]  # CSS class and words


class Picture(TypedDict):
    """What flamegraph.svg.j2 needs; lengths in pixels."""

    id: str
    title: str
    lines: list[str]
    boxes: list[Box]
    top: int
    bottom: int
    height: int
    legend: Legend
    hues: int
    steps: int
    estimate: bool


def picture(graph: Graph, title: str, name: str = "flame") -> Picture:
    """What the template needs for a flame graph; ``name`` makes identifiers unique in a page."""
    root = tree(graph.pieces)
    limit = SHORT if count(root) > MANY else LONG
    lines = facts(graph).lines
    drawn = boxes(root, lambda frame: _look(frame, graph, limit))
    return _data(drawn, title, lines, name, (), estimate=graph.profile.form == "estimate")


def difference_picture(change: Difference, title: str, *, old: bool, name: str) -> Picture:
    """The same frames coloured by change; ``old`` draws the old widths, where what vanished can be seen."""
    ours, other = (change.old, change.new) if old else (change.new, change.old)
    root, beside = tree(ours.pieces, key), _times(tree(other.pieces, key))
    whole = change.old.total_ns
    clip = max((abs(c.delta_ns) for c in change.changes), default=0) / whole
    verdicts = {c.scope: c for c in change.changes}
    drawn = boxes(root, lambda frame: _changed(frame, beside, verdicts, whole, clip, old))
    lines = (
        f"width: {'old' if old else 'new'} profiled layer time, mode {change.new.mode}",
        f"old {time_text(change.old.total_ns)}, new {time_text(change.new.total_ns)}, {_signed(change.delta_ns)}",
        f"colour: share of the old total, full at ±{100 * clip:.2g} %",
        f"≈ {change.band}",
        f"old: {clean(change.old.profile.source.rpartition('/')[2])[:44]}",
    )
    legend = [(f"b{STEPS}", "▼ less time"), ("g", "≈ within noise"), (f"o{STEPS}", "▲ more time")]
    return _data(drawn, title, lines, name, legend)


def _data(
    drawn: list[Box], title: str, lines: tuple[str, ...], name: str, legend: Legend, *, estimate: bool = False
) -> Picture:
    top = 30 + LINE_PX * len(lines) + (22 if legend else 0) + 34
    bottom = top + max(box.y for box in drawn) + ROW_PX
    return {
        "id": name, "title": clean(title), "lines": [clean(line) for line in lines], "boxes": drawn, "top": top,
        "bottom": bottom, "height": bottom + 7 * LINE_PX + 8, "legend": legend,
        "hues": HUES, "steps": STEPS, "estimate": estimate,
    }  # fmt: skip


def count(root: Frame) -> int:
    waiting, found = [root], 0
    while waiting:
        frame = waiting.pop()
        found += 1
        waiting.extend(frame.children.values())
    return found


def boxes(root: Frame, look: Callable[[Frame], Look]) -> list[Box]:
    """Depth first; neighbours too narrow to see become one box at the end of their parent's row."""
    total = root.time_ns
    least_ns = total * LEAST_PX / WIDTH_PX
    drawn: list[Box] = []
    waiting: list[tuple[Frame | int, int, int, int]] = [(root, 0, 0, total)]
    while waiting:
        frame, start, depth, width = waiting.pop()
        seen = look(frame) if isinstance(frame, Frame) else _small(frame, width, total)
        labelled = width * WIDTH_PX >= TEXT_PX * total
        drawn.append(
            Box(
                _percent(start, total),
                depth * ROW_PX,
                _percent(width, total),
                seen.colour,
                clean(seen.label),
                seen.tip,
                labelled,
            )
        )
        if not isinstance(frame, Frame):
            continue
        here, below = start, []
        wide = [child for child in frame.children.values() if child.time_ns >= least_ns]
        for child in wide:
            below.append((child, here, depth + 1, child.time_ns))
            here += child.time_ns
        rest = [child for child in frame.children.values() if child.time_ns < least_ns]
        if rest:
            below.append((sum(c.layers for c in rest), here, depth + 1, sum(c.time_ns for c in rest)))  # type: ignore[arg-type]
        waiting.extend(reversed(below))
    return drawn


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.4f}".rstrip("0").rstrip(".")


def _small(layers: int, time_ns: int, total: int) -> Look:
    words = f"({layers} small layers)"
    return Look("kt", words, f"{words}\n{time_text(time_ns)} · {share_text(time_ns, total)}")


def colour(scope: Path) -> str:
    """The same scope has the same colour in every picture."""
    return f"c{zlib.crc32('/'.join(scope).encode('utf-8', 'replace')) % HUES}"


def _look(frame: Frame, graph: Graph, limit: int) -> Look:
    label = frame.path[-1] if frame.path else "all"
    layers = f"{frame.layers} layers" if frame.layers > 1 else "1 layer"
    numbers = [time_text(frame.time_ns), share_text(frame.time_ns, graph.total_ns), layers]
    lines = [label, " · ".join(numbers)]
    if frame.rows and not frame.children:
        rows = [graph.profile.rows[i] for i in frame.rows]
        median = rows[0].median_ns
        if len(rows) == 1 and median is not None and graph.profile.iterations != 1:
            lines[1] += f" · median {time_text(median)}"
        if graph.profile.form in ("trtexec", "samples") and max(row.time_ns for row in rows) < TIMER_NS:
            lines[1] += " · below timer resolution"
        lines.append(
            _cut("; ".join(" + ".join(graph.members[i]) or graph.profile.rows[i].name for i in frame.rows[:20]), limit)
        )
    kind = KIND_CLASS.get(label) or (KIND_CLASS.get(frame.path[0]) if frame.path else "kt")
    tone = kind or colour(frame.path if frame.children else frame.path[:-1] or frame.path)
    return Look(tone, label, clean_lines(lines))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def clean_lines(lines: list[str]) -> str:
    return "\n".join(clean(line) for line in lines)


def _times(root: Frame) -> dict[Path, int]:
    found: dict[Path, int] = {}
    waiting = [root]
    while waiting:
        frame = waiting.pop()
        found[frame.path] = frame.time_ns
        waiting.extend(frame.children.values())
    return found


def _changed(
    frame: Frame, beside: dict[Path, int], verdicts: dict[Scope, Change], whole: int, clip: float, old: bool
) -> Look:
    ours, other = frame.time_ns, beside.get(frame.path, 0)
    old_ns, new_ns = (ours, other) if old else (other, ours)
    delta = new_ns - old_ns
    change = verdicts.get(frame.path)
    verdict = change.verdict if change and not frame.children else _verdict(old_ns, new_ns)
    step = 0 if verdict == "within noise" or not clip else max(1, min(STEPS, round(STEPS * abs(delta) / whole / clip)))
    label = SIGNS[verdict] + (frame.path[-1] if frame.path else "all")
    relative = f" ({100 * delta / old_ns:+.1f} %)" if old_ns else ""
    words = f"new {time_text(new_ns)}, old {time_text(old_ns)}, {_signed(delta)}{relative}"
    tone = "g" if step == 0 else f"{'o' if delta > 0 else 'b'}{step}"
    return Look(tone, label, clean_lines([label, words, verdict]))


def _signed(ns: int) -> str:
    return ("+" if ns > 0 else "") + time_text(ns)


def _verdict(old_ns: int, new_ns: int) -> str:
    """Of a frame that holds several scopes: by the band alone."""
    if old_ns == 0 or new_ns == 0:
        return "vanished" if old_ns else "appeared"
    if abs(new_ns - old_ns) <= max(RELATIVE_BAND * max(old_ns, new_ns), ABSOLUTE_BAND_NS):
        return "within noise"
    return "grown" if new_ns > old_ns else "shrunk"
