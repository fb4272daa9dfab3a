"""Executes an archive on this machine: its engines where TensorRT accepts the GPU, otherwise its graphs.

Needs NumPy and the runtime that executes; it never needs TensorFlow.
"""

from __future__ import annotations

import gc
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Literal

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.base.errors import ConfigError, PlaceError, ToolchainError, TrtbuildError
from trtbuild.base.text import did_you_mean
from trtbuild.deviation.statistics import measure as deviation_of
from trtbuild.documents.deviation import Statistics
from trtbuild.documents.selftest import ArchiveManifest, ArchiveVariant, Device, Execution, SelftestModel, Transfers
from trtbuild.latency.timing import summarise
from trtbuild.machine import clocks, device, gpu
from trtbuild.selftest.archive import Archive, variants
from trtbuild.selftest.backends import Engine, Feeds, Graph, Session

On = Literal["auto", "engine", "cuda", "cpu"]
CHOICES: tuple[On, ...] = ("auto", "engine", "cuda", "cpu")
ROUNDS = 5
COPIES = 20


@dataclass(frozen=True)
class Choice:
    """What to execute, where, and for how long each is timed (after half as much to warm up); empty: all there is."""

    on: On = "auto"
    precisions: Sequence[str] = ()
    batches: Sequence[int] = ()
    seconds: float = 2.0


def this_device() -> Device:
    found = gpu.find_device()
    return {
        "gpu": found.name if found else None,
        "compute_capability": found.compute_capability if found else None,
        "driver": found.driver if found else None,
        "cpu": device.cpu_model(),
        "cores": device.cores(),
        "python": platform.python_version(),
    }


def check_place(on: On) -> gpu.Device | None:
    """The GPU to execute on; None for the CPU.

    Raises:
        PlaceError: there is no GPU.
    """
    if on == "cpu":
        return None
    here = gpu.find_device()
    if here is None:
        hint = "--on cpu runs the graphs on this CPU, which tests the archive and no GPU"
        raise PlaceError(f"{gpu.absence()}, and a self-test is for one", where="selftest", hint=hint)
    return here


def chosen(manifest: ArchiveManifest, on: On) -> tuple[On, str | None]:
    """Where to execute, and why it is not the engine if nobody asked for something else.

    Raises:
        PlaceError: there is nothing here to execute it on.
    """
    here = check_place(on)
    if on == "cpu" or here is None:
        return "cpu", None
    if on == "cuda":
        return on, None
    refused = _refusal(manifest, here)
    if refused and on == "engine":
        raise ToolchainError(refused, where="selftest", hint="--on cuda runs the graphs in ONNX Runtime")
    return ("cuda", refused) if refused else ("engine", None)


def _refusal(manifest: ArchiveManifest, here: gpu.Device) -> str | None:
    from trtbuild.trt import api

    toolchain = manifest["toolchain"]
    title = f"{toolchain['flavour']} {toolchain['version']}"
    try:
        gpu.check_device(here, toolchain["supported"], (), title)
        api.use_flavour(toolchain["flavour"], toolchain["version"])
    except ImportError:
        return f"{title} is not installed in this Python"
    except TrtbuildError as error:
        return str(error)
    return None


def execute(
    archive: Archive, choice: Choice, note: Callable[[str], None] = lambda line: None,
    keep: Callable[[SelftestModel], None] = lambda model: None,
) -> SelftestModel:  # fmt: skip
    """Every chosen precision at every batch size, one after another; ``keep`` gets what is there after each.

    What one precision cannot do is its ``failed``; the others go on.

    Raises:
        ConfigError: a precision that is not in the archive.
        PlaceError: there is nothing here to execute it on, or the archive is damaged.
    """
    manifest = archive.manifest
    packed = [variant["precision"] for variant in manifest["variants"]]
    for precision in choice.precisions:
        if precision not in packed:
            raise ConfigError(
                f"unknown precision '{precision}'", where=str(archive.path), hint=did_you_mean(precision, packed)
            )
    place, refused = chosen(manifest, choice.on)
    if refused:
        note(f"{manifest['model']}: engines are not executed: {refused}")
    result: SelftestModel = {
        "model": manifest["model"], "archive_sha256": archive.sha256(), "trtbuild": manifest["trtbuild"],
        "rounded": manifest["rounded"], "refused": refused, "executions": [],
    }  # fmt: skip
    arrays = ArchiveArrays(archive)
    for variant in variants(manifest, choice.precisions):
        with tempfile.TemporaryDirectory(prefix="selftest-") as folder:
            for batch in choice.batches or manifest["batches"]:
                result["executions"].append(_one(archive, variant, batch, place, Path(folder), arrays, choice.seconds))
                gc.collect()  # a session's device memory goes with it
                note(line(manifest["model"], result["executions"][-1]))
                keep(result)
    return result


class ArchiveArrays:
    """The arrays of an archive, brought to a batch size by repeating the samples in their order."""

    def __init__(self, archive: Archive) -> None:
        manifest = archive.manifest
        self.samples = manifest["samples"]
        self.feeds = {
            name: array.astype(manifest["inputs"][name]) for name, array in archive.arrays(manifest["feeds"]).items()
        }
        self.source, self.exported = (archive.arrays(side) for side in (manifest["source"], manifest["exported"]))

    def of(self, arrays: Mapping[str, Array], batch: int) -> dict[str, Array]:
        """Arrays with an entry for each sample are repeated or cut; others stay."""
        return {
            name: np.ascontiguousarray(np.resize(a, (batch, *a.shape[1:])) if len(a) == self.samples else a)
            for name, a in arrays.items()
        }


