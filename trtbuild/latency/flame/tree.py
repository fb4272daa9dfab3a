"""Pieces to a tree of frames, and what has to be said beside the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from trtbuild.latency.flame.attribute import MYELIN, REFORMAT
from trtbuild.latency.flame.values import Graph, Kind, Piece

TIMER_NS = 5000  # medians on RTX 3060 and 3090 are multiples of 1.024 us: a quarter of a 4 us layer is one step
Path = tuple[str, ...]


@dataclass
class Frame:
    """A scope, or an operation at its end; times in nanoseconds, ``rows`` those that end here."""

    path: Path
    time_ns: int = 0
    own_ns: int = 0
    layers: int = 0
    last_row: int = -1
    kind: Kind = "layer"
    rows: list[int] = field(default_factory=list)
    children: dict[str, Frame] = field(default_factory=dict)


def stack(piece: Piece) -> Path:
    """The frames of a piece, outermost first."""
    return (*piece.scope, piece.label)


def tree(pieces: Sequence[Piece], path_of: Callable[[Piece], Path] = stack) -> Frame:
    """The root; children in order of first execution."""
    root = Frame(())
    for piece in pieces:
        frame, path = root, path_of(piece)
        _spend(frame, piece)
        for k, part in enumerate(path):
            child = frame.children.get(part)
            if child is None:
                child = frame.children[part] = Frame(path[: k + 1])
                if part in (REFORMAT, MYELIN) or k == len(path) - 1:
                    child.kind = piece.kind
            frame = child
            _spend(frame, piece)
        frame.own_ns += piece.time_ns
        frame.rows.append(piece.row)
    return root


def _spend(frame: Frame, piece: Piece) -> None:
    frame.time_ns += piece.time_ns
    frame.layers += piece.row != frame.last_row  # parts of one layer come one after the other
    frame.last_row = piece.row


@dataclass(frozen=True)
class Facts:
    """Numbers that qualify a picture."""

    ratio: float | None
    tiny_layers: int
    tiny_ns: int
    lines: tuple[str, ...]


def time_text(ns: int | float) -> str:
    """
    >>> time_text(12_399_744), time_text(75_040), time_text(850)
    ('12.400 ms', '75.0 µs', '0.85 µs')
    """
    if abs(ns) >= 1e6:
        return f"{ns / 1e6:.3f} ms"
    return f"{ns / 1e3:.1f} µs" if abs(ns) >= 1e4 else f"{ns / 1e3:.2f} µs"


def share_text(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def facts(graph: Graph) -> Facts:
    """What the picture must say, lines of at most some 50 characters, which fit a phone."""
    total = graph.total_ns
    if graph.profile.form == "estimate":
        return Facts(None, 0, 0, (
            f"ESTIMATE: lower bound {time_text(total)}, not measured", f"for {graph.latency_source}",
            f"{len(graph.profile.rows)} layers, {graph.zero_rows} that cost nothing hidden",
            f"unattributed {share_text(graph.unattributed_ns, total)}",
        ))  # fmt: skip
    timer = graph.profile.form != "onnxruntime"
    tiny = [row.time_ns for row in graph.profile.rows if 0 < row.time_ns < TIMER_NS] if timer else []
    ratio = total / 1e6 / graph.latency_ms if graph.latency_ms else None
    count = graph.profile.iterations
    runs = "iterations unknown" if count is None else f"mean of {count} iterations"
    from_ = f" ({graph.latency_source})" if graph.latency_source else ""
    lines = [f"profiled layer time {time_text(total)}", "one sample, no statistics" if count == 1 else runs]
    if ratio is not None and graph.latency_ms is not None:
        lines.append(f"latency {graph.latency_ms:.4g} ms{from_}")
        why = "profiling costs" if ratio >= 1 else "the rest is between layers"
        lines.append(f"profiled / latency {ratio:.3f} ({why})")
    else:
        lines.append("latency not given; this sum is not the latency")
    apart = "" if graph.reformats == "inside" else ", reformats apart"
    lines.append(f"mode {graph.mode}{apart}; multi-scope layers {share_text(graph.multi_scope_ns, total)}")
    lines.append(
        f"reformat {share_text(graph.reformat_ns, total)}, unattributed {share_text(graph.unattributed_ns, total)}"
    )
    lines.append(f"{len(graph.profile.rows)} layers, {graph.zero_rows} without time hidden")
    if tiny:
        lines.append(f"{len(tiny)} under {TIMER_NS / 1e3:g} µs: below timer resolution")
    if graph.parallel_ns:
        lines.append(f"{share_text(graph.parallel_ns, total)} on parallel streams: sum exceeds time")
    return Facts(ratio, len(tiny), sum(tiny), tuple(lines))
