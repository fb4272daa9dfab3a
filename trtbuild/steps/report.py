"""report: artifacts -> report.json, and from it the pages and the Markdown summary.  No TensorFlow, no TensorRT."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from trtbuild.core.job import Job
from trtbuild.core.plan import Need
from trtbuild.core.spec import RandomData, Variant
from trtbuild.core.step import Out, Step
from trtbuild.steps._shared import tools

VERSION = 1
READ = ("verdict", "deviation", "histograms", "details", "passport", "precision")
PAGES = ("overview", "deviation")


def declare(variant: Variant, need: Need) -> Step:
    names = variant.names
    inputs = {
        "verdict": need("validate").out("verdict.json"),
        "deviation": need("deviation").out("deviation.json"),
        "histograms": need("deviation").out("histograms.json"),
        "details": need("deviation").out("details.json"),
        "passport": need("engine").out("passport.json"),
        "precision": need("lower").out("precision.json"),
    }
    about = {
        "id": names.id,
        **asdict(names),
        "source": variant.spec.model.source.kind,
        "opset": variant.spec.model.export.opset,
        "random_validation": isinstance(variant.spec.model.data.validation, RandomData),
    }
    return Step(
        kind="report",
        version=VERSION,
        model=names.model,
        label=names.id.removeprefix(f"{names.model}-"),
        params={"variant": about, "templates": variant.templates, "tools": tools(variant, "jinja2", "plotly")},
        inputs=inputs,
        outs=(*(Out(f"{name}.html") for name in PAGES), Out("plotly.min.js"), Out("report.json"), Out("report.md")),
    )


def run(job: Job) -> None:
    from plotly.offline import get_plotlyjs

    from trtbuild.packaged import templates
    from trtbuild.render import render
    from trtbuild.reports import deviation, overview

    artifacts = {name: job.read_json(name) for name in READ}
    page = overview.collect(job.params["variant"], artifacts)
    job.write_json("report.json", page)
    data = {
        "page": page,
        "charts": deviation.charts(page),
        "sections": deviation.sections(page),
        "compared": overview.COMPARED,
        "titles": deviation.TITLES,
    }
    found = templates(Path(job.workspace))
    for name in PAGES:
        job.output(f"{name}.html").write_text(render(found, f"{name}.html.j2", {**data, "current": name}), "utf-8")
    job.output("plotly.min.js").write_text(get_plotlyjs(), "utf-8")
    job.output("report.md").write_text(overview.markdown(page), "utf-8")
