"""A small bundle as a device gets it, its key, and a runtime that is TensorRT's in everything but the numbers."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from trtbuild.base.errors import BundleError
from trtbuild.loader.manifest import Tensor
from trtbuild.loader.signature import PrivateKey, envelope

PLAN = b"not a plan, but bytes"
X = np.arange(12, dtype=np.float32).reshape(2, 6) / 10


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0))
    return file.getvalue()


CONTENTS: Mapping[str, bytes] = {
    "engine.plan": PLAN,
    "golden/input-0.npy": npy(X),
    "golden/output-0.npy": npy(2 * X),
    "report/report.md": b"# report\n",
    "statement.json": json.dumps(
        {"_type": "https://in-toto.io/Statement/v1",
         "subject": [{"name": "engine.plan", "digest": {"sha256": hashlib.sha256(PLAN).hexdigest()}}]}
    ).encode(),
}  # fmt: skip


def manifest(contents: Mapping[str, bytes], key_id: str | None) -> dict[str, Any]:
    """As much as a reader needs, and a key that it does not know."""
    profile = {"min": [1, 6], "opt": [2, 6], "max": [4, 6]}
    return {
        "format": "trtbuild-bundle",
        "format_version": 1,
        "name": "m-fp16-rtx-1.7-onnxruntime",
        "key_id": key_id,
        "later": {"versions": ["have", None, 1.5]},
        "engine": {
            "file": "engine.plan", "flavour": "tensorrt-rtx", "version": "1.7.1.116", "version_compatible": False,
            "compute_capabilities": ["8.6", "8.9"], "or_later": False, "tf32": False,
        },
        "inputs": [{"name": "x", "dtype": "float32", "shape": [-1, 6], "profile": profile, "layout": "NC"}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": [-1, 6]}],
        "golden": {
            "samples": 2, "inputs": {"x": "golden/input-0.npy"}, "outputs": {"y": "golden/output-0.npy"},
            "limits": {"y": {"max_abs": 0.01, "cosine": 0.999}},
        },
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in contents.items()
        },
    }  # fmt: skip


@cache
def keys() -> tuple[bytes, bytes]:
    """A private and a public key in PEM."""
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    return private, key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)


def write_keys(folder: Path) -> tuple[Path, Path]:
    paths = folder / "key.pem", folder / "key.pub.pem"
    for path, content in zip(paths, keys(), strict=True):
        path.write_bytes(content)
    return paths


def contents(
    folder: Path, *, signed: bool = False, change: Callable[[dict[str, Any]], object] = lambda manifest: None,
    files: Mapping[str, bytes] = CONTENTS,
) -> dict[str, bytes]:  # fmt: skip
    """Every file of a bundle; ``change`` alters the manifest before it is signed with a key in ``folder``."""
    made = dict(files)
    key = PrivateKey(write_keys(folder)[0]) if signed else None
    if key is not None:
        made["statement.dsse.json"] = json.dumps(envelope(key, made["statement.json"])).encode()
    document = manifest(made, key.id if key else None)
    change(document)
    made["manifest.json"] = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    if key is not None:
        made["manifest.sig"] = key.sign(made["manifest.json"])
    return made


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@dataclass
class FakeEngine:
    factor: float = 2.0
    inputs: tuple[Tensor, ...] = (Tensor("x", "float32", (-1, 6)),)
    outputs: tuple[Tensor, ...] = (Tensor("y", "float32", (-1, 6)),)

    def run(self, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {"y": (self.factor * feeds["x"]).astype(np.float32)}


@dataclass
class FakeRuntime:
    """A device with a TensorRT; it counts the plans that it was given."""

    installed: Mapping[str, str] = field(default_factory=lambda: {"tensorrt-rtx": "1.7.1.116"})
    capability: str = "8.9"
    engine: FakeEngine = field(default_factory=FakeEngine)
    plans: list[bytes] = field(default_factory=list)

    def version(self, flavour: str) -> str:
        if flavour not in self.installed:
            raise BundleError(f"{flavour} is not installed here", where="engine", reason="flavour")
        return self.installed[flavour]

    def compute_capability(self) -> str:
        return self.capability

    def deserialise(self, plan: bytes, flavour: str, *, host_code: bool) -> FakeEngine:
        self.plans.append(plan)
        return self.engine
