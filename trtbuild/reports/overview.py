"""overview: one variant's verdict, which runtime measured what, which hop is to blame, and the engine's facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trtbuild.core import warning
from trtbuild.core.spec.engine import CUDA_PROVIDER
from trtbuild.core.verdict import export_fault, why_unjudged, word_of
from trtbuild.documents.deviation import Deviation
from trtbuild.documents.engine import Passport, Precision
from trtbuild.documents.report import VERSION, Report, VariantFacts
from trtbuild.reports import deviation as measured
from trtbuild.reports.comparelatency import lowered_side
from trtbuild.reports.latency import device_of
from trtbuild.reports.render import byte_size
from trtbuild.reports.task import finding, task_lines

COMPARED = ("max_abs", "mean_abs", "median_abs", "p99_abs", "p999_abs", "rmse", "cosine", "sqnr_db", "bias")
# Step kind -> the report step's name for the artifact with that step's warnings.
ARTIFACTS = {step: file.removesuffix(".json") for step, file in warning.ARTIFACTS.items()}


def collect(variant: VariantFacts, artifacts: Mapping[str, Any]) -> Report:
    """Page data from the artifacts of the steps, which have the report step's names."""
    deviation: Deviation = artifacts["deviation"]
    precision: Precision = artifacts["precision"]
    passport: Passport = artifacts["passport"]
    numbers = measured.collect(artifacts)
    return {
        "schema_version": VERSION,
        "variant": variant,
        "verdict": artifacts["verdict"],
        "runtimes": deviation["runtimes"],
        "samples": deviation["samples"],
        "outputs": numbers["outputs"],
        "guilty": numbers["guilty"],
        "log10_edges": numbers["log10_edges"],
        "sets": numbers["sets"],
        "engine": {**passport, "executed": "engine" in deviation["runtimes"]},  # a passport covers the build alone
        "precision": {
            "nodes_by_dtype": precision["nodes_by_dtype"],
            "calibration": precision.get("calibration"),
            "kept_float32": precision.get("kept_float32", []),
            "not_quantised": precision.get("not_quantised", {}),
            "scopes": precision.get("scopes", {}),
            "clamped_constants": precision.get("clamped_constants", {}),
        },
        "warnings": warning.collect({step: artifacts[name] for step, name in ARTIFACTS.items() if name in artifacts}),
        "notes": notes(variant, artifacts),
    }


def notes(variant: VariantFacts, artifacts: Mapping[str, Any]) -> list[str]:
    """What a reader must know before trusting the numbers."""
    blame = export_fault(artifacts["verdict"])
    found = [f"{blame[0].upper()}{blame[1:]}."] if blame else []
    runtimes = artifacts["deviation"]["runtimes"]
    lowered, executed = runtimes["lowered"], "engine" in runtimes
    if not executed:
        found.append(
            "The engine was built, not executed: every number comes from running the graph it was built from in "
            f"{lowered['runtime']} {lowered['version']} ({', '.join(lowered.get('providers', []))})."
        )
    if lowered.get("emulated") and executed:
        found.append(f"The lowered graph, which the engine is compared with, was emulated: {lowered['emulated']}.")
    elif lowered.get("emulated"):
        found.append(f"The runtime has no such arithmetic; it was emulated: {lowered['emulated']}.")
    if variant.get("random_validation"):
        found.append("Validation data is random: deviation shows arithmetic, not accuracy on real inputs.")
    calibration = artifacts["precision"].get("calibration")
    if calibration and not isinstance(calibration["source"], str) and calibration["source"]["kind"] == "random":
        found.append("Calibration data is random: the scales fit no real input.")
    for name, largest in sorted(artifacts["precision"].get("clamped_constants", {}).items()):
        found.append(f"Constant {name} reaches {largest:g}, beyond the format; it was clamped to its largest number.")
    if artifacts["passport"]["unproved_nodes"]:
        nodes = ", ".join(artifacts["passport"]["unproved_nodes"][:5])
        found.append(f"The precision of these nodes could not be read back from the parsed network: {nodes}.")
    for name, entry in sorted(artifacts["verdict"]["not_judged"].items()):
        found.append(f"Not judged: {name} (limit {entry['limit']:g}): {entry['why']}.")
    if artifacts["passport"]["tf32"] and not executed and not _on_gpu(lowered):
        found.append("The runtime computed in float32: these numbers do not show what TF32 costs on a GPU.")
    return found


