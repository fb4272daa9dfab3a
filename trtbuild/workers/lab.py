"""What makes a Dask worker one of ours: ``dask worker ADDRESS --preload trtbuild.workers.lab``.

It offers what this machine has as Dask resources (core/demand.py), and ends a step's processes when nobody wants its
result any more.  On a scheduler it sets how many deaths a step may cause, and when a silent worker is dead.  As a
program it prints this machine as a config names it: ``python -m trtbuild.workers.lab``.
"""

from __future__ import annotations

import contextlib
import json
import platform
import signal
import threading
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from distributed import Scheduler, Worker, WorkerPlugin

from trtbuild import config
from trtbuild.core.demand import CUDA_PACKAGE, capability_label, device_label, library, templates_label
from trtbuild.machine import device, gpu
from trtbuild.workers import task
from trtbuild.workers.executors.local import free_memory_bytes

# A worker that says nothing for so long is dead: its machine has stopped, or the network.  Dask looks at its own limit
# as seldom as that is long, so that a step would wait for up to ten minutes.
SILENCE_S, _DASKS_SILENCE_S = 60.0, 300.0
_RTX_MACHINES = ("x86_64", "AMD64")  # that tensorrt-rtx has wheels for


def offers(memory_bytes: int) -> dict[str, float]:
    """This machine's resources."""
    found, cpu = gpu.find_device(), device.identity()
    offered = {"memory": float(memory_bytes), "machine": 1.0, device_label(cpu): 1.0}
    offered |= {library(name, version): 1.0 for name, version in config.installed().items()}
    offered[templates_label(config.templates_digest(Path("/nowhere")))] = 1.0
    if platform.machine() in _RTX_MACHINES:
        offered["tensorrt-rtx"] = 1.0
    if found is not None:
        here = gpu.identity(found)
        executes = {key: here[key] for key in ("gpu", "compute_capability")}  # as in core/recipes.py
        offered |= {"gpu": 1.0, "tensorrt": 1.0, capability_label(found.compute_capability): 1.0}
        offered |= {device_label(executes): 1.0, device_label({**cpu, **here}): 1.0}
        with contextlib.suppress(PackageNotFoundError):
            offered |= {CUDA_PACKAGE: 1.0} if version(CUDA_PACKAGE) else {}
    return offered


class Stopper(WorkerPlugin):  # type: ignore[misc]  # untyped
    """A plugin of the worker: a step that is cancelled is stopped (a thread cannot be)."""

    name = "trtbuild"

    def transition(self, key: str, start: str, finish: str, **kwargs: object) -> None:
        if start in ("executing", "long-running") and finish == "released" and key in task.stops:
            task.stops[key].set()


async def dask_setup(server: Worker | Scheduler) -> None:
    """Called by Dask before the server joins its cluster; resources that its command line names are kept."""
    if not isinstance(server, Worker):
        server.allowed_failures = task.DEATHS - 1
        if server.worker_ttl == _DASKS_SILENCE_S:
            server.worker_ttl = SILENCE_S
            server.periodic_callbacks["worker-ttl"].callback_time = 1000 * SILENCE_S / 4
        return
    if server.nanny is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is for the nanny or the build, which end it
    offered = offers(server.memory_manager.memory_limit or free_memory_bytes())
    named: Mapping[str, float] = server.state.total_resources
    for name, amount in offered.items():
        if name not in named:
            server.state.total_resources[name] = server.state.available_resources[name] = amount
    await server.plugin_add(Stopper(), name=Stopper.name)


def identity() -> dict[str, object]:
    """This machine as ``executor.device`` names it."""
    found = gpu.find_device()
    return {**device.identity(), **(gpu.identity(found) if found else {})}


if __name__ == "__main__":
    print(json.dumps({"device": identity()}, indent=1))
