"""What a check is asked to do: one value, made by every way in, whose mistakes are reported before any work."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trtbuild.base.errors import ConfigError
from trtbuild.checker.shapes import Profile
from trtbuild.config import named
from trtbuild.core.spec import Lowering, Target, Toolchain
from trtbuild.core.spec.lowering import FLOAT32
from trtbuild.core.spec.model import OPSET_MAX, OPSET_MIN

OPSET = 17  # what a build exports by default in every demonstration model
LIMIT_S = 60.0


@dataclass(frozen=True)
class Options:
    """``versions``: names of conf/tensorrt, None for the default one; ``limit_s``: for one version, all questions.

    ``target``: with its name.
    """

    versions: tuple[str, ...] | None = None
    lowering: Lowering = FLOAT32
    opset: int = OPSET
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    limit_s: float = LIMIT_S
    install: bool = True
    target: tuple[str, Target] = ("portable", Target())

    def __post_init__(self) -> None:
        if not isinstance(self.opset, int):
            raise ConfigError(f"{self.opset!r} is not a whole number", where="opset", hint=f"such as {OPSET}")
        if not OPSET_MIN <= self.opset <= OPSET_MAX:
            raise ConfigError(f"{self.opset} is not between {OPSET_MIN} and {OPSET_MAX}", where="opset")
        if not isinstance(self.limit_s, (int, float)):
            raise ConfigError(
                f"{self.limit_s!r} is not a number of seconds", where="limit_s", hint=f"such as {LIMIT_S:g}"
            )
        if not self.limit_s > 0:
            raise ConfigError(f"{self.limit_s} is not above 0", where="limit_s")


def make(
    versions: str | Sequence[str] | None = None, precision: str = "fp32", opset: int = OPSET,
    profiles: Mapping[str, Profile] | None = None, limit_s: float = LIMIT_S, install: bool = True,
    target: str | None = None,
) -> Options:  # fmt: skip
    """From the arguments of the public functions; a precision is any of conf/precision, the workspace's own first.

    Raises:
        ConfigError: an unknown precision or target, or an opset or a limit out of bounds.
    """
    names = (versions,) if isinstance(versions, str) else None if versions is None else tuple(versions)
    root = named.root_here()
    lowering, aimed = named.precision(root, str(precision)), named.target(root, target)
    return Options(names, lowering, opset, dict(profiles or {}), limit_s, install, aimed)


def toolchains(how: Options) -> dict[str, Toolchain]:
    """The versions to ask, by name.

    Raises:
        ConfigError: an unknown one.  ToolchainError: a build in the precision for the target would be refused.
    """
    return named.fitting_toolchains(named.root_here(), how.versions, how.target, how.lowering)


def note(line: str) -> None:
    """Progress on what takes long enough to report: an installation."""
    print(f"trt_checker: {line}", file=sys.stderr, flush=True)
