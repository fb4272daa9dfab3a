"""A model of the workspace as a subject: exported, lowered and measured by a build's steps, which are kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError
from trtbuild.base.workspace import Workspace
from trtbuild.core.plan import make_plan
from trtbuild.core.spec import Variant
from trtbuild.reducing.sourceparts import Source
from trtbuild.reducing.subject import Subject
from trtbuild.suite.case import TOLERANCES, Tolerance

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array
    from trtbuild.graphs.scopes import ScopeMap

STEPS = ("deviation",)  # and what it needs: everything but the engine


def of_model(workspace: Workspace, overrides: Sequence[str], *, install: bool) -> Subject:
    """Bring a variant's steps up to date, all but its engine, and read their artifacts.

    Raises:
        TrtbuildError: a step failed; ConfigError: the words do not make a variant.
    """
    import onnx

    from trtbuild import config
    from trtbuild.building.planned import Planned
    from trtbuild.building.run import build_planned
    from trtbuild.config import named
    from trtbuild.graphs.placement import scoped
    from trtbuild.steps import Declarations
    from trtbuild.store import Store

    words, names = _versions(workspace, overrides)
    variant = config.load_variant(workspace.root, words)
    plan = make_plan([variant], STEPS, Declarations())
    outcome = build_planned(Planned(workspace, Store(workspace), plan), install=install)
    for error in outcome.failures.values():
        raise error
    steps = {role: workspace.root / step.folder for role, step in next(iter(plan.variants.values())).items()}
    model, lowering = variant.spec.model, variant.lowering
    inputs = model.inputs
    limit = model.validation.limits(lowering.precision).get("max_abs")
    exported = onnx.load(steps["export"] / "model.onnx")
    scopes: ScopeMap = json.loads((steps["export"] / "scopes.json").read_text("utf-8"))
    feeds = _first_batch(workspace, variant)
    rows = len(next(iter(feeds.values())))
    return Subject(
        onnx.load(steps["lower"] / "lowered.onnx"), exported,
        {name: list(spec.shapes[1]) for name, spec in inputs.items()},
        {name: [list(s) for s in spec.shapes] for name, spec in inputs.items() if None in spec.shape},
        lowering, {name: named.toolchain(workspace.root, name) for name in names}, variant.spec.target,
        "a model of a workspace", variant.names.model,
        TOLERANCES[lowering.coarsest] if limit is None else Tolerance(limit, 0.0),
        scoped(exported, lowering, scopes["nodes"]), feeds, _head(steps["reference"] / "outputs.npz", rows),
        compare=True, source=_source(steps["export"], scopes),
        secrets=(variant.names.model, str(workspace.root)),
    )  # fmt: skip


def _source(export: Path, scopes: ScopeMap) -> Source | None:
    """TensorFlow's graph, if the model was exported from one."""
    frozen = export / "frozen.pb"
    if not frozen.exists():
        return None
    return Source(frozen, scopes["tensors"], {name: entry["type"] for name, entry in scopes["nodes"].items()})


def _versions(workspace: Workspace, overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of one variant, and all versions named by ``tensorrt=A,B``."""
    from trtbuild import config
    from trtbuild.config import named

    rest = [word for word in overrides if not word.startswith("tensorrt=")]
    given = [word.partition("=")[2].split(",") for word in overrides if word.startswith("tensorrt=")]
    names = given[-1] if given else [named.default_option(workspace.root, "tensorrt")]
    config.check_choices(workspace.root, [f"tensorrt={name}" for name in names])
    if not any(word.startswith("model=") for word in rest):
        raise ConfigError(
            "no model is named", where=" ".join(overrides), hint="write model=NAME, or name an .onnx file"
        )
    return [*rest, f"tensorrt={names[0]}"], names


def _first_batch(workspace: Workspace, variant: Variant) -> dict[str, Array]:
    """The inputs of the first call that a step makes with the validation data."""
    from trtbuild.arrays import data
    from trtbuild.core.recipes import set_params, set_place
    from trtbuild.core.spec import VALIDATION
    from trtbuild.core.spec.data import BATCH

    params = set_params(variant.spec.model, VALIDATION)
    source = params["data"]
    path = workspace.root / source if isinstance(source, str) else None
    sys.path.append(str(workspace.root))  # a workspace's own factories are importable
    samples = data.Source(source, path, params["inputs"], set_place(params)).samples()
    return dict(next(iter(samples.batches(params["inputs"], BATCH))).feeds)


def _head(path: Path, rows: int) -> Mapping[str, Array]:
    """The first rows of each recorded output."""
    from trtbuild.arrays import outputs

    return {name: array[:rows] for name, array in outputs.load(path).items()}
