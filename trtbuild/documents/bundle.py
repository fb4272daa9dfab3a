"""manifest.json of a deployment bundle (docs/bundle.md): what is in it, where it runs, and what was validated."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypedDict

from trtbuild.documents.deviation import RuntimeFacts
from trtbuild.documents.engine import DeviceFacts, Sha256
from trtbuild.documents.report import Axes
from trtbuild.documents.schema import Limit
from trtbuild.documents.verdict import CollectedWarning, Verdict

FORMAT: Final = "trtbuild-bundle"
FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"  # 64 bytes: ed25519 over the bytes of manifest.json

Layout = Literal["dir", "triton"]
Count = Annotated[int, Limit("minimum", 0)]


class FileFacts(TypedDict):
    sha256: Sha256
    size: Count


class EngineFacts(TypedDict):
    """Where the engine can be loaded: ``version`` is exact unless ``version_compatible``.

    ``compute_capabilities``: of the devices; with ``or_later`` also all later ones than the least of them.
    ``built_on``: the GPU that TensorRT timed kernels on; TensorRT-RTX builds without one.
    """

    file: str
    flavour: Literal["tensorrt-rtx", "tensorrt"]
    version: str
    version_compatible: bool
    compute_capabilities: list[str]
    or_later: bool
    tf32: bool
    built_on: DeviceFacts | None


class PreprocessingFacts(TypedDict):
    """What the caller does before ``infer``, in this order: resize, channels, ``x * scale``, ``(x - mean) / std``."""

    resize: str | None
    channels: str | None
    scale: float | None
    mean: list[float]
    std: list[float]
    note: str


class TensorFacts(TypedDict):
    """An input or output: -1 in ``shape`` is dynamic; the rest is what the config states, or null."""

    name: str
    dtype: str
    shape: list[int]
    layout: str | None
    range: list[float] | None
    note: str


class ProfileFacts(TypedDict):
    min: list[int]
    opt: list[int]
    max: list[int]


class InputFacts(TensorFacts):
    """``profile``: the shapes that the engine takes, also of an input without a dynamic dimension."""

    profile: ProfileFacts
    preprocessing: PreprocessingFacts | None


class Golden(TypedDict):
    """One call: files of inputs and of the outputs that are expected, by tensor.

    ``reference``: what computed the outputs; ``limits``: by output and metric, from the thresholds, or twice what was
    ``measured`` on these samples where no threshold applies.
    """

    samples: Count
    inputs: dict[str, str]
    outputs: dict[str, str]
    limits: dict[str, dict[str, float]]
    limits_from: dict[str, Literal["thresholds", "measured"]]
    reference: RuntimeFacts


class SourceLink(TypedDict):
    """A source file or folder, with DVC's md5; the sha256 of a folder is that of its listing (docs/bundle.md).

    ``sha256`` is null where a forced bundle was made from a source that has changed since.
    """

    path: str
    md5: str
    sha256: Sha256 | None


class OutputLink(TypedDict, total=False):
    md5: str
    sha256: Sha256


class StepLink(TypedDict):
    """A recorded step: ``inputs``: name -> path of a source, or ``STEP_FOLDER/FILE``."""

    kind: str
    folder: str
    recipe: Sha256
    inputs: dict[str, str]
    outputs: dict[str, OutputLink]


class CalibrationLink(TypedDict):
    """The values that calibration saw; null where no scale was calibrated."""

    algorithm: str
    samples: int
    sha256: str


class Chain(TypedDict):
    """From the source model through calibration data to the engine and its verdict, each step after what it reads."""

    sources: list[SourceLink]
    calibration: CalibrationLink | None
    steps: list[StepLink]


class Validation(TypedDict):
    """``executed``: whether this engine ran; otherwise ``computed_by`` ran the graph that it was built from.

    ``measured``: the metrics of every output against the source model, by name.
    """

    executed: bool
    computed_by: RuntimeFacts
    samples: int
    verdict: Verdict
    measured: dict[str, dict[str, float | int | None]]


class Manifest(TypedDict):
    """``forced``: why the bundle should not have been made, where ``--force`` made it all the same.

    ``key_id``: sha256 of the public key (SubjectPublicKeyInfo, DER), or null; ``files``: all others, by path.
    """

    format: Literal["trtbuild-bundle"]
    format_version: Literal[1]
    layout: Layout
    name: str
    variant: Axes
    made_by: dict[str, str]
    key_id: Sha256 | None
    forced: str | None
    engine: EngineFacts
    inputs: list[InputFacts]
    outputs: list[TensorFacts]
    golden: Golden | None
    validation: Validation
    warnings: list[CollectedWarning]
    chain: Chain
    files: dict[str, FileFacts]