def _on_gpu(about: Mapping[str, Any]) -> bool:
    return CUDA_PROVIDER in about.get("providers", [])


def findings(page: Report) -> list[dict[str, str]]:
    """What the layer, engine and latency pages found, one sentence each, with the page that has the rest."""
    lines = []
    for hop, jumps in page.get("layers", {}).get("jumps", {}).items():
        side = "exporter" if hop == "export" else "in all"
        if jumps:
            first = jumps[0]
            text = f"First jump ({side}): {first['path']} ({first['type']}, {first['dtype']}): {first['says']}."
        else:
            text = f"No layer stands out ({side})."
        lines.append({"page": "layers", "text": text})
    compiled = page.get("compiled", {})
    if compiled.get("understood"):
        lines.append({"page": "engine", "text": _says(compiled["findings"])})
        if why := compiled.get("fp16_instead"):
            lines.append({"page": "engine", "text": f"{why[0].upper()}{why[1:]}."})
    if "task" in page and (text := finding(page["task"])):
        lines.append({"page": "task", "text": text})
    latency = page.get("latency")
    if latency and latency["measured"]:
        shipped = lowered_side(latency)
        assert shipped is not None
        what = "engine" if shipped["name"] == "engine" else "graph"
        text = f"{shipped['p50_ms']['value']:.4g} ms median with a batch of {latency['batch']}, the {what} in "
        text += f"{shipped['about']['runtime']} on {device_of(latency)}"
        if latency["speedup"]:
            text += f"; {latency['speedup']['value']:.2f} times the speed of the source model on the same device"
        lines.append({"page": "latency", "text": f"{text}."})
    elif latency:
        chosen = lowered_side(latency)
        what = "engine" if chosen and chosen["name"] == "engine" else "lowered graph"
        lines.append({"page": "latency", "text": f"The {what} was not measured."})
    return lines


def _says(findings: Sequence[Mapping[str, Any]]) -> str:
    """The most costly finding of the compiled engine."""
    if not findings:
        return "Nothing stands out in the compiled engine."
    cost = findings[0]["cost_bytes"]
    return f"In the compiled engine {findings[0]['what']}{'' if cost is None else f': {byte_size(cost)}'}."


def markdown(page: Report) -> str:
    """The summary for a merge request."""
    verdict, variant = page["verdict"], page["variant"]
    lines = [f"## {variant['id']}: {word_of(verdict).upper()}", ""]
    if word_of(verdict) == "unjudged":
        lines += [f"{_cell(why_unjudged(verdict))}.", ""]
    if page["warnings"]:
        lines += [*(f"- **warning**: {warning.line(said)}" for said in page["warnings"]), ""]
    lines += ["| check | observed | limit | |", "|---|---|---|---|"]
    for name, check in sorted(verdict["checks"].items(), key=lambda item: item[1]["passed"]):  # failures first
        observed = "none" if check["observed"] is None else f"{check['observed']:.6g}"
        observed += f" ({check['says']})" if "says" in check else ""
        lines.append(
            f"| {_cell(name)} | {observed} | {check['limit']:g} | {'pass' if check['passed'] else '**FAIL**'} |"
        )
    if "task" in page:
        lines += task_lines(page["task"])
    hops = shown_hops(page)
    lines += ["", f"| output | {' | '.join(f'{hop} rmse' for hop in hops)} | guilty |", "|---" * (len(hops) + 2) + "|"]
    for name, output in page["outputs"].items():
        cells = [_short(output["hops"][hop]["rmse"]) for hop in hops]
        lines.append(f"| {_cell(name)} | {' | '.join(cells)} | {output['guilty']} |")
    lines += ["", *(f"- {line['text']}" for line in findings(page))]
    lines += ["", *(f"- {note}" for note in page["notes"])]
    return "\n".join(lines).rstrip() + "\n"


def shown_hops(page: Report) -> list[str]:
    """Hops in the order of the pipeline, those that were measured."""
    executed, symmetric = page["engine"]["executed"], "symmetric" in page["runtimes"]
    return ["export", *(["ranges"] if symmetric else []), "precision", *(["engine"] if executed else []), "total"]


def _cell(name: str) -> str:
    return name.replace("|", "\\|")


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"
