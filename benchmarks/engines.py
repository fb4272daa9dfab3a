"""Compiled engines: what the reader makes of them against a count of its own, scopes, rebuilt plans, and the time.

``python -m benchmarks.engines [models=A,B] [precisions=A,B] [versions=A,B] [batches=fixed,dynamic] [rebuild=A,B]``
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from benchmarks.measure import say

CHOICES: dict[str, tuple[str, ...]] = {
    "models": ("lenet", "segnet", "mobilenet_v2", "inception_v3"),
    "precisions": ("fp32", "tf32", "fp16", "bf16", "int8"),
    "versions": ("rtx-1.4", "rtx-1.5", "rtx-1.6", "rtx-1.7"),
    "batches": ("fixed", "dynamic"),
    "rebuild": ("rtx-1.7",),  # versions whose plans are built twice
}
TIMED, RUNS, BAR_S = "mobilenet_v2", 7, 0.5
SIZES = {"Float": 4, "Half": 2, "BFloat16": 2, "Int8": 1, "UInt8": 1, "Int32": 4, "Int64": 8, "Bool": 1}
MEMORY = {
    "activation": "Total Activation Memory: ", "weights": "Total Weights Memory: ", "scratch": "Max Scratch Memory: ",
}  # fmt: skip


@dataclass
class Row:
    """One model: what was counted, by what it is called in the table."""

    engines: int = 0
    refused: int = 0
    layers: int = 0
    lines: int = 0
    read: int = 0
    reported: int = 0
    compute: int = 0
    mapped: int = 0
    bytes_equal: int = 0
    kinds_equal: int = 0
    memory_equal: int = 0
    rebuilt: int = 0
    identical: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Row) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


HEAD = ("model", "engines", "refused", "layers", "lines read or reported", "compute layers with a scope",
        "bytes equal", "kinds equal", "memory equal", "plans identical when rebuilt")  # fmt: skip


def cells(name: str, row: Row) -> tuple[str, ...]:
    share = 100 * row.mapped / row.compute if row.compute else 0.0
    return (
        name, str(row.engines), str(row.refused), f"{row.layers:,}", f"{row.read} + {row.reported} of {row.lines}",
        f"{row.mapped:,} of {row.compute:,} ({share:.1f} %)", *(f"{n} of {row.engines}" for n in
        (row.bytes_equal, row.kinds_equal, row.memory_equal)), f"{row.identical} of {row.rebuilt}",
    )  # fmt: skip


def measure(root: Path, scratch: Path, chosen: Mapping[str, Sequence[str]] = CHOICES) -> None:
    """Model by model, so that what was measured stands there when it is stopped."""
    from benchmarks.__main__ import fresh_workspace

    workspace = fresh_workspace(scratch / "engines")
    total = Row()
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD), flush=True)
    for model in chosen["models"]:
        row = _model(workspace, model, chosen)
        total.add(row)
        print("| " + " | ".join(cells(model, row)) + " |", flush=True)
    print("| " + " | ".join(cells("all", total)) + " |", flush=True)
    for line in total.wrong:
        print(f"  {line}")
    if TIMED in chosen["models"]:
        _time(workspace)


def _model(workspace: Path, model: str, chosen: Mapping[str, Sequence[str]]) -> Row:
    found = Row()
    folders = _build(workspace, model, chosen, found)
    plans: dict[str, bytes] = {}
    for name, (engine, scopes, opt) in folders.items():
        found.add(_count(name, engine, scopes, opt))
        plans[name] = (engine / "engine.plan").read_bytes()
    again = {name: engine for name, (engine, _, _) in folders.items() if name.split()[2] in chosen["rebuild"]}
    if again:
        for engine in again.values():
            shutil.rmtree(engine)
        shutil.rmtree(workspace / ".dvc" / "cache" / "runs")  # a build would restore what it knows
        _build(workspace, model, {**chosen, "versions": chosen["rebuild"]}, Row())
        same = {name: (engine / "engine.plan").read_bytes() == plans[name] for name, engine in again.items()}
        found.rebuilt, found.identical = len(same), sum(same.values())
        found.wrong += [f"{name}: the plan has other bytes when rebuilt" for name, equal in same.items() if not equal]
    return found


def _build(
    workspace: Path, model: str, chosen: Mapping[str, Sequence[str]], found: Row
) -> dict[str, tuple[Path, dict[str, Any], int]]:
    """Export, lowering and engine of every combination: name -> the engine's folder, its scopes, its optimum."""
    from trtbuild.base.errors import TrtbuildError
    from trtbuild.base.workspace import find_workspace
    from trtbuild.building.planned import Planned
    from trtbuild.building.run import build_planned
    from trtbuild.config import load_variant
    from trtbuild.core.plan import make_plan
    from trtbuild.steps import Declarations
    from trtbuild.store import Store

    place = find_workspace(workspace)
    variants, names = [], []
    for precision, version, batch in product(chosen["precisions"], chosen["versions"], chosen["batches"]):
        words = [f"model={model}", f"precision={precision}", f"tensorrt={version}"]
        inputs = load_variant(workspace, words).spec.model.inputs
        if batch == "fixed":
            for name, value in inputs.items():
                shape = ",".join(str(1 if size is None else size) for size in value.shape)
                words += [f"model.inputs.{name}.shape=[{shape}]", f"model.inputs.{name}.profile=null"]
        variants.append(load_variant(workspace, words))
        names.append((f"{model} {precision} {version} {batch}", next(iter(inputs.values())).shapes[1][0]))
    plans = [make_plan([variant], ("engine",), Declarations()) for variant in variants]
    plan = make_plan(variants, ("engine",), Declarations())
    outcome = build_planned(Planned(place, Store(place), plan))
    made = {}
    for (name, opt), alone in zip(names, plans, strict=True):
        roles = next(iter(alone.variants.values()))
        failed: TrtbuildError | None = outcome.failures.get(roles["engine"].key)
        if outcome.steps[roles["engine"].key] in ("failed", "blocked"):
            found.refused += 1
            if "int8" not in name or "rtx-1.7" in name:
                found.wrong.append(f"{name}: not built: {failed}")
            continue
        scopes = json.loads((workspace / roles["export"].folder / "scopes.json").read_text("utf-8"))
        made[name] = (workspace / roles["engine"].folder, scopes, opt)
    return made


