"""report: artifacts -> report.json, and from it the pages and the Markdown summary.  No TensorFlow, no TensorRT."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.spec import RandomData, Variant
from trtbuild.core.step import Input, Out, Step
from trtbuild.steps._shared import tools

VERSION = 2


def declare(variant: Variant, need: Need) -> Step:
    names, spec = variant.names, variant.spec
    inputs: dict[str, Input] = {
        "verdict": need("validate").out("verdict.json"),
        "deviation": need("deviation").out("deviation.json"),
        "histograms": need("deviation").out("histograms.json"),
        "details": need("deviation").out("details.json"),
        "passport": need("engine").out("passport.json"),
        "precision": need("lower").out("precision.json"),
    }
    pages, outs = ["overview", "deviation"], []
    if spec.layers.mode != "off":
        pages.append("layers")
        inputs |= {"layers": need("layers").out("layers.json"), "layers_csv": need("layers").out("layers.csv")}
        outs.append(Out("layers.csv"))
    about = {
        "id": names.id,
        **asdict(names),
        "source": spec.model.source.kind,
        "opset": spec.model.export.opset,
        "random_validation": isinstance(spec.model.data.validation, RandomData),
    }
    return Step(
        kind="report",
        version=VERSION,
        model=names.model,
        label=names.id.removeprefix(f"{names.model}-"),
        params={
            "variant": about, "pages": pages, "templates": variant.templates,
            "tools": tools(variant, "jinja2", "plotly"),
        },
        inputs=inputs,
        outs=(
            *(Out(f"{name}.html") for name in pages), *outs, Out("plotly.min.js"), Out("report.json"), Out("report.md"),
        ),
    )  # fmt: skip


def run(job: Job) -> None:
    from plotly.offline import get_plotlyjs

    from trtbuild.packaged import templates
    from trtbuild.render import render
    from trtbuild.reports import deviation, layers, overview

    pages = job.params["pages"]
    artifacts = {name: job.read_json(name) for name in job.inputs if not name.endswith("_csv")}
    page = overview.collect(job.params["variant"], artifacts)
    charts: dict[str, list[dict[str, Any]]] = {"overview": [], "deviation": deviation.charts(page)}
    extra: dict[str, Any] = {"compared": overview.COMPARED, "titles": deviation.TITLES, "hop_names": layers.HOP_NAMES}
    extra["sections"] = deviation.sections(page)
    if "layers" in pages:
        page["layers"] = layers.collect(artifacts["layers"])
        charts["layers"] = layers.charts({page["variant"]["id"]: page["layers"]})
        job.output("layers.csv").write_bytes(job.input("layers_csv").read_bytes())
    job.write_json("report.json", page)
    found = templates(Path(job.workspace))
    for name in pages:
        data = {"page": page, "charts": charts[name], "current": name, "pages": pages, **extra}
        job.output(f"{name}.html").write_text(render(found, f"{name}.html.j2", data), "utf-8")
    job.output("plotly.min.js").write_text(get_plotlyjs(), "utf-8")
    job.output("report.md").write_text(overview.markdown(page), "utf-8")
