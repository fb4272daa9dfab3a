"""Names of TensorRT versions to toolchains, read from conf/tensorrt without Hydra, which has no place in a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.base.names import did_you_mean
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import find_workspace
from trtbuild.core.parse import parse
from trtbuild.core.spec import Toolchain
from trtbuild.store.tracking import read_yaml
from trtbuild.toolchains.request import ToolchainRequest


def wanted(names: Sequence[str] | None) -> list[tuple[ToolchainRequest, Toolchain]]:
    """The toolchains of ``names``, of the default one where there are none; the workspace's own files come first.

    Raises:
        ConfigError: an unknown version, or a file that is no toolchain.
    """
    folders = _folders()
    have = sorted({path.stem for folder in folders for path in (folder / "tensorrt").glob("*.yaml")})
    chosen = []
    for name in dict.fromkeys(names if names is not None else [_default(folders)]):
        file = next((f for folder in folders if (f := folder / "tensorrt" / f"{name}.yaml").is_file()), None)
        if file is None:
            raise ConfigError(f"unknown tensorrt '{name}'", where="versions", hint=did_you_mean(str(name), have))
        spec = parse(Toolchain, read_yaml(file), f"tensorrt={name}")
        chosen.append((ToolchainRequest(spec.flavour, spec.version, tuple(spec.requirements), name), spec))
    if not chosen:
        raise ConfigError("no version to check against", where="versions", hint=f"there is {', '.join(have)}")
    return chosen


def _folders() -> list[Path]:
    try:
        own = [find_workspace(Path.cwd()).conf]
    except (TrtbuildError, OSError):  # a training runs anywhere
        own = []
    return [folder for folder in (*own, packaged_conf()) if folder.is_dir()]


def _default(folders: Sequence[Path]) -> str:
    for folder in folders:
        content = read_yaml(folder / "config.yaml") if (folder / "config.yaml").is_file() else None
        entries = content.get("defaults", []) if isinstance(content, dict) else []
        for entry in entries:
            if isinstance(entry, dict) and "tensorrt" in entry:
                return str(entry["tensorrt"])
    raise ConfigError("no default TensorRT version", where="config.yaml", hint="give versions=[…]")
