"""A TensorRT version, everything its environment is made from, and its place in the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ToolchainRequest:
    """A TensorRT version, with everything its environment is made from; ``name`` is the config's, for messages."""

    flavour: str
    version: str
    requirements: tuple[str, ...]
    name: str = ""

    @property
    def title(self) -> str:
        return f"{self.flavour} {self.version}"

    @property
    def index(self) -> str | None:
        """Where its packages are beside the user's own index; a place, so not part of the identity."""
        # The variable is the one that NVIDIA's packages read themselves: a mirror's address.
        return os.environ.get("NVIDIA_PIP_INDEX_URL") if self.flavour == "tensorrt" else None

    @property
    def identity(self) -> dict[str, object]:
        python = f"{sys.implementation.name}-{platform.python_version()}-{platform.machine()}"
        return {"flavour": self.flavour, "version": self.version, "requirements": list(self.requirements),
                "python": python}  # fmt: skip

    @property
    def folder(self) -> Path:
        """``tensorrt-rtx-1.4.0.76-<12 hex of the identity>`` in the user's cache."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:12]
        return cache() / f"{self.flavour}-{self.version}-{digest}"

    @property
    def command(self) -> str:
        return f"trtbuild toolchain install {self.name or self.version}"


def cache() -> Path:
    """The user's cache by the XDG base directory specification, which ignores a relative XDG_CACHE_HOME."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    return base / "trtbuild" / "toolchains"
