"""Time of every node of a graph, run by run: ``{name: [ms, ...]}``, whichever profiler saw it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, TypedDict

from trtbuild.base.errors import ModelError
from trtbuild.documents.latency import NodeTime, ProfileNumbers

if TYPE_CHECKING:
    import onnx

FIRST_RUNS = 2  # dropped: they allocate memory and fault pages in
TOP_NODES = 25
COARSE_MS = 0.005  # profilers count whole microseconds: below five, a node's time is mostly rounding
_LABEL = "trtbuild_node_{}_"
_LABELLED = re.compile(r"trtbuild_node_(\d+)_")
_KERNEL = "_kernel_time"
# ONNX Runtime's integer kernels by the beginning of their names, and the float ones they stand in for.
_INTEGER = ("QLinearConv", "QLinearMatMul", "QGemm", "MatMulInteger", "ConvInteger", "DynamicQuantizeMatMul")
_FLOAT = ("Conv", "FusedConv", "ConvTranspose", "MatMul", "FusedMatMul", "Gemm", "FusedGemm")


class LayerRow(TypedDict, total=False):
    """One layer as ``trtexec --exportProfile`` writes it; the first row has only the ``count`` of runs."""

    count: int
    name: str
    timeMs: float
    averageMs: float
    medianMs: float
    percentage: float


class EngineLayers(TypedDict):
    """What an engine's inspector says: each layer has a ``Name``, and more depending on the version."""

    Layers: list[dict[str, object]]
    Bindings: list[object]


class TraceEvent(TypedDict, total=False):
    """An event of ONNX Runtime's trace (Chrome trace format); ``ts`` and ``dur`` in microseconds."""

    cat: str
    name: str
    ts: int
    dur: int
    args: dict[str, str]


@dataclass(frozen=True)
class Profile:
    """``times``: milliseconds by node name, one entry for each run, in execution order; ``op_types`` by node name.

    For an engine also ``rows``, its layers as trtexec writes them (equal names kept apart), and ``layers``, what its
    inspector says about them.
    """

    times: Mapping[str, Sequence[float]]
    op_types: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[LayerRow] = ()
    layers: Mapping[str, object] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        return max((len(times) for times in self.times.values()), default=0)


def label_nodes(model: onnx.ModelProto) -> list[str]:
    """Rename the nodes of a model to labels without special characters; returns the names they had.

    ONNX Runtime writes names unescaped into its trace, and ONNX allows any name, none, and duplicates.
    """
    from trtbuild.graphs.graph import all_nodes

    names = []
    for i, node in enumerate(all_nodes(model.graph)):
        names.append(node.name or f"{node.op_type} #{i}")
        node.name = _LABEL.format(i)
    return names


def from_onnxruntime(events: Iterable[TraceEvent], names: Sequence[str]) -> Profile:
    """Kernel times from ONNX Runtime's trace (Chrome trace format, microseconds) of a graph labelled as above.

    A ``model_run`` event spans one run; kernels are counted to the run they start in, those of a loop's body added
    up.  The first runs are dropped.  What the runtime inserts or fuses keeps its name around the label.
    """
    spans, kernels = _runs_and_kernels(events)
    spans = spans[FIRST_RUNS:]
    shown: dict[str, str] = {}  # label -> the name it is shown by
    taken: Counter[str] = Counter()
    times: dict[str, list[float]] = {}
    op_types: dict[str, str] = {}
    run = 0
    for event in kernels:
        while run < len(spans) and event["ts"] >= spans[run][1]:
            run += 1
        if run == len(spans):
            break
        if event["ts"] < spans[run][0]:
            continue  # of a dropped run
        label = event["name"].removesuffix(_KERNEL)
        if label not in shown:
            shown[label] = _unused(_LABELLED.sub(lambda m: names[int(m[1])], label), taken)
        name = shown[label]
        op_types.setdefault(name, str(event.get("args", {}).get("op_name", "")))
        times.setdefault(name, [0.0] * len(spans))[run] += event["dur"] / 1000
    return Profile({name: [round(ms, 3) for ms in values] for name, values in times.items()}, op_types)


