"""report: artifacts -> report.json, and from it the pages and the Markdown summary.  No TensorFlow, no TensorRT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ConfigError
from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.recipes import tools
from trtbuild.core.spec import Variant
from trtbuild.core.spec.data import RandomData
from trtbuild.core.step import Input, Out, Step
from trtbuild.documents import reading
from trtbuild.documents.compiled import CompiledEngine
from trtbuild.documents.deviation import Details, Deviation, Histograms
from trtbuild.documents.engine import Passport, Precision
from trtbuild.documents.estimate import Estimate
from trtbuild.documents.latency import Latency, Samples
from trtbuild.documents.layers import Layers
from trtbuild.documents.ranges import Ranges
from trtbuild.documents.report import Report
from trtbuild.documents.task import TaskScores
from trtbuild.documents.verdict import Verdict
from trtbuild.reports.comparelatency import lowered_side
from trtbuild.steps import ranges

VERSION = 5
# Made here, not by the latency step, so that a new template redraws them without measuring again.
FLAME_FILES = (
    "flamegraph.svg", "flamegraph.html", "flamegraph.folded", "flamegraph.speedscope.json", "flamegraph.trace.json",
    "flamegraph.json",
)  # fmt: skip
ESTIMATE_FILES = ("estimate.svg", "estimate.folded")


def declare(variant: Variant, need: Need) -> Step:
    names, spec = variant.names, variant.spec
    validate, deviation, engine = need("validate"), need("deviation"), need("engine")
    inputs: dict[str, Input] = {
        "verdict": validate.out("verdict.json"),
        "deviation": deviation.out("deviation.json"),
        "histograms": deviation.out("histograms.json"),
        "details": deviation.out("details.json"),
        "passport": engine.out("passport.json"),
        "compiled_layers": engine.out("engine_layers.json"),
        "precision": need("lower").out("precision.json"),
        "scopes": need("export").out("scopes.json"),
    }
    if ranges.applies(variant):
        inputs["ranges"] = need("ranges").out("ranges.json")
    pages, files = ["overview", "deviation", "engine"], list[str]()
    task = spec.model.validation.task
    if task is not None and task.by_sample:
        pages.append("task")
        inputs["task"] = validate.out("task.json")
    if spec.layers.mode != "off":
        pages.append("layers")
        layers = need("layers")
        inputs |= {"layers": layers.out("layers.json"), "layers_csv": layers.out("layers.csv")}
        files.append("layers.csv")
    if spec.latency.measure:
        pages.append("latency")
        latency = need("latency")
        inputs |= {name: latency.out(f"{name}.json") for name in ("latency", "samples", "profile")}
        if spec.runtime.engine is not None:
            inputs["engine_layers"] = latency.out("layers.json")
        files += FLAME_FILES
    if spec.device.name is not None:
        pages.append("estimate")
        inputs["estimate"] = need("estimate").out("estimate.json")
        files += ESTIMATE_FILES
    about = {
        "id": variant.id,
        **{part.name: getattr(names, part.name) for part in fields(names)},
        "source": spec.model.source.kind,
        "opset": spec.model.export.opset,
        "random_validation": isinstance(spec.model.data.validation, RandomData),
    }
    return Step(
        kind="report",
        version=VERSION,
        model=names.model,
        label=variant.id.removeprefix(f"{names.model}-"),
        params={
            "variant": about, "pages": pages, "templates": variant.templates,
            "tools": tools(variant, "jinja2", "plotly"),
        },
        inputs=inputs,
        outs=_outs((*(f"{name}.html" for name in pages), *files, "plotly.min.js", "report.json", "report.md")),
    )  # fmt: skip


@cache
def _outs(names: tuple[str, ...]) -> tuple[Out, ...]:
    """One tuple for all reports with the same files: a large sweep has thousands."""
    return (*(Out(name) for name in names), Out("summary.json", cache=False))


def run(job: Job) -> None:
    from plotly.offline import get_plotlyjs

    from trtbuild.base.packaged import templates
    from trtbuild.reports import deviation, engine, estimate, latency, layers, overview, task
    from trtbuild.reports.render import render
    from trtbuild.reports.summary import summary

    pages, found = job.params["pages"], templates(Path(job.workspace))
    artifacts = _artifacts(job)
    page = overview.collect(job.params["variant"], artifacts)
    charts: dict[str, list[dict[str, Any]]] = {"overview": [], "deviation": deviation.charts(page)}
    extra: dict[str, Any] = {"compared": overview.COMPARED, "titles": deviation.TITLES, "hop_names": layers.HOP_NAMES}
    extra |= {"sections": deviation.sections(page), "hops": overview.shown_hops(page), "guilty": deviation.GUILTY}
    compiled = engine.collect(artifacts["compiled_layers"], artifacts["scopes"], artifacts["passport"])
    page["compiled"] = reading.checked(compiled, CompiledEngine, where="engine_layers.json")
    charts["engine"], extra["legend"] = engine.charts(page["compiled"]), engine.legend(page["compiled"])
    if "task" in pages:
        page["task"], charts["task"] = artifacts["task"], task.charts(artifacts["task"])
        extra["groups"] = task.sections(page["task"])
    if "layers" in pages:
        page["layers"] = layers.collect(artifacts["layers"])
        if page["engine"]["executed"]:
            page["layers"]["notes"].append(layers.NOT_THE_ENGINE)
        charts["layers"] = layers.charts({page["variant"]["id"]: page["layers"]})
        job.output("layers.csv").write_bytes(job.input("layers_csv").read_bytes())
    if "latency" in pages:
        page["latency"] = latency.collect(artifacts["latency"], artifacts["samples"])
        for name, text in _flame_graph(page, artifacts, found).items():
            job.output(name).write_text(text, "utf-8")
        charts["latency"] = latency.charts(page)
    if "estimate" in pages:
        page["estimate"] = estimate.collect(artifacts["estimate"])
        layers_of_engine, title = artifacts["compiled_layers"]["Layers"], page["variant"]["id"]
        drawn = estimate.files(artifacts["estimate"], layers_of_engine, artifacts["scopes"], title, found)
        for name, text in drawn.items():
            job.output(name).write_text(text, "utf-8")
        charts["estimate"] = []
    extra["findings"] = overview.findings(page)
    job.write_json("report.json", page)
    job.write_json("summary.json", summary(page))
    for name in pages:
        data = {"page": page, "charts": charts[name], "current": name, "pages": pages, **extra}
        job.output(f"{name}.html").write_text(render(found, f"{name}.html.j2", data), "utf-8")
    job.output("plotly.min.js").write_text(get_plotlyjs(), "utf-8")
    job.output("report.md").write_text(overview.markdown(page), "utf-8")


_KINDS: Mapping[str, type] = {
    "verdict": Verdict, "deviation": Deviation, "histograms": Histograms, "details": Details, "passport": Passport,
    "precision": Precision, "task": TaskScores, "layers": Layers, "latency": Latency, "samples": Samples,
    "ranges": Ranges, "estimate": Estimate,
}  # fmt: skip


def _artifacts(job: Job) -> dict[str, Any]:
    """The documents of all inputs, checked where they have a type."""
    names = [name for name in job.inputs if not name.endswith("_csv")]
    return {n: reading.read(job.input(n), _KINDS[n]) if n in _KINDS else job.read_json(n) for n in names}


def _flame_graph(page: Report, artifacts: dict[str, Any], found: dict[str, Path]) -> dict[str, str]:
    """The flame graph's files; if nothing was profiled, they say why."""
    from trtbuild.latency import flame
    from trtbuild.reports import flamegraph

    title, measured = page["variant"]["id"], page["latency"]
    assert measured is not None
    if not artifacts["profile"]:
        why = measured["profile"].get("why", "nothing was profiled")
        return flamegraph.no_files(FLAME_FILES, f"{title}: no profile: {why}")
    side = lowered_side(measured)
    assert side is not None
    profile = flame.read_profile(artifacts["profile"])
    known = {"scopes": artifacts["scopes"], "latency_ms": side["p50_ms"]["value"]}
    source = "median call without the profiler"
    described = artifacts.get("engine_layers", {}).get("Layers")
    try:
        layers = flame.read_layers(described) if described else None
        graph = flame.flame_graph(profile, layers, **known, latency_source=source)
    except ConfigError as error:  # the inspector's layers differ from the profiler's: use the profiler's names alone
        measured["warnings"].append(f"The flame graph does without the inspector's layers: {error.what}.")
        graph = flame.flame_graph(profile, **known, latency_source=source)
    return flamegraph.files(graph, title, found)
