"""manifest.json as a reader needs it: parsed by the rules of docs/bundle.md into frozen values, or refused."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

from trtbuild.base.errors import BundleError, ConfigError
from trtbuild.base.text import printable
from trtbuild.core.parse import parse
from trtbuild.documents.bundle import FORMAT, FORMAT_VERSION, MANIFEST, SIGNATURE

MAX_MANIFEST_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_FILES = 1000
MAX_FILE_BYTES = 1 << 34
LARGEST_INTEGER = 1 << 53
DTYPES = ("float32", "float16", "bfloat16", "float64", "int8", "uint8", "int32", "int64", "bool", "float8")
METRICS = ("max_abs", "mean_abs", "rmse", "cosine", "sqnr_db", "exact_share")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,7}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CAPABILITY = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}")


@dataclass(frozen=True)
class FileFacts:
    sha256: str
    size: int

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError("sha256: not 64 lowercase hex digits")
        if self.size < 0:
            raise ValueError("size: below 0")


@dataclass(frozen=True)
class EngineFacts:
    file: str
    flavour: Literal["tensorrt-rtx", "tensorrt"]
    version: str
    version_compatible: bool
    compute_capabilities: tuple[str, ...]
    or_later: bool

    def __post_init__(self) -> None:
        if not self.compute_capabilities or not all(map(_CAPABILITY.fullmatch, self.compute_capabilities)):
            raise ValueError("compute_capabilities: not a list of MAJOR.MINOR")

    def takes_version(self, version: str) -> bool:
        """Whether a TensorRT of this version may load the engine.

        >>> EngineFacts("e", "tensorrt", "10.3.0.26", True, ("8.9",), False).takes_version("10.13.2.6")
        True
        """
        if version == self.version or not self.version_compatible:
            return version == self.version
        built, here = numbers(self.version), numbers(version)
        return built[:1] == here[:1] and built <= here

    def takes_capability(self, capability: str) -> bool:
        """Whether a device of this compute capability may load it.

        >>> EngineFacts("e", "tensorrt", "10.3", False, ("8.6",), True).takes_capability("12.0")
        True
        """
        if not self.or_later:
            return capability in self.compute_capabilities
        return numbers(capability) >= min(map(numbers, self.compute_capabilities))


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())


@dataclass(frozen=True)
class Tensor:
    """-1 in ``shape`` is a dynamic dimension."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype: unknown dtype '{printable(self.dtype)}'")


@dataclass(frozen=True)
class Profile:
    min: tuple[int, ...]
    opt: tuple[int, ...]
    max: tuple[int, ...]


