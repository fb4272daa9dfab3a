"""deviation: what the deviation page shows for every set of inputs and every output, all from report.json.

Figures hold no text that a model or a user chose: Plotly reads some of it as markup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from trtbuild.core.spec.data import VALIDATION
from trtbuild.deviation.blame import TOTAL, guilty_hop, guilty_of_model
from trtbuild.documents.deviation import (
    Detail,
    Details,
    Deviation,
    Histograms,
    SampleErrors,
    SetDetails,
    SetDeviation,
    SetHistograms,
    Statistics,
    metric,
)
from trtbuild.documents.report import MeasuredDeviation, MeasuredOutputs, Output, Report, ReportedSet
from trtbuild.reports import errorplaces
from trtbuild.reports.errorhistograms import LINES, above, histogram
from trtbuild.reports.figure import Chart, Figure, Table, index_text

TITLES = {
    "export": "exporter: source model → ONNX",
    "ranges": "trained ranges made symmetric: ONNX → symmetric ONNX",
    "precision": "precision: ONNX → lowered ONNX",
    "engine": "TensorRT: lowered ONNX → engine",
    "total": "total",
}
ORDER = ("total", "export", "ranges", "precision", "engine")  # of columns: the judged one first, where a phone shows it
GUILTY = {
    "export": "the exporter", "ranges": "ranges made symmetric", "precision": "the precision", "engine": "TensorRT",
    "nobody": "nobody",
}  # fmt: skip
PERCENTILES = {"50 %": "median", "90 %": "p90", "99 %": "p99", "99.9 %": "p999", "100 %": "max"}
# Outputs with pictures, in the judged set and in each further one: the page stays at a few hundred kB.
PICTURED_OUTPUTS, PICTURED_FURTHER = 12, 4
T = TypeVar("T")


def collect(artifacts: Mapping[str, Any]) -> MeasuredDeviation:
    """Page data of all sets from ``deviation``, ``histograms`` and ``details``; the validation set is at the top."""
    numbers: Deviation = artifacts["deviation"]
    histograms: Histograms = artifacts["histograms"]
    details: Details = artifacts["details"]
    sets: dict[str, ReportedSet] = {
        name: {
            "samples": found["samples"], "runtimes": found["runtimes"], "source": found["source"],
            "random": found["random"], **_outputs(found, histograms["sets"][name], details["sets"][name]),
        }
        for name, found in sorted(numbers["sets"].items())
    }  # fmt: skip
    return {**_outputs(numbers, histograms, details), "log10_edges": histograms["log10_edges"], "sets": sets}


def _outputs(numbers: SetDeviation | Deviation, histograms: SetHistograms, details: SetDetails) -> MeasuredOutputs:
    hops = numbers["hops"]
    outputs: dict[str, Output] = {
        name: {
            "hops": {hop: hops[hop][name] for hop in hops},
            "guilty": guilty_hop({hop: hops[hop][name] for hop in hops}),
            "histograms": {hop: histograms["hops"][hop][name] for hop in hops},
            "details": {hop: details["hops"][hop][name] for hop in hops},
            "rows": details["rows"][name],
        }
        for name in sorted(hops[TOTAL])
    }
    return {"outputs": outputs, "guilty": guilty_of_model({name: output["hops"] for name, output in outputs.items()})}


def sections(page: Report) -> list[dict[str, Any]]:
    """One section for each set, validation first: a row for each output, then each output's tables and pictures."""
    validation: ReportedSet = {
        "random": page["variant"]["random_validation"], "source": {}, "runtimes": page["runtimes"],
        "samples": page["samples"], "guilty": page["guilty"], "outputs": page["outputs"],
    }  # fmt: skip
    shown = []
    for i, (set_name, found) in enumerate([(VALIDATION, validation), *page["sets"].items()]):
        judged = i == 0
        pictured = _most_moved(found["outputs"], PICTURED_OUTPUTS if judged else PICTURED_FURTHER)
        outputs = [
            _output(page, name, output, f"{i}-{j}", judged=judged, pictured=name in pictured)
            for j, (name, output) in enumerate(found["outputs"].items())
        ]
        source = found["source"] if isinstance(found["source"], str) else None
        shown.append(
            {
                "name": set_name, "id": f"set-{i}", "judged": judged, "random": found["random"],
                "source": source, "samples": found["samples"], "guilty": GUILTY[found["guilty"]],
                "outputs": outputs, "unpictured": len(outputs) - len(pictured),
            }
        )  # fmt: skip
    return shown


