"""One option of a group by its name, without a variant: plain YAML, composed by Hydra only where it asks for it.

Composing takes as long as a run of the suite does, and Hydra has no place in a training process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trtbuild import config
from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.base.names import did_you_mean
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import find_workspace
from trtbuild.core.parse import parse
from trtbuild.core.spec import Toolchain
from trtbuild.store.tracking import parse_yaml


def root_here() -> Path:
    """The workspace of the current folder, or what comes with trtbuild where there is none."""
    try:
        return find_workspace(Path.cwd()).root
    except (TrtbuildError, OSError):  # a training runs anywhere
        return packaged_conf().parent


def default_option(root: Path, group: str) -> str:
    """The option of a group that config.yaml chooses.

    Raises:
        ConfigError: it chooses none, or is not readable.
    """
    for folder in config.conf_folders(root):
        path = folder / "config.yaml"
        if path.is_file():
            content = parse_yaml(path.read_bytes(), str(path))
            for entry in content.get("defaults", []) if isinstance(content, dict) else []:
                if isinstance(entry, dict) and isinstance(entry.get(group), str):
                    return str(entry[group])
    return config.default_option(root, group)


def toolchain(root: Path, name: str) -> Toolchain:
    """A TensorRT version of conf/tensorrt; the workspace's own files come first.

    Raises:
        ConfigError: an unknown version, or a file that is not a toolchain.
    """
    return parse(Toolchain, _option(root, "tensorrt", name), f"tensorrt={name}")


def toolchains(root: Path, names: Sequence[str] | None) -> dict[str, Toolchain]:
    """The versions of these names, each once and in their order; of the default one where ``names`` is None.

    Raises:
        ConfigError: an unknown version, or no name at all.
    """
    chosen = [default_option(root, "tensorrt")] if names is None else list(dict.fromkeys(map(str, names)))
    if not chosen:
        hint = f"there is {', '.join(config.options(root, 'tensorrt'))}"
        raise ConfigError("names no version", where="tensorrt", hint=hint)
    return {name: toolchain(root, name) for name in chosen}


def names_of(words: Iterable[str], key: str, who: str, hint: str = "") -> list[str] | None:
    """What ``key=A,B`` names among words that may have no other key; None where there is no such word.

    Raises:
        ConfigError: another key, or no name behind it.
    """
    found: list[str] | None = None
    for word in words:
        given, _, value = word.partition("=")
        if given != key:
            raise ConfigError(f"{who} takes {key}=… only", where=word, hint=hint)
        found = [*(found or []), *(name for name in value.split(",") if name)]
        if not found:
            raise ConfigError("names no version", where=word)
    return found


def _option(root: Path, group: str, name: str) -> Mapping[str, Any]:
    have = config.options(root, group)
    if name not in have:
        raise ConfigError(f"unknown {group} '{name}'", where=f"{group}={name}", hint=did_you_mean(name, have))
    path = next(p for folder in config.conf_folders(root) if (p := folder / group / f"{name}.yaml").is_file())
    text = path.read_bytes()
    content = parse_yaml(text, str(path))
    if not isinstance(content, dict) or "defaults" in content or b"${" in text:
        return config.composed_option(root, group, name)
    return content