def from_layer_runs(runs: Sequence[Sequence[tuple[str, float]]], layers: EngineLayers) -> Profile:
    """What TensorRT's profiler reported, run by run, each ``(layer, milliseconds)`` in the order of execution.

    ``rows`` are in the form of ``trtexec --exportProfile``; in ``times`` a layer whose name is taken is numbered.

    Raises:
        ModelError: the runs differ in their layers (a branch), so there is no time of a layer in every run.
    """
    names = [name for name, _ in runs[0]]
    if any([name for name, _ in run] != names for run in runs):
        raise ModelError("the engine's runs differ in their layers, so they have no profile in common", where="engine")
    columns = [[run[i][1] for run in runs] for i in range(len(names))]
    taken: Counter[str] = Counter()
    shown = [_unused(name or "(unnamed)", taken) for name in names]
    total = sum(map(sum, columns)) or 1.0
    rows: list[LayerRow] = [{"count": len(runs)}]
    for name, ms in zip(names, columns, strict=True):
        rows.append(
            {"name": name, "timeMs": round(sum(ms), 6), "averageMs": round(sum(ms) / len(ms), 6),
             "medianMs": round(median(ms), 6), "percentage": round(100 * sum(ms) / total, 4)}
        )  # fmt: skip
    kinds = {layer["Name"]: str(layer.get("LayerType", "")) for layer in layers["Layers"]}
    times = {label: [round(v, 6) for v in ms] for label, ms in zip(shown, columns, strict=True)}
    return Profile(times, {s: kinds.get(n, "") for s, n in zip(shown, names, strict=True)}, rows, layers)


ON_CPU = " (CPU)"


def kernel_counts(events: Iterable[TraceEvent], provider: str | None = None) -> dict[str, int]:
    """Kernels of the last run by op type: what the runtime made of the graph.

    Those that ran elsewhere than on ``provider`` are counted separately, marked ON_CPU.
    """
    spans, kernels = _runs_and_kernels(events)
    start = spans[-1][0] if spans else 0
    last = [event["args"] for event in kernels if event["ts"] >= start]
    marks = [ON_CPU if provider is not None and args.get("provider") != provider else "" for args in last]
    return dict(sorted(Counter(f"{args['op_name']}{mark}" for args, mark in zip(last, marks, strict=True)).items()))


def integer_share(kernels: Mapping[str, int]) -> tuple[int, int]:
    """Convolutions and matrix products that run in integer kernels, and how many there are altogether.

    >>> integer_share({"QLinearConv": 3, "FusedConv": 1, "Relu": 9})
    (3, 4)
    """
    integer = sum(n for kind, n in kernels.items() if kind.startswith(_INTEGER))
    return integer, integer + sum(n for kind, n in kernels.items() if kind in _FLOAT)


def _runs_and_kernels(events: Iterable[TraceEvent]) -> tuple[list[tuple[int, int]], list[TraceEvent]]:
    """(start, end) of every run and all kernel events, both in the order of time (microseconds)."""
    spans, kernels = [], []
    for event in events:
        if event.get("cat") == "Session" and event.get("name") == "model_run":
            spans.append((event["ts"], event["ts"] + event["dur"]))
        elif event.get("cat") == "Node" and str(event.get("name", "")).endswith(_KERNEL):
            kernels.append(event)
    return sorted(spans), sorted(kernels, key=lambda event: event["ts"])


def _unused(name: str, taken: Counter[str]) -> str:
    """The name; numbered from its second use on."""
    taken[name] += 1
    return name if taken[name] == 1 else _unused(f"{name} #{taken[name]}", taken)


def summarise(profile: Profile, latency_ms: float) -> ProfileNumbers:
    """Sum over the nodes, its ratio to the true median latency, the top nodes with their shares, time by op type.

    A node's time is its mean over the runs: means add up to the sum's mean, medians do not.
    """
    means = {name: sum(values) / len(values) for name, values in profile.times.items()}
    total = sum(means.values())
    by_type: defaultdict[str, float] = defaultdict(float)
    for name, ms in means.items():
        by_type[profile.op_types.get(name, "")] += ms
    top: list[NodeTime] = []
    cumulative = 0.0
    for name in sorted(means, key=lambda n: (-means[n], n))[:TOP_NODES]:
        cumulative += means[name]
        top.append({"name": name, "op_type": profile.op_types.get(name, ""), "ms": round(means[name], 6),
                    "share": _share(means[name], total), "cumulative": _share(cumulative, total)})  # fmt: skip
    return {
        "runs": profile.runs, "nodes": len(means), "sum_ms": round(total, 6), "latency_ms": latency_ms,
        "ratio": _share(total, latency_ms),
        "coarse": sum(ms < COARSE_MS for ms in means.values()),
        "top": top,
        "op_types": [{"op_type": kind, "ms": round(ms, 6), "share": _share(ms, total),
                      "nodes": sum(profile.op_types.get(n, "") == kind for n in means)}
                     for kind, ms in sorted(by_type.items(), key=lambda item: (-item[1], item[0]))],
    }  # fmt: skip


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None
