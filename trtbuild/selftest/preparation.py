"""Builds a model's variants as any build does, and packs what a device needs to execute and compare them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import trtbuild
from trtbuild import config
from trtbuild.arrays import data, outputs
from trtbuild.arrays.arrayfile import Array
from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.base.workspace import Workspace
from trtbuild.building.planned import Planned
from trtbuild.building.sourcefiles import SourceFiles
from trtbuild.core.plan import make_plan
from trtbuild.core.recipes import set_place
from trtbuild.core.spec import Model, Variant
from trtbuild.core.step import Step
from trtbuild.documents.selftest import SCHEMA_VERSION, ArchiveManifest, ArchiveVariant
from trtbuild.selftest.archive import LARGEST_BYTES, Contents, npz, program, write
from trtbuild.selftest.weights import rounded, take_out
from trtbuild.steps import Declarations
from trtbuild.steps.latency import one_batch
from trtbuild.store import Store

MODELS = ("lenet", "segnet", "mobilenet_v2", "inception_v3")
PRECISIONS = ("fp32", "tf32", "fp16", "int8")
BATCHES = (1, 32)
SAMPLES = 8
WANTED = ("engine", "deviation")
WEIGHT_BYTES = 24_000_000  # of float32 weights: beyond, the archive would not stay below its limit
Build = Callable[[Planned], Mapping[str, TrtbuildError]]


def check(workspace: Workspace, model: str, overrides: Sequence[str], precisions: Sequence[str]) -> None:
    """Compose what ``prepare`` will, so that a wrong name of the last model is known before the first is built."""
    for precision in precisions:
        config.load_variant(workspace.root, [f"model={model}", *overrides, f"precision={precision}"])


def prepare(
    workspace: Workspace, model: str, overrides: Sequence[str], precisions: Sequence[str], folder: Path, build: Build,
    note: Callable[[str], None],
) -> Path:  # fmt: skip
    """Build one model in these precisions and pack it; returns the archive's path.

    A model with more than WEIGHT_BYTES of weights is rounded to bfloat16 weights first: its exported graph, rounded,
    is then the source of everything in the archive.

    Raises:
        TrtbuildError: the first step that failed.
    """
    words = [f"model={model}", "latency=off", "layers=off", *overrides]
    words += _wider_profiles(config.load_variant(workspace.root, [*words, f"precision={precisions[0]}"]).spec.model)
    p = _planned(workspace, words, precisions[:1], ("export",))
    _built(p, build)
    large = _rounded_source(p)
    if large is not None:
        note(f"{model}: weights are rounded to bfloat16, so that the archive stays below {LARGEST_BYTES // 10**6} MB")
        words += ["~model.source", f"+model.source={{kind: onnx, path: {large}}}"]
    p = _planned(workspace, words, precisions, WANTED)
    _built(p, build)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"selftest-{model}.zip"
    manifest, contents = _packed(p, rounded=large is not None)
    left_out = write(path, manifest, contents)
    if left_out:
        note(f"{model}: no room for the plans of {', '.join(left_out)}; the device compiles them from their graphs")
    return path


def _wider_profiles(model: Model) -> list[str]:
    """Overrides that let every dynamic batch reach the largest of BATCHES."""
    return [
        f"model.inputs.{name}.profile.max={max(BATCHES)}"
        for name, one in model.inputs.items()
        if one.profile is not None and isinstance(one.profile.max, int) and one.profile.max < max(BATCHES)
    ]


def _planned(workspace: Workspace, words: Sequence[str], precisions: Sequence[str], wanted: Sequence[str]) -> Planned:
    store = Store(workspace)
    variants = [config.load_variant(workspace.root, [*words, f"precision={precision}"]) for precision in precisions]
    files = SourceFiles(store)
    for variant in variants:
        files.check(variant)
    return Planned(workspace, store, make_plan(variants, wanted, Declarations()))


def _built(p: Planned, build: Build) -> None:
    failures = build(p)
    if failures:
        raise next(iter(failures.values()))


def _rounded_source(p: Planned) -> str | None:
    """The path of the exported graph with rounded weights, relative to the workspace; None for a small model."""
    import onnx

    export = next(step for step in p.plan.steps if step.kind == "export")
    model = onnx.load(p.workspace.root / export.folder / "model.onnx")
    if model.ByteSize() <= WEIGHT_BYTES:
        return None
    rounded(model)
    relative = f"{export.folder}-rounded/model.onnx"
    path = p.workspace.root / relative
    path.parent.mkdir(exist_ok=True)
    onnx.save(model, path)
    return relative


def _packed(p: Planned, *, rounded: bool) -> tuple[ArchiveManifest, Contents]:
    import onnx

    root = p.workspace.root
    contents = Contents(program(Path(trtbuild.__path__[0])))
    blobs: dict[str, bytes] = {}
    packed: list[ArchiveVariant] = []
    batches = _batches(next(iter(p.plan.specs.values())))
    samples = batches[0] if len(batches) == 1 else SAMPLES
    for name, roles in p.plan.variants.items():
        variant, precision = p.plan.specs[name], p.plan.specs[name].names.precision
        graph, member = f"graphs/{precision}.onnx", f"arrays/{precision}.npz"
        model = onnx.load(root / roles["lower"].folder / "lowered.onnx")
        weights = take_out(model, f"{precision}.weights", blobs)
        contents.members[graph] = model.SerializeToString(deterministic=True)
        contents.members[member] = _first_rows(root, roles["infer-lower"], samples)
        contents.plans[precision] = (root / roles["engine"].folder / "engine.plan").read_bytes()
        passport = json.loads((root / roles["engine"].folder / "passport.json").read_text("utf-8"))
        packed.append(
            {
                "precision": precision, "graph": graph, "data": f"{precision}.weights", "weights": weights,
                "plan": {"member": None, "sha256": passport["sha256"], "bytes": passport["bytes"]},
                "tf32": variant.spec.precision.tf32, "outputs": member,
                "max_abs": variant.spec.model.validation.limits(precision).get("max_abs"),
            }
        )  # fmt: skip
    contents.members |= {f"weights/{digest}": content for digest, content in blobs.items()}
    roles, variant = next(iter(p.plan.variants.values())), next(iter(p.plan.specs.values()))
    reference = roles["reference"]
    contents.members["arrays/source.npz"] = _first_rows(root, reference, samples)
    contents.members["arrays/exported.npz"] = _first_rows(root, roles["infer-export"], samples)
    feeds = _feeds(root, roles["infer-export"], samples)
    contents.members["arrays/inputs.npz"] = npz(feeds)
    engine = roles["engine"]
    toolchain = variant.spec.tensorrt
    return {
        "schema_version": SCHEMA_VERSION, "trtbuild": trtbuild.__version__, "model": variant.names.model,
        "rounded": rounded, "samples": samples, "batches": list(batches),
        "inputs": {name: str(array.dtype) for name, array in feeds.items()},
        "profiles": _profiles(engine),
        "outputs": _graph_outputs(root, roles["lower"]),
        "toolchain": {
            "flavour": toolchain.flavour, "version": toolchain.version,
            "supported": list(toolchain.compute_capabilities),
        },
        "feeds": "arrays/inputs.npz", "source": "arrays/source.npz", "source_runtime": reference.label,
        "exported": "arrays/exported.npz", "variants": packed, "sha256": {},
    }, contents  # fmt: skip


def _batches(variant: Variant) -> Sequence[int]:
    """BATCHES where the model takes any; otherwise the one that it takes."""
    shapes = [one.shapes for one in variant.spec.model.inputs.values() if one.shapes[1]]
    fixed = {low[0] for low, _, high in shapes if low[0] == high[0]}
    return sorted(fixed)[:1] if fixed else BATCHES


def _profiles(engine: Step) -> dict[str, list[list[int]]]:
    profiles: Any = engine.params["profiles"]  # as its declaration made them
    return {name: [list(shape) for shape in shapes] for name, shapes in profiles.items()}


def _graph_outputs(root: Path, lower: Step) -> list[str]:
    import onnx

    return [value.name for value in onnx.load(root / lower.folder / "lowered.onnx").graph.output]


def _first_rows(root: Path, step: Step, samples: int) -> bytes:
    """The outputs of the first samples.

    Raises:
        ConfigError: an output whose rows are not samples: nothing says which of them belong to the first ones.
    """
    facts = json.loads((root / step.folder / "runtime.json").read_text("utf-8"))
    other = [name for name, row in facts["rows"].items() if row != "sample"]
    if other:
        raise ConfigError(
            f"output '{other[0]}' has no row for each sample", where="selftest", hint="choose other models"
        )
    stored = outputs.load(root / step.folder / "outputs.npz")
    return npz({name: np.resize(array[:samples], (samples, *array.shape[1:])) for name, array in stored.items()})


def _feeds(root: Path, step: Step, samples: int) -> dict[str, Array]:
    params: Any = step.params  # as its declaration made them
    path = root / step.inputs["data"].path if "data" in step.inputs else None
    source = data.Source(params["data"], path, params["inputs"], set_place(params))
    return dict(one_batch(source.samples(), params["inputs"], samples))