@dataclass(frozen=True)
class Input(Tensor):
    profile: Profile

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.profile.min, self.profile.max
        if not len(self.shape) == len(low) == len(self.profile.opt) == len(high):
            raise ValueError("profile: its shapes have another number of dimensions")

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether the engine takes an array of this shape."""
        low, high = self.profile.min, self.profile.max
        return len(shape) == len(low) and all(a <= n <= b for a, n, b in zip(low, shape, high, strict=True))


@dataclass(frozen=True)
class Golden:
    samples: int
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    limits: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Manifest:
    format: str
    format_version: int
    name: str
    key_id: str | None
    files: Mapping[str, FileFacts]
    engine: EngineFacts
    inputs: tuple[Input, ...]
    outputs: tuple[Tensor, ...]
    golden: Golden | None

    @property
    def kept(self) -> set[str]:
        """The files that a loader uses after the check: it keeps what it has hashed."""
        golden = self.golden
        arrays = set() if golden is None else {*golden.inputs.values(), *golden.outputs.values()}
        return {self.engine.file, *arrays}


def parse_manifest(content: bytes) -> tuple[Manifest, Mapping[str, object]]:
    """The manifest, and the whole document for people.

    Raises:
        BundleError: it is not JSON by the rules, of another format, or lacks what a reader needs.
    """
    document = _json(content)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _refusal("format", "it is not the manifest of a bundle")
    version = document.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        what = f"its format_version is {printable(json.dumps(version))}, this reader knows {FORMAT_VERSION}"
        raise _refusal("format", what)
    try:
        manifest = parse(Manifest, _needed(Manifest, document), "manifest")
    except ConfigError as error:
        raise _refusal("manifest", str(error).removeprefix("manifest.")) from None
    if what := _contradiction(manifest, document):
        raise _refusal("manifest", what)
    _check_paths(manifest.files)
    return manifest, document


def _check_paths(files: Mapping[str, FileFacts]) -> None:
    folded: dict[str, str] = {}
    if len(files) > MAX_FILES:
        raise _refusal("limit", f"it lists more than {MAX_FILES} files")
    for name, facts in files.items():
        if not _PATH.fullmatch(name) or name in (MANIFEST, SIGNATURE):
            raise _refusal("name", f"'{printable(name[:200])}' is not a path that a bundle may have")
        if facts.size > MAX_FILE_BYTES:
            raise _refusal("limit", f"'{name}' has more than {MAX_FILE_BYTES} bytes")
        other = folded.setdefault(name.lower(), name)
        if other != name or name.lower() in (MANIFEST, SIGNATURE):
            raise _refusal("duplicate", f"'{name}' and '{other}' are the same path on some file systems")
    for name in folded:
        parts = name.split("/")
        if above := next((p for n in range(1, len(parts)) if (p := "/".join(parts[:n])) in folded), None):
            raise _refusal("duplicate", f"'{folded[above]}' is a file and the folder of '{folded[name]}'")


def _contradiction(manifest: Manifest, document: Mapping[str, object]) -> str:
    """What contradicts itself in a manifest of the right types; "" if nothing does."""
    tensors = [tensor.name for tensor in (*manifest.inputs, *manifest.outputs)]
    if len(set(tensors)) != len(tensors):
        return "inputs: a name occurs twice among inputs and outputs"
    if manifest.engine.file not in manifest.files:
        return "engine.file: it is not in files"
    if manifest.key_id is not None and not _SHA256.fullmatch(manifest.key_id):
        return "key_id: not 64 lowercase hex digits"
    golden = manifest.golden
    return "" if golden is None else _golden_contradiction(manifest, golden, document)


def _golden_contradiction(manifest: Manifest, golden: Golden, document: Mapping[str, object]) -> str:
    if set(golden.inputs) != {each.name for each in manifest.inputs}:
        return "golden.inputs: not the engine's inputs"
    if not golden.outputs or not set(golden.outputs) <= {each.name for each in manifest.outputs}:
        return "golden.outputs: not outputs of the engine"
    if not {*golden.inputs.values(), *golden.outputs.values()} <= set(manifest.files):
        return "golden: names a file that is not in files"
    if set(golden.limits) != set(golden.outputs):
        return "golden.limits: not those of golden.outputs"
    written = document["golden"]
    assert isinstance(written, dict)
    for output, limits in golden.limits.items():
        given: Mapping[str, object] = written["limits"][output]
        if not limits or any(metric not in METRICS or isinstance(given[metric], str) for metric in limits):
            return f"golden.limits.{printable(output)}: needs numbers for some of {', '.join(METRICS)}"
    return ""


def _needed(wanted: object, value: object) -> object:
    """A value without the keys that a reader ignores."""
    options = typing.get_args(wanted)
    if isinstance(wanted, type) and dataclasses.is_dataclass(wanted):
        if not _is_object(value):
            return value
        hints = typing.get_type_hints(wanted)
        return {key: _needed(hints[key], inner) for key, inner in value.items() if key in hints}
    if type(None) in options:
        return value if value is None else _needed(next(o for o in options if o is not type(None)), value)
    if typing.get_origin(wanted) is tuple and isinstance(value, list):
        return [_needed(options[0], inner) for inner in value]
    if isinstance(typing.get_origin(wanted), type) and _is_object(value):  # a mapping
        return {key: _needed(options[1], inner) for key, inner in value.items()}
    return value


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _json(content: bytes) -> object:
    if len(content) > MAX_MANIFEST_BYTES:
        raise _refusal("limit", f"it has more than {MAX_MANIFEST_BYTES} bytes")
    try:
        found: object = json.loads(content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
        _check_values([found], 0)
    except (ValueError, RecursionError) as error:
        raise _refusal("json", f"not a JSON document by the rules: {printable(str(error))}") from None
    return found


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key '{twice}' occurs twice")
    return made


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def _check_values(values: Iterable[object], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    for value in values:
        if isinstance(value, str):
            value.encode("utf-8")  # a lone surrogate has no UTF-8
        elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
            raise ValueError("an integer is beyond 2^53")
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError("a number is beyond a double")
        elif isinstance(value, dict):
            _check_values(value, depth)
            _check_values(value.values(), depth + 1)
        elif isinstance(value, list):
            _check_values(value, depth + 1)


def _refusal(reason: str, what: str) -> BundleError:
    return BundleError(what, where=MANIFEST, reason=reason)
