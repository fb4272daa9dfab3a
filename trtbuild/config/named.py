"""One option of a group by its name, without a variant: plain YAML, composed by Hydra only where it needs to be.

Composing takes as long as a run of the suite, and Hydra has no place in a training process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from trtbuild import config
from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.text import did_you_mean
from trtbuild.base.workspace import workspace_here
from trtbuild.config import checks, option
from trtbuild.config.places import placing
from trtbuild.core.parse import parse
from trtbuild.core.spec import Calibration, Lowering, Target, Toolchain
from trtbuild.core.spec.lowering import rank
from trtbuild.store.tracking import parse_yaml

AIMS = ("tensorrt", "target")  # groups that say for what TensorRT is asked


def root_here() -> Path:
    """The workspace of the current folder, or the folder with the packaged conf/ if there is none."""
    workspace = workspace_here()
    return packaged_conf().parent if workspace is None else workspace.root


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
    with placing(root, ()):
        return parse(Toolchain, option.content(root, "tensorrt", name), f"tensorrt={name}")


def toolchains(root: Path, names: Sequence[str] | None) -> dict[str, Toolchain]:
    """The versions with these names, each once and in order; the default one if ``names`` is None.

    Raises:
        ConfigError: an unknown version, or no name at all.
    """
    chosen = [default_option(root, "tensorrt")] if names is None else list(dict.fromkeys(map(str, names)))
    if not chosen:
        hint = f"available: {', '.join(config.options(root, 'tensorrt'))}"
        raise ConfigError("names no version", where="tensorrt", hint=hint)
    return {name: toolchain(root, name) for name in chosen}


def precision(root: Path, name: str, overrides: Sequence[str] = ()) -> Lowering:
    """A precision of conf/precision, with overrides of its keys (``precision.tf32=true``), and the default calibration.

    A variant knows its own (``Variant.lowering``), with what its model excludes.

    Raises:
        ConfigError: an unknown precision, or a file that is not one.
    """
    with placing(root, overrides):
        said = option.precision(root, option.content(root, "precision", name, overrides), f"precision={name}")
    calibration = Calibration("minmax")
    if said.calibrated:
        chosen = default_option(root, "calibration")
        calibration = parse(Calibration, option.content(root, "calibration", chosen), f"calibration={chosen}")
    return Lowering.of(name, said, calibration)


def target(root: Path, name: str | None) -> tuple[str, Target]:
    """A target of conf/target and its name; the default one if ``name`` is None.

    Raises:
        ConfigError: an unknown target, or a file that is not one.
    """
    chosen = default_option(root, "target") if name is None else name
    return chosen, parse(Target, option.content(root, "target", chosen), f"target={chosen}")


def fitting_toolchains(
    root: Path, names: Sequence[str] | None, aimed: tuple[str, Target], lowering: Lowering
) -> dict[str, Toolchain]:
    """As :func:`toolchains`, each of which compiles for the target, whose devices all have the lowering's types.

    Raises:
        ConfigError: as there.  ToolchainError: it does not, or one has not.
    """
    found = toolchains(root, names)
    checks.check_devices(root, found, aimed, lowering.precision, lowering.forms)
    return found


@cache
def packaged_precisions() -> dict[str, Lowering]:
    """The precisions that come with trtbuild, by name: one for each file, widest first."""
    root = packaged_conf().parent
    found = [precision(root, name) for name in config.options(root, "precision")]
    return {one.precision: one for one in sorted(found, key=lambda one: rank(one.kind, one.tf32))}


def values(words: Iterable[str], known: Sequence[str], hint: str = "") -> dict[str, str]:
    """The values of ``key=value`` words that can have the ``known`` keys only; the last one of a key decides.

    Raises:
        ConfigError: another key.
    """
    given = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in known:
            raise ConfigError(f"'{key}' is not accepted here", where=word, hint=hint or did_you_mean(key, known))
        given[key] = value
    return given


def versions(given: Mapping[str, str]) -> tuple[str, ...] | None:
    """The names in ``tensorrt=A,B`` among such values; None if it is not among them."""
    return tuple(name for name in given["tensorrt"].split(",") if name) if "tensorrt" in given else None