def _count(name: str, folder: Path, scopes: dict[str, Any], opt: int) -> Row:
    """One engine: the package's reading of engine_layers.json against a scan of the log's text."""
    from trtbuild.engine import read_engine
    from trtbuild.engine.inspection import inspect
    from trtbuild.engine.values import COMPUTE

    seen = inspect(read_engine(folder / "engine_layers.json"), scopes)  # type: ignore[arg-type]
    text = (folder / "build.log").read_text("utf-8")
    lines = section(text)
    reported = sum(1 for one in seen.engine.unread if one.line)
    row = Row(engines=1, layers=len(seen.rows), lines=len(lines), read=len(seen.rows), reported=reported)
    compute = [one for one in seen.rows if one.layer.kind in COMPUTE]
    row.compute, row.mapped = len(compute), sum(one.place.how == "scopes" for one in compute)
    kinds = {kind: total.layers for kind, total in seen.by_kind().items()}
    memory = {key: getattr(seen.engine.memory, key) for key in MEMORY}
    for what, ours, theirs in (
        ("bytes", seen.total.bytes if not seen.total.unknown else None, bytes_of(lines, opt)),
        ("kinds", kinds, kinds_of(lines)),
        ("memory", memory, memory_of(text)),
    ):
        setattr(row, f"{what}_equal", int(ours == theirs))
        if ours != theirs:
            row.wrong.append(f"{name}: {what}: {ours}, counted {theirs}")
    if row.read + reported != len(lines):
        row.wrong.append(f"{name}: {row.read} layers and {reported} reported of {len(lines)} lines")
    return row


def section(text: str) -> list[str]:
    """The lines of the log's last section of layers."""
    after = text.rpartition("Layers:\n")[2]
    return [line for line in re.split(r"\n(?:Bindings|I/O Tensors):", after)[0].split("\n") if line.strip()]


