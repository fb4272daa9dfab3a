"""What executes a variant of an archive: its engine in TensorRT, or its graph in ONNX Runtime on the GPU or the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from trtbuild.arrays.arrayfile import Array
from trtbuild.base.errors import EngineError, ToolchainError
from trtbuild.documents.selftest import ArchiveVariant
from trtbuild.machine import gpu
from trtbuild.selftest.archive import Archive

LAYERS = 25  # the slowest
PROFILE_S, PROFILE_RUNS = 0.3, 20
Feeds = Mapping[str, Array]


class Session(Protocol):
    about: Any

    def run(self, feeds: Feeds) -> Any: ...


class Graph:
    """A variant's graph in ONNX Runtime, on the GPU or the CPU."""

    def __init__(self, archive: Archive, variant: ArchiveVariant, folder: Path, place: str) -> None:
        from trtbuild.runtimes import onnxruntime

        self.path = folder / Path(variant["graph"]).name
        if not self.path.exists():
            archive.unpack_graph(variant, folder)
        self.on_gpu, self.tf32 = place == "cuda", variant["tf32"]
        self.runtime: onnxruntime.Runtime = {
            "providers": [onnxruntime.CUDA if self.on_gpu else onnxruntime.CPU], "tf32": self.tf32,
        }  # fmt: skip

    def open(self) -> Session:
        from trtbuild.runtimes import onnxruntime, resident

        if self.on_gpu:
            return resident.ResidentSession(self.path, tf32=self.tf32)
        return onnxruntime.open_timed(self.path, self.runtime, threads=0)

    def details(self, feeds: Feeds) -> tuple[dict[str, int], list[dict[str, object]]]:
        """Kernels by kind, those on the CPU marked, and the slowest nodes; nothing where onnx is not installed."""
        from trtbuild.runtimes import onnxruntime

        if find_spec("onnx") is None:
            return {}, []
        kernels = onnxruntime.count_kernels(self.path, self.runtime, 1, feeds)
        profile = onnxruntime.profile_nodes(self.path, self.runtime, 1, feeds, PROFILE_S, PROFILE_RUNS)
        times = {name: median(values) for name, values in profile.times.items() if values}
        slowest = sorted(times, key=lambda name: -times[name])[:LAYERS]
        return kernels, [{"name": n, "kind": profile.op_types.get(n, ""), "ms": round(times[n], 4)} for n in slowest]


class Engine:
    """A variant's engine, executed by TensorRT; one that was not packed is compiled here first."""

    def __init__(self, archive: Archive, variant: ArchiveVariant, folder: Path) -> None:
        toolchain = archive.manifest["toolchain"]
        self.options: Any = {
            "flavour": toolchain["flavour"], "tensorrt": toolchain["version"],
            "device": gpu.identity(gpu.find_device()),
        }  # fmt: skip
        self.path = folder / f"{variant['precision']}.plan"
        if self.path.exists():
            return
        member = variant["plan"]["member"]
        content = _compiled(archive, variant, folder) if member is None else archive.read(member)
        self.path.write_bytes(content)

    def open(self) -> Session:
        from trtbuild.runtimes import tensorrt

        return tensorrt.open_timed(self.path, self.options, 1)

    def details(self, feeds: Feeds) -> tuple[dict[str, int], list[dict[str, object]]]:
        from trtbuild.runtimes import tensorrt

        profile = tensorrt.profile_nodes(self.path, self.options, 1, feeds, PROFILE_S, PROFILE_RUNS)
        slowest = sorted(profile.rows[1:], key=lambda row: -row["medianMs"])[:LAYERS]
        return {}, [{"name": row["name"], "kind": "", "ms": row["medianMs"]} for row in slowest]


def _compiled(archive: Archive, variant: ArchiveVariant, folder: Path) -> bytes:
    from trtbuild.trt import api, trtlog

    if find_spec("polygraphy") is None:
        what = "its plan is not in the archive, and compiling it here needs polygraphy"
        raise ToolchainError(what, where=variant["precision"], hint="pip install polygraphy")
    manifest = archive.manifest
    trt = api.use_flavour(manifest["toolchain"]["flavour"], manifest["toolchain"]["version"])
    log = trtlog.make_log(trt, folder / "build.log")
    graph = archive.unpack_graph(variant, folder)
    parsed = api.parse(trt, log, graph.read_bytes(), graph)
    if parsed.complaints:
        raise EngineError(f"TensorRT refuses the graph: {parsed.complaints[0].words}", where=variant["precision"])
    return api.build(
        parsed, trt, log, {"profiles": manifest["profiles"], "compute_capabilities": [], "tf32": variant["tf32"]}
    ).plan
