"""How much a build can use, and how closely it looks: the groups executor, layers and latency."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

_SCHEDULER = re.compile(r"(tcp|tls|ws|wss|ucx)://[^\s/]+/?")  # what Dask's clients can connect to
LATENCY_MAX_S = 3600  # a misplaced unit (milliseconds) would measure for days
_BYTE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def byte_count(size: int | str) -> int:
    """A number of bytes, also from ``256MB`` or ``1.5GiB``; ValueError for anything else."""
    if isinstance(size, int):
        return size
    number = size.rstrip("abigkmABIGKM ")
    unit = size[len(number) :].strip().upper()
    try:
        return int(float(number) * _BYTE_UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"'{size}' is not a size; write bytes, 256MB or 1GiB") from None


def duration_s(text: float | str) -> float:
    """Seconds, also from ``90s``, ``15m`` or ``2h``; ValueError for anything else."""
    units = {"s": 1, "m": 60, "h": 3600}
    try:
        number, unit = (text[:-1], units[text[-1:]]) if isinstance(text, str) else (text, 1)
        seconds = float(number) * unit
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f"'{text}' is not a duration; write seconds, 15m or 2h") from None
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{text} is not above 0")
    return seconds


@dataclass(frozen=True)
class Adaptive:
    """Between how many workers a cluster scales, by the steps that wait."""

    minimum: int = 0
    maximum: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum or self.maximum < 1:
            raise ValueError(f"maximum: {self.maximum} is below 1, or below the minimum of {self.minimum}")


@dataclass(frozen=True)
class Machine:
    """What measures latency and executes engines, by its identity in recipes (machine/device.py, machine/gpu.py)."""

    machine: str
    cpu: str
    cores: int
    cpu_quota: str = "none"
    gpu: str | None = None
    compute_capability: str | None = None
    driver: str | None = None

    @cached_property
    def processor(self) -> dict[str, object]:
        return {"machine": self.machine, "cpu": self.cpu, "cores": self.cores, "cpu_quota": self.cpu_quota}

    @cached_property
    def graphics(self) -> dict[str, object]:
        return {"gpu": self.gpu, "compute_capability": self.compute_capability, "driver": self.driver}


@dataclass(frozen=True)
class Executor:
    """Where steps run; ``time_limit`` and ``memory_limit`` are for each step.

    On this machine: ``workers`` steps at once, within ``memory``.  On a cluster: the scheduler at ``address``, or
    ``cluster``, a Dask cluster class (``_target_``) with its arguments, scaled as ``adaptive`` says.  ``transport``:
    the DVC remote through which files travel, or "cache" for one that all workers see; null is the usual one of the
    two.  ``patience``: how long a step waits for a worker that can take it.  ``device``: what measures, instead of
    this machine, as ``python -m trtbuild.workers.lab`` prints it there.
    """

    module: str
    workers: int | None = None
    memory: int | str | None = None
    time_limit: float | str | None = None
    memory_limit: int | str | None = None
    address: str | None = None
    cluster: Mapping[str, object] | None = None
    adaptive: Adaptive | None = None
    transport: str | None = None
    patience: float | str | None = None
    device: Machine | None = None

    def __post_init__(self) -> None:
        here = {"workers": self.workers, "memory": self.memory}
        there = {"address": self.address, "cluster": self.cluster, "adaptive": self.adaptive, "device": self.device,
                 "transport": self.transport, "patience": self.patience}  # fmt: skip
        unused, use = (there, "dask") if self.module == "local" else (here, "local; each worker has its own")
        for key, value in unused.items():
            if value is not None:
                raise ValueError(f"{key}: only for executor={use}")
        if self.address is not None and not _SCHEDULER.fullmatch(self.address):
            raise ValueError(f"address: '{self.address}' is not a scheduler's, such as tcp://host:8786")
        _ = self.patience_s
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers: {self.workers} is below 1; null means one for each core")
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise ValueError(f"memory: {self.memory} is below 1; null means the free memory")
        if self.memory_limit_bytes is not None and self.memory_limit_bytes < 1:
            raise ValueError(f"memory_limit: {self.memory_limit} is below 1; null means a limit by the step's estimate")
        _ = self.time_limit_s

    @property
    def memory_bytes(self) -> int | None:
        return _bytes("memory", self.memory)

    @property
    def memory_limit_bytes(self) -> int | None:
        return _bytes("memory_limit", self.memory_limit)

    @property
    def time_limit_s(self) -> float | None:
        return _seconds("time_limit", self.time_limit, "null means a limit by the step's estimate")

    @property
    def patience_s(self) -> float | None:
        return _seconds("patience", self.patience, "null means without end")


def _seconds(key: str, text: float | str | None, null: str) -> float | None:
    try:
        return None if text is None else duration_s(text)
    except ValueError as error:
        raise ValueError(f"{key}: {error}{f'; {null}' if 'above' in str(error) else ''}") from None


def _bytes(key: str, size: int | str | None) -> int | None:
    try:
        return None if size is None else byte_count(size)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


@dataclass(frozen=True)
class Layers:
    """Which intermediate tensors are compared, on how many samples, within how many bytes of arrays at once.

    ``all``: every mapped tensor, as outputs of one graph; ``fusion``: those that the runtime's fusions leave alone;
    ``per_op``: a separate graph for each tensor of one ``scope`` or TensorFlow ``op`` type; ``off``: no step.
    """

    mode: Literal["all", "fusion", "per_op", "off"] = "all"
    samples: int = 1
    max_bytes: int | str = "1GB"
    scope: str | None = None
    op: str | None = None

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"samples: {self.samples} is below 1")
        if self.bytes < 1:
            raise ValueError(f"max_bytes: {self.max_bytes} is below 1")
        if self.mode == "per_op" and not (self.scope or self.op):
            raise ValueError("mode: per_op needs layers.scope or layers.op; a conversion for every tensor takes long")

    @property
    def bytes(self) -> int:
        """The byte budget as a number.

        >>> Layers(max_bytes="256MB").bytes
        256000000
        """
        try:
            return byte_count(self.max_bytes)
        except ValueError as error:
            raise ValueError(f"max_bytes: {error}") from None


@dataclass(frozen=True)
class Latency:
    """How latency is measured: ``seconds`` of calls per contender in all, spread over interleaved ``rounds``.

    ``warmup_s`` precedes the first round, and a share of it every later one.  ``batch``: null is the profile's opt;
    ``threads``: null is every allowed core.  ``baseline``: a lowered.onnx from another build to compare with.
    """

    measure: bool = True
    warmup_s: float = 0.2
    seconds: float = 0.5
    rounds: int = 5
    batch: int | None = None
    threads: int | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_s <= LATENCY_MAX_S:
            raise ValueError(f"warmup_s: {self.warmup_s:g} is not between 0 and {LATENCY_MAX_S}")
        if not 0 < self.seconds <= LATENCY_MAX_S:
            raise ValueError(f"seconds: {self.seconds:g} is not above 0 and at most {LATENCY_MAX_S}")
        for name, value in (("rounds", self.rounds), ("batch", self.batch), ("threads", self.threads)):
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value} is below 1")
