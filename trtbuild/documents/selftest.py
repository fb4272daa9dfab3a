"""What a self-test archive declares (manifest.json), and the one file that its execution on a device writes."""

from __future__ import annotations

from typing import Literal, TypedDict

from trtbuild.documents.deviation import RuntimeFacts, Statistics
from trtbuild.documents.latency import SideNumbers

Codec = Literal["raw", "bfloat16"]
SCHEMA_VERSION = 1


class StoredWeight(TypedDict):
    """One initializer of a graph: ``length`` bytes at ``offset`` of its data file, made from the blob ``of``.

    ``dtype`` is NumPy's name of what the graph expects; ``bfloat16`` blobs hold the upper halves of float32 numbers.
    """

    of: str
    codec: Codec
    dtype: str
    offset: int
    length: int


class PackedPlan(TypedDict):
    """``member`` is None where the plan did not fit: it is compiled from the graph on the device, if it can be."""

    member: str | None
    sha256: str
    bytes: int


class ArchiveVariant(TypedDict):
    """One precision: its lowered graph, its plan, and how far the graph's recorded outputs are from the source's."""

    precision: str
    graph: str
    data: str
    weights: list[StoredWeight]
    plan: PackedPlan
    tf32: bool
    outputs: str
    max_abs: float | None  # the limit in the model's config on the largest deviation of any output; None: no limit


class Toolchain(TypedDict):
    flavour: str
    version: str
    supported: list[str]


class ArchiveManifest(TypedDict):
    """``rounded``: weights were rounded to bfloat16 so that the archive is small; the network is then that one."""

    schema_version: int
    trtbuild: str
    model: str
    rounded: bool
    samples: int
    batches: list[int]
    inputs: dict[str, str]
    profiles: dict[str, list[list[int]]]
    outputs: list[str]
    toolchain: Toolchain
    feeds: str
    source: str
    source_runtime: str
    exported: str
    variants: list[ArchiveVariant]
    sha256: dict[str, str]


class Clocks(TypedDict):
    """The GPU's state by NVML; None where it does not say."""

    sm_mhz: int | None
    memory_mhz: int | None
    celsius: int | None
    watts: float | None


class Transfers(TypedDict):
    """Milliseconds between host and device, the median of several copies of all inputs, and of all outputs."""

    upload_ms: float
    download_ms: float
    upload_bytes: int
    download_bytes: int


class Execution(TypedDict):
    """One precision at one batch size.  ``failed``: why there are no numbers."""

    precision: str
    batch: int
    executes: Literal["engine", "graph"]
    about: RuntimeFacts | None
    failed: str | None
    deviation: dict[str, dict[str, Statistics]]
    within: bool | None
    latency: SideNumbers | None
    transfers: Transfers | None
    kernels: dict[str, int]
    layers: list[dict[str, object]]
    clocks: list[Clocks]


class Device(TypedDict):
    gpu: str | None
    compute_capability: str | None
    driver: str | None
    cpu: str
    cores: int
    python: str


class SelftestModel(TypedDict):
    """One archive's executions; ``refused``: why its engines were not executed; ``compiled``: plans made here."""

    model: str
    archive_sha256: str
    trtbuild: str
    rounded: bool
    refused: str | None
    executions: list[Execution]


class SelftestResult(TypedDict):
    schema_version: int
    device: Device
    models: list[SelftestModel]
