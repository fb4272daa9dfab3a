"""What to do next about a failed threshold: the page to read, and the override to try."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from trtbuild.base.errors import PlaceError
from trtbuild.building.states import VariantState
from trtbuild.core.verdict import EXPORT
from trtbuild.documents import reading
from trtbuild.documents.layers import Layer, Layers

_OTHERS = ("latency", "calibration", "engine", EXPORT)  # beginnings of checks that no override of precision mends
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*/[\w./-]*|[A-Za-z_]+\d[\w.-]*")  # a word alone might be null, true or inf
_KEPT = ("float32", "")  # what an override turns a layer into


def next_step(state: VariantState) -> str:
    """One line for a variant whose outputs or task metric exceed a threshold; "" for any other."""
    if state.word != "fail" or state.verdict is None:
        return ""
    failed = [name for name, check in state.verdict["checks"].items() if not check["passed"]]
    if not any(not name.startswith(_OTHERS) for name in failed) or any(name.startswith(EXPORT) for name in failed):
        return ""
    folder = state.roles["report"].folder
    layers = _layers(state)
    if layers is None:
        return f"next: {folder}/deviation.html shows on which hop it is lost; layers=default finds the layer"
    worst = most_lost(layers["layers"])
    if worst is None:
        return f"next: {folder}/layers.html; no layer loses precision by itself"
    override = _excluding(state, worst["scope"] or worst["path"])
    error = worst["local"]["total"]["nrmse"]
    return (
        f"next: {folder}/layers.html: {worst['path']} ({worst['type']}, {worst['dtype']}) loses most by itself "
        f"(error {error:.2g} of its RMS); try again with {override}"
    )


def _excluding(state: VariantState, scope: str) -> str:
    """The word, quoted for a shell, that keeps a scope out of the precision, and all that is kept out of it already."""
    precision = state.roles["validate"].params["precision"]
    lower = state.roles.get("lower")
    kept = None if lower is None else lower.params["exclude_scopes"]
    scopes = ",".join(map(_element, dict.fromkeys([*(kept if isinstance(kept, list) else ()), scope])))
    return shlex.quote(f"model.overrides.{precision}.exclude_scopes=[{scopes}]")


def _element(scope: str) -> str:
    """An element of a list in Hydra's grammar: quoted where it would not be read as this text."""
    if _PLAIN.fullmatch(scope):
        return scope
    escaped = re.sub(r'(\\*)("|$)', lambda at: at[1] * 2 + ('\\"' if at[2] else ""), scope)
    return f'"{escaped}"'


def most_lost(layers: Sequence[Layer]) -> Layer | None:
    """The layer with the largest error of its own among those in a lower precision; None if none has any."""
    lower = [layer for layer in layers if layer["dtype"] not in _KEPT]
    return max((layer for layer in lower if _own_error(layer) > 0.0), key=_own_error, default=None)


def _own_error(layer: Layer) -> float:
    error = layer["local"].get("total")
    return (error["nrmse"] or 0.0) if error is not None else 0.0


def _layers(state: VariantState) -> Layers | None:
    if state.steps.get("layers") != "fresh":
        return None
    try:
        return reading.read(state.root / state.roles["layers"].folder / "layers.json", Layers)
    except PlaceError:
        return None
