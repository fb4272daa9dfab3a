"""Layer by layer: the exported and the lowered graph against the reference's intermediate values, within a budget.

The reference's values lie in files (TensorFlow's, written by tfvalues; or, for a source that is ONNX already, the
exported graph's own).  Both graphs run with as many tensors as further outputs as fit the budget at a time; then both
are cut at every compared tensor and fed with the reference's values, which gives each layer's own error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trtbuild.kit import layererror, outputs, rounding, taps
from trtbuild.kit.graph import element_types, producers

Array = np.ndarray[Any, Any]


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
    """Compare every tensor that is mapped.

    Args:
        values: folder with ``index.json`` and the reference's arrays; empty when the source is ONNX.
        options: ``mode``, ``scope``, ``op``, ``max_bytes``, ``runtime`` of the step.

    Returns:
        ``layers`` in topological order, ``taps`` (what was compared, what was not, and why), ``final``: the final
        outputs of the tapped runs, ``reference``: what the values are.
    """
    return _Inspection(exported, lowered, scopes, values, feeds, options, from_tensorflow).run()


@dataclass
class _Side:
    """One graph: its float32 form (low precisions emulated), and which of its tensors hold low-precision values."""

    name: str
    model: Any
    emulated: list[str]
    low: dict[str, int]
    computed_in: dict[str, str]  # tensor -> dtype
    activations: list[str]  # of the graph itself, not of its emulation

    @classmethod
    def read(cls, name: str, path: Path) -> _Side:
        import onnx

        model = onnx.load(path)
        emulated = rounding.low_types(model)
        kinds = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
        types, every = element_types(model), taps.activations(model)
        low = {tensor: kind for tensor, kind in types.items() if kind in kinds}
        # An output that was cast back to float32 at the end was computed in what it was cast from.
        for node in model.graph.node:
            if node.op_type == "Cast" and types.get(node.input[0]) in kinds:
                types[node.output[0]] = types[node.input[0]]
        names = {tensor: onnx.helper.tensor_dtype_to_np_dtype(kind).name for tensor, kind in types.items() if kind}
        return cls(name, rounding.emulate(model) if emulated else model, emulated, low, names, every)


@dataclass
class FinalOutputs:
    """Final outputs of the tapped runs, to be compared with those of the runs without taps."""

    seen: dict[str, dict[str, Array]] = field(default_factory=dict)

    def compare(self, side: str, untapped: Path, rows: int | None) -> dict[str, Any]:
        """Largest difference of any output, and relative to the output's RMS; ``equal``: to the last bit."""
        plain = outputs.load(untapped)
        largest = relative = 0.0
        compared, equal = [], True
        for name, value in sorted(self.seen.get(side, {}).items()):
            want = np.asarray(plain[name][: len(np.atleast_1d(value))]) if name in plain else None
            have = np.atleast_1d(value)[:rows]
            want = None if want is None else want[: len(have)]
            if want is None or want.shape != have.shape:
                continue
            error = layererror.errors(want, have)
            compared.append(name)
            equal &= np.array_equal(want, have, equal_nan=have.dtype.kind == "f")
            largest = max(largest, error["max_abs"] or 0.0)
            relative = max(relative, error["nrmse"] or 0.0)
        return {"compared": compared, "equal": bool(compared) and equal, "max_abs": largest, "nrmse": relative}