def _one(
    archive: Archive, variant: ArchiveVariant, batch: int, place: On, folder: Path, arrays: ArchiveArrays,
    seconds: float,
) -> Execution:  # fmt: skip
    result: Execution = {
        "precision": variant["precision"], "batch": batch, "executes": "engine" if place == "engine" else "graph",
        "about": None, "failed": None, "deviation": {}, "within": None, "latency": None, "transfers": None,
        "kernels": {}, "layers": [], "clocks": [clocks.read()],
    }  # fmt: skip
    feeds = arrays.of(arrays.feeds, batch)
    try:
        runner = Engine(archive, variant, folder) if place == "engine" else Graph(archive, variant, folder, place)
        session = runner.open()
        outputs = _named(session.run(feeds), archive.manifest["outputs"])
        recorded = arrays.of(archive.arrays(variant["outputs"]), batch)
        source, exported = (arrays.of(side, batch) for side in (arrays.source, arrays.exported))
        result["deviation"] = {
            "export": _hop(source, exported), "precision": _hop(exported, recorded),
            "device": _hop(recorded, outputs), "total": _hop(source, outputs),
        }  # fmt: skip
        limit = variant["max_abs"]
        worst = [stats["max_abs"] for stats in result["deviation"]["total"].values()]
        if limit is not None:
            result["within"] = all(value is not None and value <= limit for value in worst)
        result["about"] = session.about
        result["latency"] = summarise(_rounds(session, feeds, seconds), batch)
        if place != "cpu":
            result["transfers"] = transfers(feeds, outputs)
        del session
        result["kernels"], result["layers"] = runner.details(feeds)
    except PlaceError:
        raise
    except TrtbuildError as error:
        result["failed"] = str(error)
    result["clocks"].append(clocks.read())
    return result


def _named(values: Any, names: Sequence[str]) -> dict[str, Array]:
    named = values if isinstance(values, Mapping) else dict(zip(names, values, strict=True))
    return {name: np.atleast_1d(np.asarray(value)) for name, value in named.items()}


def _hop(reference: Feeds, other: Feeds) -> dict[str, Statistics]:
    """Statistics of the outputs that both sides have in one shape."""
    return {
        name: deviation_of(reference[name], array.astype(np.float32) if array.dtype.kind == "V" else array).summary  # type: ignore[misc]
        for name, array in other.items()
        if name in reference and reference[name].shape == array.shape
    }


def _rounds(session: Any, feeds: Feeds, seconds: float) -> list[Array]:
    """Milliseconds of consecutive calls, in rounds, after a warm-up."""
    timed: Callable[[Feeds], float] = getattr(session, "time_us", None) or _wall_clock(session)
    _until(perf_counter() + seconds / 2, timed, feeds)
    return [np.array(_until(perf_counter() + seconds / ROUNDS, timed, feeds)) / 1000 for _ in range(ROUNDS)]


def _until(end: float, timed: Callable[[Feeds], float], feeds: Feeds) -> list[float]:
    taken = [timed(feeds)]
    while perf_counter() < end:
        taken.append(timed(feeds))
    return taken


def _wall_clock(session: Session) -> Callable[[Feeds], float]:
    def timed(feeds: Feeds) -> float:
        start = perf_counter()
        session.run(feeds)
        return 1e6 * (perf_counter() - start)

    return timed


def transfers(feeds: Feeds, outputs: Feeds) -> Transfers:
    """Copies of all inputs and of all outputs between ordinary (pageable) host memory and the GPU."""
    from trtbuild.trt.cuda import Cuda

    cuda = Cuda()
    taken: dict[str, float] = {}
    for way, arrays in (("upload", feeds), ("download", outputs)):
        pairs = [(np.ascontiguousarray(a), cuda.allocate(a.nbytes)) for a in arrays.values()]
        times = []
        for _ in range(COPIES):
            start = perf_counter()
            for array, buffer in pairs:
                if way == "upload":
                    cuda.upload(array, buffer)
                else:
                    cuda.download(buffer, array)
            times.append(1000 * (perf_counter() - start))
        taken[way] = round(median(times), 4)
    up, down = (sum(array.nbytes for array in arrays.values()) for arrays in (feeds, outputs))
    return {
        "upload_ms": taken["upload"], "download_ms": taken["download"], "upload_bytes": up, "download_bytes": down,
    }  # fmt: skip


def line(model: str, execution: Execution) -> str:
    """One execution in one line."""
    title = f"{model} {execution['precision']} batch {execution['batch']}: {execution['executes']}"
    if execution["failed"]:
        return f"{title} failed: {execution['failed']}"
    parts = [f"max deviation {max(_worst(execution, 'total'), default=0.0):.3g}"]
    with suppress(KeyError, TypeError):
        parts.append(f"{execution['latency']['p50_ms']['value']:.3f} ms")  # type: ignore[index]
    return f"{title} ran, {', '.join(parts)}"


def _worst(execution: Execution, hop: str) -> list[float]:
    return [value for stats in execution["deviation"].get(hop, {}).values() if (value := stats["max_abs"]) is not None]
