"""TensorRT versions by their names in conf/tensorrt, read as plain YAML: composing takes as long as a run does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.core.parse import parse
from trtbuild.core.spec import Toolchain
from trtbuild.store.tracking import parse_yaml


def asked(root: Path, overrides: Sequence[str]) -> dict[str, Toolchain]:
    """The versions that ``tensorrt=A,B`` names, in that order; without it the config's own.

    Raises:
        ConfigError: another key, an unknown version, or none.
    """
    names: list[str] = []
    for word in overrides:
        key, _, value = word.partition("=")
        if key != "tensorrt":
            raise ConfigError("the suite takes tensorrt=… only", where=word, hint="choose cases with -k and --category")
        names += [name for name in value.split(",") if name]
    if overrides and not names:
        raise ConfigError("names no version", where=overrides[0])
    names = list(dict.fromkeys(names)) or [default(root)]
    config.check_choices(root, [f"tensorrt={name}" for name in names])
    return {name: _load(root, name) for name in names}


def default(root: Path) -> str:
    for folder in config.conf_folders(root):
        path = folder / "config.yaml"
        if path.is_file():
            for entry in (parse_yaml(path.read_bytes(), str(path)) or {}).get("defaults", []):
                if isinstance(entry, dict) and isinstance(entry.get("tensorrt"), str):
                    return str(entry["tensorrt"])
    return config.default_option(root, "tensorrt")


def _load(root: Path, name: str) -> Toolchain:
    for folder in config.conf_folders(root):
        path = folder / "tensorrt" / f"{name}.yaml"
        if path.is_file():
            text = path.read_bytes()
            content = parse_yaml(text, str(path))
            if not isinstance(content, dict) or "defaults" in content or b"${" in text:
                break
            return parse(Toolchain, content, "tensorrt")
    return config.load_toolchain(root, name)
