"""Layer by layer: the exported and the lowered graph against the reference's intermediate values, within a budget.

The reference's values are read from files: TensorFlow's, written by tfvalues, or the exported graph's own where the
source is already ONNX.  Both graphs run with as many tensors as extra outputs as fit the budget at a time; then both
are cut at every compared tensor and fed with the reference's values, which gives each layer's own error.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.layers import cumulativeerrors, int8cost, layererror, referencevalues, taps
from trtbuild.layers.cumulativeerrors import TensorComparison
from trtbuild.layers.inspectedgraph import InspectedGraph, read_graph
from trtbuild.layers.localerrors import LocalErrors
from trtbuild.layers.origins import Origin, is_asked_for, origins
from trtbuild.layers.tappedruns import runs_of
from trtbuild.layers.wrongmaps import SHAPE, UNDECIDED, VALUES, disproved_maps, suspects


def inspect(
    *,
    exported: Path,
    lowered: Path,
    scopes: Mapping[str, Any],
    values: Path,
    feeds: Mapping[str, Array],
    options: Mapping[str, Any],
    from_tensorflow: bool,
) -> dict[str, Any]:
    """Compare every tensor that the export maps to the source model.

    Args:
        values: folder with ``index.json`` and the reference's arrays; empty when the source is ONNX.
        options: ``mode``, ``scope``, ``op``, ``max_bytes``, ``runtime``, ``compute`` of the step.

    Returns:
        ``layers`` in topological order, ``taps`` (what was compared, what was not, and why), ``final`` (the final
        outputs of the tapped runs), ``reference`` (where the values come from).
    """
    high, low = read_graph("exported", exported), read_graph("lowered", lowered)
    runs = runs_of(options, feeds)
    if from_tensorflow:
        reference = referencevalues.of_tensorflow(values, scopes)
    else:
        reference = referencevalues.of_graph(values, high, runs)
    # A floating-point tensor in ONNX may be an integer in TensorFlow (a mask, say): nothing to compare or feed.
    mapped = [n for n in high.activations if n in reference.index and reference.stored(n).dtype.kind == "f"]
    unmapped = [name for name in high.activations if name not in set(mapped)]
    known = origins(mapped, high.model, scopes)
    chosen = [name for name in mapped if is_asked_for(known[name], options["scope"], options["op"])]
    if options["mode"] == "fusion":
        unfused = runs.unfused(high, values / "exported.optimised.onnx")
        unfused &= runs.unfused(low, values / "lowered.optimised.onnx")
        chosen = [name for name in chosen if name in unfused]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        compared = cumulativeerrors.compare(chosen, high, low, reference, runs, pool)
        parents = taps.parents(high.model, set(chosen))
        suspected = suspects(chosen, parents, compared, high.outputs) if from_tensorflow else {}
        disproof = disproved_maps(suspected, compared, high, reference, runs) if suspected else set()
        wrong = {name: SHAPE for name in chosen if name not in compared} | dict.fromkeys(disproof, VALUES)
        chosen = [name for name in chosen if name not in wrong]
        cuts = {name: compared[name].fit for name in chosen}
        feeding = _feeding(chosen, [name for name in mapped if name not in wrong], high)
        cuts |= cumulativeerrors.proved_fits(feeding, high, reference, runs)
        local = LocalErrors(cuts, reference, runs, pool)
        own = _own_errors(chosen, high, low, local)
        undecided = {n: UNDECIDED for n in suspected if n in own and _proof(compared[n], own[n]) == "none"}
        chosen = [name for name in chosen if name not in undecided]
        quantised = {node for node, kind in options["compute"].items() if kind == "int8"}
        expected = int8cost.expected_nrmse(chosen, quantised, high, low, local)
    runs.final.keep("reference", {n: np.asarray(reference.stored(n)) for n in high.outputs if n in reference.index})
    parents, between = taps.parents(high.model, set(cuts)), taps.segments(high.model, set(cuts))
    layers = [
        {
            **_described(name, known[name], compared[name]),
            "dtype": _dtype(low.computed_in.get(name, "float32"), between[name], options["compute"]),
            "parents": list(parents[name]),
            "proof": _proof(compared[name], own[name]) if from_tensorflow else "same graph",
            "local": own[name],
            "expected_nrmse": expected.get(name),
        }
        for name in chosen
    ]
    return {
        "layers": layers,
        "final": runs.final,
        "reference": "TensorFlow" if from_tensorflow else "the exported graph (its source is ONNX)",
        "taps": {
            "mode": options["mode"], "tensors": len(high.activations),
            "mapped": len(mapped) - len(wrong) - len(undecided),
            "compared": len(chosen), "same_value": sum(compared[name].same for name in chosen),
            "proved": sum(layer["proof"] != "none" for layer in layers),
            "unmapped": unmapped, "wrongly_mapped": wrong, "undecided": undecided, "emulated": low.emulated,
        },
    }  # fmt: skip


def _feeding(chosen: Sequence[str], mapped: Sequence[str], exported: InspectedGraph) -> list[str]:
    """Mapped tensors that were not chosen but feed those that were."""
    parents = taps.parents(exported.model, set(mapped))
    wanted = {parent for name in chosen for parent in parents[name]} - set(chosen)
    return [name for name in mapped if name in wanted]


def _own_errors(
    names: Sequence[str], exported: InspectedGraph, lowered: InspectedGraph, local: LocalErrors
) -> dict[str, dict[str, Any]]:
    """Each layer's own error in both graphs, by hop; an exported graph that is itself the reference has none."""
    export = local.of(exported, names) if local.reference.from_tensorflow else {}
    hops = {"export": export, "total": local.of(lowered, names)}
    return {name: {hop: errors[name] for hop, errors in hops.items() if name in errors} for name in names}


def _described(name: str, origin: Origin, compared: TensorComparison) -> dict[str, Any]:
    return {
        "name": name, "tensor": origin.tensor, "path": origin.path, "scope": origin.scope, "type": origin.type,
        "op": origin.op, "members": list(origin.members), "shape": list(compared.fit.shape),
        "cumulative": compared.errors,
    }  # fmt: skip


def _dtype(own: str, nodes: Collection[str], compute: Mapping[str, str]) -> str:
    """The lowest dtype that ``lower`` promised for a convolution or product in the layer; else its result's dtype."""
    promised = {word for node in nodes for word in compute.get(node, "").split(" ")}  # "float16 with int4 weights"
    return next((kind for kind in ("float4", "int4", "float8", "int8", "bfloat16", "float16") if kind in promised), own)


def _proof(compared: TensorComparison, own: Mapping[str, Any]) -> str:
    """How a tensor was proved to be its TensorFlow counterpart."""
    if compared.same:
        return "value"
    export = own.get("export", {"nrmse": None, "nonfinite": 0})
    small = export["nrmse"] is not None and export["nrmse"] < layererror.SAME_VALUES
    return "local value" if small and not export["nonfinite"] else "none"