def charts(page: Report) -> list[Chart]:
    """Every Plotly figure of :func:`sections`, in the order of the page."""
    return [figure["chart"] for s in sections(page) for output in s["outputs"] for figure in output["figures"]]


def _most_moved(outputs: Mapping[str, Output], count: int) -> set[str]:
    def moved(name: str) -> float:
        total = outputs[name]["hops"][TOTAL]
        return float((total["rmse"] or 0.0) / (total["reference_rms"] or 1.0))

    return set(sorted(outputs, key=lambda name: (-moved(name), name))[:count])


def _output(page: Report, name: str, output: Output, place: str, *, judged: bool, pictured: bool) -> dict[str, Any]:
    hops, details = _ordered(output["hops"]), _ordered(output["details"])
    detail = details[TOTAL]
    limits = _limits(page, name) if judged else {}
    edges = page["log10_edges"]
    return {
        "name": name, "id": f"output-{place}", "guilty": GUILTY[output["guilty"]], "hops": hops,
        "total": hops[TOTAL], "argmax": {hop: found["argmax"] for hop, found in details.items()},
        "no_argmax": detail["no_argmax"],
        "worst_sample": {hop: _worst_sample(found["samples"]) for hop, found in details.items()},
        "entries": {"sample": "sample", "call": "call", "other": "entry"}[output["rows"]],
        "percentiles": _percentiles(hops), "worst": _worst(detail), "tolerance": _tolerance(details),
        "disagreeing": _disagreeing(detail),
        "figures": _figures(output, edges, place, limits) if pictured else [],
    }  # fmt: skip


def _figures(output: Output, edges: Sequence[float], place: str, limits: Mapping[str, float]) -> list[Figure]:
    """All pictures of one output; ``place`` makes their ids unique."""
    detail = output["details"]["total"]
    histograms = {hop: output["histograms"][hop] for hop in LINES if hop in output["histograms"]}
    candidates = [
        histogram(histograms, edges),
        above(histograms, edges, limits),
        errorplaces.by_magnitude(detail["by_magnitude"]),
        *(errorplaces.channels(found) for found in detail["channels"]),
        *errorplaces.positions(detail["positions"]),
        errorplaces.samples(detail["samples"]),
    ]
    kept = [figure for figure in candidates if figure is not None]
    for number, figure in enumerate(kept):
        figure["chart"]["id"] = f"chart-{place}-{number}"
    return kept


def _ordered(by_hop: Mapping[str, T]) -> dict[str, T]:
    return {hop: by_hop[hop] for hop in ORDER if hop in by_hop}


def _worst_sample(samples: SampleErrors | None) -> int | None:
    return samples["worst"][0]["sample"] if samples and samples["worst"] else None


def _limits(page: Report, output: str) -> dict[str, float]:
    checks = page["verdict"]["checks"]
    wanted = ("max_abs", "p999_abs", "p99_abs", "median_abs")
    return {name: checks[key]["limit"] for name in wanted if (key := f"{output}: {name}") in checks}


def _percentiles(hops: Mapping[str, Statistics]) -> Table:
    head = ["elements up to"]
    for hop in hops:
        head += [f"{TITLES[hop].partition(':')[0]}, absolute", "relative"]
    rows = [
        [label, *(metric(stats, f"{key}_{kind}") for stats in hops.values() for kind in ("abs", "rel"))]
        for label, key in PERCENTILES.items()
    ]
    return {"head": head, "rows": rows}


def _worst(detail: Detail) -> Table:
    rows = [[index_text(e["index"]), e["sample"], e["reference"], e["value"], e["error"]] for e in detail["worst"]]
    return {"head": ["index", "sample", "source model", "here", "absolute error"], "rows": rows}


def _tolerance(details: Mapping[str, Detail]) -> Table:
    columns = [found["tolerance"] for found in details.values()]
    rows = [[f"{pairs[0]['rtol']:g}", *(pair["atol"] for pair in pairs)] for pairs in zip(*columns, strict=True)]
    return {"head": ["with rtol", *(f"atol, {TITLES[hop].partition(':')[0]}" for hop in details)], "rows": rows}


def _disagreeing(detail: Detail) -> Table:
    found = detail["argmax"]["worst"] if detail["argmax"] else []
    return {
        "head": ["sample", "share of its decisions"],
        "rows": [[e["sample"], f"{100 * (e['share'] or 0.0):.3g} %"] for e in found],
    }
