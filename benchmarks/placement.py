"""Which form of int8 makes an engine move the fewest bytes: forms x versions, without a GPU; docs/placement.md.

A row's bytes are those of all layers of the compiled engine (trtbuild/engine), its ratio that to the same network in
float16.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import placementaccuracy, placementmodels
from benchmarks.measure import say
from benchmarks.placementbuild import BATCHES
from benchmarks.placementgraphs import Form, forms
from trtbuild import toolchains
from trtbuild.config import named
from trtbuild.engine import read_engine
from trtbuild.engine.inspection import inspect
from trtbuild.engine.values import COMPUTE
from trtbuild.toolchains.request import ToolchainRequest

VERSIONS = ("rtx-1.4", "rtx-1.5", "rtx-1.6", "rtx-1.7")
REFUSED = "–"


@dataclass(frozen=True)
class Compiled:
    """One engine; ``why``: there is none."""

    why: str = ""
    layers: int = 0
    bytes: int = 0
    results: str = ""  # types that convolutions and products write
    operands: str = ""  # and read first

    @property
    def quantised(self) -> bool:
        return self.operands == "int8"


def compile_all(root: Path, version: str, folder: Path, models: Mapping[str, Form]) -> dict[str, Compiled]:
    """Engines of a version, by the names of the models; their files are made in ``folder``."""
    import onnx

    folder.mkdir(parents=True)
    for name, form in models.items():
        onnx.save(form.model(), folder / f"{name}.onnx")
    spec = named.toolchain(root, version)
    request = ToolchainRequest(spec.flavour, spec.version, spec.requirements, version)
    argv = [str(toolchains.interpreter(request)), "-m", "benchmarks.placementbuild", spec.flavour, spec.version,
            str(folder)]  # fmt: skip
    while True:  # a crash ends the process, and the next one leaves that graph out
        with (folder / "output.txt").open("a") as output:
            status = subprocess.run(argv, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdout=output,
                                    stderr=output, check=False).returncode  # fmt: skip
        if status == 0:
            return {name: read(folder / name) for name in models}
        if status > 0:
            raise SystemExit((folder / "output.txt").read_text("utf-8")[-2000:])


def read(stem: Path) -> Compiled:
    why = json.loads(stem.with_suffix(".json").read_text("utf-8"))["why"]
    if why:
        return Compiled(why)
    engine = inspect(replace(read_engine(stem.with_suffix(".log")), optimum=BATCHES[1]))  # 1.4 does not log it
    assert not engine.total.unknown and not engine.engine.unread
    rows = [row.layer for row in engine.rows if row.layer.kind in COMPUTE]
    results = sorted({row.outputs[0].type for row in rows})
    operands = sorted({row.inputs[0].type for row in rows})
    return Compiled("", engine.total.layers, engine.total.bytes, ", ".join(results), ", ".join(operands))


def table(rows: Sequence[Form], found: Mapping[str, Mapping[str, Compiled]], twins: Mapping[Form, str]) -> list[str]:
    """Lines of Markdown: for each version layers, kilobytes and their ratio to float16; then what results are in."""
    lines = [f"| form | {' | '.join(VERSIONS)} | results |", f"|---|{'---|' * (len(VERSIONS) + 1)}"]
    group = ""
    for i, form in enumerate(rows):
        if form.group != group:
            group = form.group
            lines.append(f"| **{group}** | {' | ' * len(VERSIONS)} |")
        engines = [found[version][f"form{i:02d}"] for version in VERSIONS]
        cells = [cell(one, found[version][twins[form.twin]]) for one, version in zip(engines, VERSIONS, strict=True)]
        results = next((f"{one.results}{'' if one.quantised else ' (computes in it, too)'}"
                        for one in reversed(engines) if not one.why), "")  # fmt: skip
        lines.append(f"| {form.name} | {' | '.join(cells)} | {results} |")
    return lines


def cell(one: Compiled, twin: Compiled) -> str:
    if one.why:
        return REFUSED
    return f"{one.layers}, {one.bytes / 1e3:.0f} kB, {one.bytes / twin.bytes:.2f}"


def reasons(found: Mapping[str, Mapping[str, Compiled]]) -> list[str]:
    """Why there is no engine, by version, with the number of forms."""
    lines = []
    for version in VERSIONS:
        whys = [one.why for name, one in found[version].items() if one.why]
        counted = "; ".join(f"{why} ({whys.count(why)})" for why in dict.fromkeys(whys))
        lines.append(f"- {version}: {counted or 'none is refused'}")
    return lines


def measure_forms(root: Path, scratch: Path) -> list[str]:
    """The table of forms, and why cells are empty."""
    rows = list(forms())
    twins = {twin: f"twin{i:02d}" for i, twin in enumerate(dict.fromkeys(form.twin for form in rows))}
    models = {f"form{i:02d}": form for i, form in enumerate(rows)} | {name: twin for twin, name in twins.items()}
    found = {version: compile_all(root, version, scratch / version, models) for version in VERSIONS}
    for version in VERSIONS:
        built = [found[version][f"form{i:02d}"] for i in range(len(rows))]
        kept = [one for one in built if one.results == "int8"]
        say(f"forms of int8, {version}", f"{sum(not one.why for one in built)} of {len(rows)} compiled",
            f"{len(kept)} keep results in int8")  # fmt: skip
    return [*table(rows, found, twins), "", "No engine, and why (number of forms):", "", *reasons(found)]


def written(text: str, mark: str, lines: Iterable[str]) -> str:
    """A page with the lines between ``<!-- mark -->`` and ``<!-- /mark -->`` replaced."""
    body = "\n".join(lines)
    place = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
    new, count = re.subn(place, lambda found: f"{found[1]}\n{body}\n\n{found[2]}", text, flags=re.DOTALL)
    if count != 1:
        raise SystemExit(f"the page has no place for '{mark}'")
    return new


def measure(root: Path, scratch: Path, fresh: Callable[[Path], Path], trtbuild: str) -> None:
    """Write docs/placement.md, which also has the demonstration models, and what the package states about int8."""
    page, record = root / "docs" / "placement.md", root / "trtbuild" / "engine" / "recorded.json"
    text = written(page.read_text("utf-8"), "forms", measure_forms(root, scratch / "forms"))
    workspace = fresh(scratch / "models")
    found = placementmodels.built(workspace, trtbuild)
    text = written(text, "models", placementmodels.table(found))
    drawn = {model: placementaccuracy.measured(workspace, model) for model in placementaccuracy.MODELS}
    page.write_text(written(text, "accuracy", placementaccuracy.table(drawn)), "utf-8")
    record.write_text(placementmodels.record(found), "utf-8")
    for model, variants in found.items():
        ratios = {name: one.bytes / variants["fp16"].bytes for name, one in variants.items() if name != "fp16"}
        least = min(ratios, key=lambda name: ratios[name])
        say(f"bytes of {model}, int8 as shipped", f"{ratios[placementmodels.DEFAULT]:.2f} of fp16",
            f"least: {ratios[least]:.2f} ({least})")  # fmt: skip
