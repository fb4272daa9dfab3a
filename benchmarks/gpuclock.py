"""``python -m benchmarks.gpuclock ARCHIVE…``: the self-test's times on a GPU against a loop of PyTorch's CUDA events.

Both call the same graph in ONNX Runtime with inputs and outputs in device memory, in turns.  The loop shares nothing
with ours: PyTorch's own stream, events and buffers, bound by address.  Needs a GPU, onnxruntime-gpu and PyTorch.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from trtbuild.runtimes.resident import ResidentSession
from trtbuild.selftest.archive import Archive
from trtbuild.selftest.execution import ArchiveArrays

WARMUP_S, CALLS = 1.0, 300


class TorchLoop:
    """The graph on a stream of PyTorch, timed by PyTorch's events."""

    def __init__(self, graph: Path, feeds: dict[str, Any], outputs: dict[str, Any], *, tf32: bool) -> None:
        import onnxruntime as ort
        import torch

        self.stream = torch.cuda.Stream()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        provider = (
            "CUDAExecutionProvider",
            {"user_compute_stream": str(self.stream.cuda_stream), "use_tf32": str(int(tf32))},
        )
        self.session = ort.InferenceSession(str(graph), options, providers=[provider])
        self.binding = self.session.io_binding()
        self.tensors = []
        for name, array in feeds.items():
            tensor = torch.from_numpy(np.ascontiguousarray(array)).cuda()
            self.tensors.append(tensor)
            self.binding.bind_input(name, "cuda", 0, array.dtype.type, array.shape, tensor.data_ptr())
        for name, array in outputs.items():
            tensor = torch.empty(array.shape, dtype=torch.from_numpy(array).dtype, device="cuda")
            self.tensors.append(tensor)
            self.binding.bind_output(name, "cuda", 0, array.dtype.type, array.shape, tensor.data_ptr())
        self.start, self.end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def time_us(self) -> float:
        self.start.record(self.stream)
        self.session.run_with_iobinding(self.binding)
        self.end.record(self.stream)
        self.end.synchronize()
        return float(1000 * self.start.elapsed_time(self.end))


def main(paths: list[str]) -> None:
    print("| model | precision | batch | ours, µs | PyTorch's loop, µs | ratio |\n|---|---|---|---|---|---|")
    for path in paths:
        archive = Archive(Path(path))
        arrays = ArchiveArrays(archive)
        for variant in archive.manifest["variants"]:
            with tempfile.TemporaryDirectory() as folder:
                graph = archive.unpack_graph(variant, Path(folder))
                for batch in archive.manifest["batches"]:
                    feeds = arrays.of(arrays.feeds, batch)
                    ours = ResidentSession(graph, tf32=variant["tf32"])
                    outputs = ours.run(feeds)
                    theirs = TorchLoop(graph, feeds, outputs, tf32=variant["tf32"])
                    a, b = in_turns(lambda f=feeds, s=ours: s.time_us(f), theirs.time_us)
                    names = f"{archive.manifest['model']} | {variant['precision']} | {batch}"
                    print(f"| {names} | {a:.1f} | {b:.1f} | {a / b:.3f} |", flush=True)


def in_turns(*timed: Callable[[], float]) -> list[float]:
    """Medians of calls made in turns, one of each after the other: the host's speed changes from second to second."""
    for call in timed:
        end = perf_counter() + WARMUP_S
        while perf_counter() < end:
            call()
    taken = [[call() for call in (timed if turn % 2 == 0 else timed[::-1])] for turn in range(CALLS)]
    ordered = [turn if i % 2 == 0 else turn[::-1] for i, turn in enumerate(taken)]
    return [median(samples) for samples in zip(*ordered, strict=True)]


if __name__ == "__main__":
    main(sys.argv[1:])