def bytes_of(lines: Sequence[str], opt: int) -> int:
    """Every ``Dimensions`` with the type that follows it, wherever they stand in the text."""
    moved = 0
    for line in lines:
        for sizes, kind in re.findall(r"Dimensions: \[([-\d,]*)\][^}]*?(?:Datatype|Format/Datatype): (\w+)", line):
            moved += prod(opt if size == "-1" else int(size) for size in sizes.split(",") if size) * SIZES[kind]
    return moved


def kinds_of(lines: Sequence[str]) -> dict[str, int]:
    """By TensorRT's word for the type, and for generated kernels by what stands in their name."""
    named = {"correlation": "convolution", "deconv": "convolution", "gemm": "product", "maxpool": "pooling",
             "avgpool": "pooling", "signal": "control", "wait": "control", "shape_call": "shape"}  # fmt: skip
    found: Counter[str] = Counter()
    for line in lines:
        name, _, rest = line.removeprefix("Name: ").partition(", LayerType: ")
        word = rest.partition(",")[0]
        if word in ("kgen", "runtime_fusion", "runtime_function"):
            multiplies = any(part in name for part in ("Fc", "Gemm", "Bmm", "Mha", "Dot"))
            convolves = any(part in name for part in ("Corr", "Conv", "Deco"))
            found["convolution" if convolves else "product" if multiplies else "pointwise"] += 1
        else:
            found[named.get(word, word)] += 1
    return dict(found)


def memory_of(text: str) -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for key, words in MEMORY.items():
        said = text.rpartition(words)[2].split(maxsplit=1) if words in text else []
        found[key] = int(said[0]) if said else None
    return found


def _time(workspace: Path) -> None:
    """Reading the log, mapping, findings and the page, of the engine with most layers."""
    from trtbuild.base.packaged import templates
    from trtbuild.engine import log
    from trtbuild.reports import engine as page
    from trtbuild.reports.render import render

    folders = list((workspace / "build" / TIMED).glob("engine-*"))
    folder = max(folders, key=lambda one: (one / "engine_layers.json").stat().st_size)
    scopes = json.loads(next((workspace / "build" / TIMED).glob("export-*/scopes.json")).read_text("utf-8"))
    passport, text = json.loads((folder / "passport.json").read_text()), (folder / "build.log").read_text("utf-8")
    about = {"model": TIMED, "precision": "int8", "tensorrt": "rtx-1.7", "target": "portable", "id": folder.name}
    taken: dict[str, list[float]] = {"reading": [], "page": []}
    used = []
    for _ in range(RUNS):
        started, cpu = time.perf_counter(), time.process_time()
        layers = log.document(text, "build.log")
        read = time.perf_counter()
        found = page.collect({**layers, "Profiles": {}}, scopes, passport)
        data = {"page": {"variant": about, "compiled": found, "verdict": {}}, "charts": page.charts(found),
                "legend": page.legend(found), "current": "engine", "pages": ["engine"]}  # fmt: skip
        render(templates(workspace), "engine.html.j2", data)
        taken["reading"].append(read - started)
        taken["page"].append(time.perf_counter() - read)
        used.append(time.process_time() - cpu)
    both = [a + b for a, b in zip(*taken.values(), strict=True)]
    parts = ", ".join(f"{name} {statistics.median(times):.2f} s" for name, times in taken.items())
    parts += f"; on the CPU {statistics.median(used):.2f} s"
    said = f"{statistics.median(both):.2f} s (max {max(both):.2f}, n={RUNS}): {parts}"
    say(f"{folder.name}, {len(found['rows'])} layers", said, f"bar {BAR_S} s")


def main(words: Sequence[str]) -> None:
    chosen: dict[str, Sequence[str]] = dict(CHOICES)
    for word in words:
        key, equals, values = word.partition("=")
        if key not in chosen or not equals:
            raise SystemExit(f"{word}: expected one of {', '.join(f'{key}=…' for key in chosen)}")
        chosen[key] = tuple(value for value in values.split(",") if value)
    with tempfile.TemporaryDirectory(prefix="trtbuild-engines-") as scratch:
        measure(Path(__file__).resolve().parents[1], Path(scratch), chosen)


if __name__ == "__main__":
    main(sys.argv[1:])
