"""A few golden inputs and outputs: the first validation samples, and what the source model computed for them."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from trtbuild.bundle.artifacts import Artifacts
from trtbuild.core.recipes import set_params, set_place
from trtbuild.core.record import dep_path
from trtbuild.core.spec import VALIDATION
from trtbuild.core.spec.data import BATCH
from trtbuild.core.step import File
from trtbuild.documents.bundle import Golden
from trtbuild.documents.deviation import RecordedOutputs, RuntimeFacts
from trtbuild.loader.manifest import METRICS

if TYPE_CHECKING:
    import numpy as np

    from trtbuild.arrays.samples import Batch

    Array = np.ndarray

FOLDER = "golden"
MARGIN = 2.0  # of what was measured, where no threshold applies: kernels differ from one device to the next
FLOOR = 1e-6  # of the largest element, where nothing at all was measured


@dataclass(frozen=True)
class GoldenArrays:
    golden: Golden
    files: Mapping[str, bytes]


def golden(artifacts: Artifacts, count: int) -> GoldenArrays | None:
    """The arrays of one call with at most ``count`` samples; None if none are wanted, or the data has changed since.

    Raises:
        ConfigError: the samples or the recorded outputs are not here, or have changed.
    """
    if not count or not _unchanged(artifacts):
        return None
    batch, whole = _batch(artifacts, count)
    reference, facts = _outputs(artifacts, "reference", batch, whole)
    computed, _ = _outputs(artifacts, last_run(artifacts), batch, whole)
    files: dict[str, bytes] = {}
    made: Golden = {
        "samples": batch.rows or 1, "inputs": {}, "outputs": {}, "limits": {}, "limits_from": {}, "reference": facts,
    }  # fmt: skip
    for i, (name, array) in enumerate(sorted(batch.feeds.items())):
        made["inputs"][name] = f"{FOLDER}/input-{i}.npy"
        files[made["inputs"][name]] = _npy(array)
    thresholds = artifacts.variant.spec.model.validation.limits(artifacts.variant.names.precision)
    for i, name in enumerate(sorted(reference.keys() & computed.keys())):
        made["outputs"][name] = f"{FOLDER}/output-{i}.npy"
        files[made["outputs"][name]] = _npy(reference[name])
        made["limits"][name], made["limits_from"][name] = limits(reference[name], computed[name], thresholds)
    return GoldenArrays(made, files) if made["outputs"] else None


def _unchanged(artifacts: Artifacts) -> bool:
    """Whether the validation data is what the recorded outputs were computed from; a forced bundle may have other."""
    step = artifacts.step("reference")
    deps = artifacts.record(step).deps
    named = [
        source.path for name, source in step.inputs.items() if name.startswith("data") and isinstance(source, File)
    ]
    return all(artifacts.source(path, deps[dep_path(step, path)]) for path in named)


def last_run(artifacts: Artifacts) -> str:
    """The role of the step whose outputs were judged: the engine's, or those of the graph that it was built from."""
    return "infer-lower" if artifacts.variant.spec.runtime.engine is None else "infer-engine"


def runtime_facts(recorded: RecordedOutputs) -> RuntimeFacts:
    about = cast(RuntimeFacts, dict(recorded))
    return cast(RuntimeFacts, {key: value for key, value in about.items() if key in RuntimeFacts.__annotations__})


def _batch(artifacts: Artifacts, count: int) -> tuple[Batch, bool]:
    """The first samples, and whether they are the whole first call of the recorded run."""
    from trtbuild.arrays import data

    model = artifacts.variant.spec.model
    params = set_params(model, VALIDATION)
    root = artifacts.store.root
    path = model.data.validation if isinstance(model.data.validation, str) else None
    sys.path.append(str(root))  # a workspace's own factories are importable
    source = data.Source(params["data"], None if path is None else root / path, params["inputs"], set_place(params))
    samples = source.samples()
    least = max((spec.shapes[0][0] for spec in model.inputs.values() if spec.shape), default=1)
    run = _recorded(artifacts, "reference")
    # Outputs that have no row for each sample are those of whole calls.
    size = min(max(count, least), BATCH) if set(run["rows"].values()) == {"sample"} else BATCH
    return next(iter(samples.batches(params["inputs"], size))), size == BATCH


def _outputs(
    artifacts: Artifacts, role: str, batch: Batch, whole: bool
) -> tuple[dict[str, Array], RuntimeFacts]:  # fmt: skip
    """The recorded outputs for this call; those of which it is not known where the first call ends are left out."""
    from trtbuild.arrays import outputs

    run = _recorded(artifacts, role)
    arrays = outputs.load(artifacts.file(role, "outputs.npz"))
    rows = {"sample": batch.rows or 1, "call": 1 if whole else 0, "other": 0}
    taken = {name: rows[run["rows"][name]] for name in arrays}
    made = {name: arrays[name][: taken[name]] for name in arrays if taken[name] and arrays[name].ndim}
    return made, runtime_facts(run)


def _recorded(artifacts: Artifacts, role: str) -> RecordedOutputs:
    return artifacts.document(role, "runtime.json", RecordedOutputs)


def limits(
    reference: Array, computed: Array, thresholds: Mapping[str, float]
) -> tuple[dict[str, float], Literal["thresholds", "measured"]]:
    """The thresholds that also hold on these samples alone; otherwise twice the largest error that was measured.

    A threshold is for all samples: a mean or a similarity can be worse on a few of them.
    """
    from trtbuild.loader.golden import broken_limits, difference

    found = difference(reference, computed)
    kept = {
        metric: float(limit)
        for metric, limit in sorted(thresholds.items())
        if metric in METRICS and not broken_limits({**found, "nonfinite": 0.0}, {metric: limit})
    }
    if kept:
        return kept, "thresholds"
    import numpy as np

    finite = np.abs(reference[np.isfinite(reference)])
    floor = FLOOR * float(finite.max()) if finite.size else 0.0
    return {"max_abs": max(MARGIN * (found.get("max_abs") or 0.0), floor)}, "measured"


def _npy(array: Array) -> bytes:
    """Version 1.0 of the format, C order, little-endian."""
    import numpy as np

    plain = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    file = io.BytesIO()
    np.lib.format.write_array(file, plain.reshape(array.shape), version=(1, 0), allow_pickle=False)
    assert math.prod(array.shape) * plain.itemsize <= file.tell()
    return file.getvalue()