class _Inspection:
    def __init__(
        self, exported: Path, lowered: Path, scopes: Mapping[str, Any], values: Path, feeds: Mapping[str, Array],
        options: Mapping[str, Any], from_tensorflow: bool,
    ) -> None:  # fmt: skip
        self.sides = {"exported": _Side.read("exported", exported), "lowered": _Side.read("lowered", lowered)}
        self.scopes, self.values, self.feeds, self.options = scopes, values, feeds, options
        self.from_tensorflow = from_tensorflow
        self.final = FinalOutputs()
        self.pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        self.layouts: dict[str, int] = {}  # which candidate of fit_layout holds the values
        self.index: dict[str, str] = {}

    def run(self) -> dict[str, Any]:
        graph = self.sides["exported"].model
        every = self.sides["exported"].activations
        if not self.from_tensorflow:
            self._reference_from_export(every)
        self.index = json.loads((self.values / "index.json").read_text("utf-8"))
        # What ONNX holds in floating point may be an integer in TensorFlow (a mask, say): nothing to compare or feed.
        mapped = [name for name in every if name in self.index and self._stored(name).dtype.kind == "f"]
        unmapped = [name for name in every if name not in set(mapped)]
        chosen = self._chosen(mapped)
        cumulative: dict[str, dict[str, Any]] = {}
        proof: dict[str, bool] = {}
        for group in self._groups(chosen, copies=2):
            self._compare_group(group, cumulative, proof)
        parents = taps.parents(graph, set(chosen))
        wrong = self._wrongly_mapped(chosen, parents, proof, cumulative) if self.from_tensorflow else {}
        chosen = [name for name in chosen if name in cumulative and name not in wrong]
        cuts = [*chosen, *self._feeding(chosen, [name for name in mapped if name not in wrong])]
        parents = taps.parents(graph, set(cuts))
        self._keep_reference_outputs(graph)
        local = self._local(chosen, cuts)
        expected = self._expected_int8(chosen, cuts)
        self.pool.shutdown()
        between = taps.segments(graph, set(cuts))
        layers = [
            self._row(name, cumulative[name], local[name], expected.get(name), parents[name], proof, between[name])
            for name in chosen
        ]
        by_cumulative = sum(proof.get(name, False) for name in chosen)
        return {
            "layers": layers,
            "final": self.final,
            "reference": "TensorFlow" if self.from_tensorflow else "the exported graph (its source is ONNX)",
            "taps": {
                "mode": self.options["mode"], "tensors": len(every), "mapped": len(mapped) - len(wrong),
                "compared": len(chosen), "same_value": by_cumulative,
                "proved": sum(layer["proof"] != "none" for layer in layers),
                "unmapped": unmapped, "wrongly_mapped": wrong,
                "emulated": self.sides["lowered"].emulated,
            },
        }  # fmt: skip

    # --- what is compared --------------------------------------------------------------------------------------

    def _chosen(self, mapped: list[str]) -> list[str]:
        """The mapped tensors that the mode, scope and op ask for."""
        scope, op = self.options["scope"], self.options["op"]
        if scope or op:
            from trtbuild.kit.scopes import in_scope

            about = {name: self._about(name) for name in mapped}
            mapped = [
                name for name in mapped
                if (not scope or in_scope(f"{about[name]['scope']}/{about[name]['tensor']}", scope))
                and (not op or op in (about[name]["type"], about[name]["op"]))
            ]  # fmt: skip
        if self.options["mode"] == "fusion":
            unfused = self._unfused("exported") & self._unfused("lowered")
            mapped = [name for name in mapped if name in unfused]
        return mapped

    def _unfused(self, side: str) -> set[str]:
        """Tensors that are still there after the runtime's fusions."""
        import onnx

        path = self.values / f"{side}.optimised.onnx"
        self._open(self.sides[side], [], level="extended", optimised=path)
        kept = {name for node in onnx.load(path).graph.node for name in node.output}
        path.unlink()
        return kept

    # --- runs --------------------------------------------------------------------------------------------------

    @property
    def _level(self) -> str:
        return {"all": "basic", "fusion": "extended", "per_op": "all"}[self.options["mode"]]

    def _open(self, side: _Side, names: Sequence[str], level: str = "", optimised: Path | None = None) -> Any:
        graph = taps.with_outputs(side.model, names, only=self.options["mode"] == "per_op" and bool(names))
        return self._session(graph, side, level or self._level, optimised)

    def _session(self, graph: Any, side: _Side, level: Any, optimised: Path | None = None) -> Any:
        from trtbuild.runtimes.onnxruntime import OnnxRuntimeSession

        content = graph.SerializeToString()
        graph.Clear()
        name = f"{side.name} graph"
        runtime = self.options["runtime"]
        tf32 = bool(runtime.get("tf32", False)) and side.name == "lowered"
        return OnnxRuntimeSession(content, name, runtime["providers"], level, side.emulated, optimised, tf32)

    def _run(self, side: _Side, names: Sequence[str]) -> dict[str, Array]:
        """Values of ``names`` in one side's graph; final outputs are kept for the check at the end."""
        made = {name for node in side.model.graph.node for name in node.output}
        session = self._open(side, [name for name in names if name in made])
        values: dict[str, Array] = session.run({name: self.feeds[name] for name in session.inputs})
        finals = {value.name for value in side.model.graph.output}
        self.final.seen.setdefault(side.name, {}).update({n: v.copy() for n, v in values.items() if n in finals})
        return {name: values[name] for name in names if name in values}

    def _groups(
        self, names: Sequence[str], copies: int, arrays: Mapping[str, Sequence[str]] | None = None
    ) -> list[list[str]]:
        """Runs whose arrays fit the budget; a run of its own for each tensor in per-op mode.

        ``arrays``: all that a name brings into memory (what it is fed with, say); the default is itself.
        """
        if self.options["mode"] == "per_op":
            return [[name] for name in names]
        sizes = {name: sum(self._stored(a).nbytes for a in (arrays or {}).get(name, [name])) for name in names}
        return layererror.groups(sizes, max(1, self.options["max_bytes"] // copies))

    def _stored(self, name: str) -> Array:
        stored: Array = np.load(self.values / self.index[name], mmap_mode="r", allow_pickle=False)
        return stored

    def _reference(self, name: str, shape: tuple[int, ...] | None = None) -> Array | None:
        """The reference's values in ONNX's layout (the one that fitted before), or None."""
        stored = self._stored(name)
        if not self.from_tensorflow:
            return np.asarray(stored, dtype=np.float32)
        candidates = layererror.fit_layout(stored, shape or self._shapes[name], self._about(name)["layout"])
        if not candidates:
            return None
        chosen = candidates[min(self.layouts.get(name, 0), len(candidates) - 1)]
        return np.ascontiguousarray(chosen, dtype=np.float32)

    def _reference_from_export(self, every: Sequence[str]) -> None:
        """The exported graph's own values, one after another so that the budget holds."""
        index: dict[str, str] = {}
        side = self.sides["exported"]
        batch = max(len(array) for array in self.feeds.values())
        shapes = _static_shapes(side.model, batch)
        sizes = {name: 4 * int(np.prod(shapes[name])) if name in shapes else 1 << 62 for name in every}
        for group in layererror.groups(sizes, self.options["max_bytes"]):
            for name, value in self._run(side, group).items():
                index[name] = f"{len(index)}.npy"
                np.save(self.values / index[name], value, allow_pickle=False)
        (self.values / "index.json").write_text(json.dumps(index), "utf-8")

    def _keep_reference_outputs(self, graph: Any) -> None:
        names = [value.name for value in graph.graph.output if value.name in self.index]
        self.final.seen["reference"] = {name: np.asarray(self._stored(name)) for name in names}

    _shapes: dict[str, tuple[int, ...]]

    def _compare_group(self, group: list[str], cumulative: dict[str, dict[str, Any]], proof: dict[str, bool]) -> None:
        have = {side.name: self._run(side, group) for side in self.sides.values()}
        self._shapes = getattr(self, "_shapes", {}) | {name: value.shape for name, value in have["exported"].items()}

        def compare(name: str) -> tuple[str, dict[str, Any], bool] | None:
            exported, lowered = have["exported"].pop(name, None), have["lowered"].pop(name, None)
            if exported is None or (reference := self._best_layout(name, exported)) is None:
                return None
            found: dict[str, Any] = {}
            same = True
            if self.from_tensorflow:
                found["export"] = layererror.errors(reference, exported)
                same = layererror.same_values(found["export"], reference)
            if lowered is not None and lowered.shape == reference.shape:
                if self.from_tensorflow:
                    found["precision"] = layererror.errors(exported, lowered)
                found["total"] = layererror.errors(reference, lowered)
            return name, found, same

        for done in self.pool.map(compare, group):
            if done is not None:
                name, cumulative[name], proof[name] = done

    def _best_layout(self, name: str, exported: Array) -> Array | None:
        """Where shapes cannot tell the layout, values do."""
        if not self.from_tensorflow:
            return self._reference(name)
        candidates = layererror.fit_layout(self._stored(name), exported.shape, self._about(name)["layout"])
        if len(candidates) > 1:
            distances = [float(np.nan_to_num(np.abs(c - exported)).sum(dtype=np.float64)) for c in candidates]
            self.layouts[name] = int(np.argmin(distances))
        return self._reference(name, exported.shape)

    # --- local errors ------------------------------------------------------------------------------------------

    def _feeding(self, chosen: Sequence[str], mapped: Sequence[str]) -> list[str]:
        """Tensors that were not asked for, but feed those that were; only ones whose values are the reference's."""
        side = self.sides["exported"]
        parents = taps.parents(side.model, set(mapped))
        wanted = {parent for name in chosen for parent in parents[name]} & set(mapped) - set(chosen)
        found = []
        for group in self._groups([name for name in mapped if name in wanted], copies=2):
            for name, value in self._run(side, group).items():
                self._shapes[name] = value.shape
                reference = self._best_layout(name, value)
                if reference is not None and (
                    not self.from_tensorflow or layererror.same_values(layererror.errors(reference, value), reference)
                ):
                    found.append(name)
        return found

    def _local(self, names: Sequence[str], cuts: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Each layer's own error, on both sides."""
        found: dict[str, dict[str, Any]] = {name: {} for name in names}
        hops = {"exported": "export", "lowered": "total"}
        for side in self.sides.values():
            if side.name == "exported" and not self.from_tensorflow:
                continue
            for name, errors in self._local_errors(side, cuts, names).items():
                found[name][hops[side.name]] = errors
        return found

    def _expected_int8(self, names: Sequence[str], cuts: Sequence[str]) -> dict[str, float]:
        """What int8 has to cost each quantised layer: the exported graph quantised afresh, for this very input.

        Scales from the reference's own largest values, weights from the exported graph: a wrong scale or weight of the
        lowered graph shows as an excess over this.
        """
        quantised = {node for node, kind in self.options["compute"].items() if kind == "int8"}
        if not quantised:
            return {}
        import onnx

        from trtbuild.kit import qdq
        from trtbuild.kit.graph import hoist_constants

        model = onnx.ModelProto()
        model.CopyFrom(self.sides["exported"].model)
        hoist_constants(model.graph)
        nodes = [node for node in model.graph.node if node.name in quantised]
        layers = {output for node in nodes for output in node.output}
        scales = _scales(self.sides["lowered"].model)
        ranges = {
            name: self._range(name, qdq.LARGEST * scales.get(name, 0.0)) for name in qdq.activations(nodes, model.graph)
        }
        qdq.insert(model, nodes, ranges)
        errors = self._local_errors(
            _Side("ideal", model, [], {}, {}, []), cuts, [name for name in names if name in layers]
        )
        return {name: found["nrmse"] for name, found in errors.items() if found["nrmse"] is not None}

    def _range(self, name: str, otherwise: float) -> float:
        """The largest magnitude of a tensor, by the reference's values; for one that is not mapped, ``otherwise``."""
        value = self.feeds.get(name)
        if value is None and name in self.index:
            value = self._stored(name)
        return otherwise if value is None else float(np.abs(value).max(initial=0.0))

    def _local_errors(self, side: _Side, cuts: Sequence[str], wanted: Sequence[str]) -> dict[str, Any]:
        """Errors of ``wanted`` in a graph cut at ``cuts`` and fed with the reference's values."""
        made = {name for node in side.model.graph.node for name in node.output}
        at = [name for name in cuts if name in made]
        found: dict[str, Any] = {}
        fed = taps.parents(side.model, set(at))
        stored = {name: [name, *(p for p in fed.get(name, ()) if p in self.index)] for name in wanted if name in made}
        for group in self._groups(list(stored), copies=2, arrays=stored):
            found |= self._local_group(side, at, group)
        return found

    def _local_group(self, side: _Side, at: Sequence[str], group: Sequence[str]) -> dict[str, Any]:
        graph = taps.cut(side.model, at, group, {name: kind for name, kind in side.low.items() if name in set(at)})
        session = self._session(graph, side, "basic")
        feeds: dict[str, Array] = {}
        for name in session.inputs:
            tensor = name.removesuffix(taps.FED)
            value = self.feeds[name] if name in self.feeds else self._reference(tensor)
            assert value is not None
            feeds[name] = value
        values: dict[str, Array] = session.run(feeds)
        feeds.clear()

        def compare(name: str) -> dict[str, Any] | None:
            value, reference = values.pop(f"{name}{taps.LOCAL}"), self._reference(name)
            return None if reference is None or value.shape != reference.shape else layererror.errors(reference, value)

        done = zip(group, self.pool.map(compare, group), strict=True)
        return {name: errors for name, errors in done if errors is not None}

    # --- what it means -----------------------------------------------------------------------------------------

    def _wrongly_mapped(
        self, names: Sequence[str], parents: Mapping[str, Sequence[str]], proof: Mapping[str, bool],
        cumulative: Mapping[str, Any],
    ) -> dict[str, str]:  # fmt: skip
        """Tensors that differ from their counterpart although everything computed from them agrees.

        A wrong value would be passed on; so the map is wrong, not the graph.
        """
        off = {name: errors["export"]["nrmse"] or 0.0 for name, errors in cumulative.items()}
        certain = {value.name for value in self.sides["exported"].model.graph.output}  # mapped by the model's own names
        children: dict[str, list[str]] = {}
        for name in names:
            for parent in parents[name]:
                children.setdefault(parent, []).append(name)
        wrong: dict[str, str] = {}
        for name in reversed(names):
            for child in [c for c in children.get(name, ()) if c in wrong]:  # look through what is wrong itself
                children[name] += children.get(child, [])
            judged = [child for child in children.get(name, ()) if child not in wrong]
            if name not in proof:
                wrong[name] = "its shape is not that of the TensorFlow tensor"
            elif (
                not proof[name]
                and name not in certain
                and judged
                and all(proof[child] and layererror.OTHER_VALUES * off[child] < off[name] for child in judged)
            ):
                wrong[name] = "its values differ, but everything computed from it agrees"
        return wrong

    def _about(self, name: str) -> dict[str, Any]:
        """What is known of a tensor: TensorFlow's tensor, op type and scope, the ONNX op, the layout."""
        if not hasattr(self, "_made_by"):
            self._made_by = producers(self.sides["exported"].model.graph)
        node = self._made_by[name]
        entry = self.scopes["tensors"].get(name, {})
        owner = self.scopes["nodes"].get(node.name, {})
        path = owner.get("name") or node.name
        return {
            "tensor": entry.get("tensor", name), "layout": entry.get("layout"), "op": node.op_type,
            "type": owner.get("type", node.op_type), "path": path, "scope": path.rpartition("/")[0], "node": node.name,
        }  # fmt: skip

    def _dtype(self, name: str, nodes: Collection[str]) -> str:
        """The lowest of ``lower``'s promises for the convolutions and products in it; else its result's type."""
        promised = {self.options["compute"].get(node) for node in nodes}
        own = self.sides["lowered"].computed_in.get(name, "float32")
        return next((kind for kind in ("int8", "bfloat16", "float16") if kind in promised), own)

    def _row(
        self, name: str, cumulative: Mapping[str, Any], local: Mapping[str, Any], expected: float | None,
        parents: Sequence[str], proof: Mapping[str, bool], nodes: Collection[str],
    ) -> dict[str, Any]:  # fmt: skip
        about = self._about(name)
        export = local.get("export", {"nrmse": None, "nonfinite": 0})
        small = export["nrmse"] is not None and export["nrmse"] < layererror.SAME_VALUES
        by_local = small and not export["nonfinite"]
        how = "value" if proof.get(name) else "local value" if by_local else "none"
        return {
            "name": name, "tensor": about["tensor"], "path": about["path"], "scope": about["scope"],
            "type": about["type"], "op": about["op"], "dtype": self._dtype(name, nodes),
            "shape": list(self._shapes[name]), "parents": list(parents),
            "proof": how if self.from_tensorflow else "same graph",
            "cumulative": dict(cumulative), "local": dict(local), "expected_nrmse": expected,
        }  # fmt: skip


def _scales(model: Any) -> dict[str, float]:
    """Scale of every tensor that is quantised as a whole."""
    import onnx

    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    return {
        node.input[0]: float(onnx.numpy_helper.to_array(constants[node.input[1]]))
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[1] in constants and not constants[node.input[1]].dims
    }


def _static_shapes(model: Any, batch: int) -> dict[str, tuple[int, ...]]:
    """Shapes that inference knows, the first dimension filled with the batch."""
    import onnx

    found = {}
    for value in onnx.shape_inference.infer_shapes(model).graph.value_info:
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if dims and dims[0] == 0:
            dims[0] = batch
        if all(dims):
            found[value.name] = tuple(dims)
    return found
