"""``conf/config.yaml`` itself: its keys and its list of defaults, checked before Hydra reads them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError
from trtbuild.base.text import did_you_mean
from trtbuild.config.code import PUBLIC_KEY, TRUSTED_MODULES
from trtbuild.config.groups import GROUPS

if TYPE_CHECKING:
    from yaml import Node

OWN = (*GROUPS, TRUSTED_MODULES, PUBLIC_KEY)  # what is left when Hydra has composed it
DEFAULTS, HYDRA = "defaults", "hydra"


def check_main_file(path: Path, shown: str) -> None:
    """Refuse what Hydra would ignore, or report as a mistake of the words on the command line.

    Args:
        shown: the file as messages name it.

    Raises:
        ConfigError: a key that there is not, a group without keys, or a list of defaults that is not one.
    """
    _check(path.read_bytes(), shown)


@lru_cache(8)
def _check(content: bytes, shown: str) -> None:
    import yaml

    try:
        node = yaml.compose(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return  # Hydra says so
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    known = {
        str(key.value): (key.start_mark.line + 1, value) for key, value in entries if isinstance(key, yaml.ScalarNode)
    }
    for name, (line, value) in known.items():
        _check_key(name, value, f"{shown}:{line}: {name}")
    line, listed = known.get(DEFAULTS, (1, None))
    if not isinstance(listed, yaml.SequenceNode):
        raise _error("it has no list of defaults", f"{shown}:{line}: {DEFAULTS}", "it begins so: defaults: [_self_, …]")
    chosen: dict[str, int] = {}
    for entry in listed.value:
        for key, _ in entry.value if isinstance(entry, yaml.MappingNode) else []:
            line = key.start_mark.line + 1
            if (before := chosen.setdefault(str(key.value), line)) != line:
                hint = f"remove one of lines {before} and {line}"
                raise _error(f"'{key.value}' is listed twice", f"{shown}:{line}: {DEFAULTS}", hint)


def _check_key(name: str, value: Node, where: str) -> None:
    import yaml
    from hydra.conf import HydraConf

    if name not in (*OWN, DEFAULTS, HYDRA, "<<"):
        raise _error(f"unknown key '{name}'", where, did_you_mean(name, (*OWN, DEFAULTS, HYDRA)))
    if name not in (*GROUPS, HYDRA) or "null" in value.tag:
        return
    if isinstance(value, yaml.ScalarNode) and "${" not in value.value:
        hint = f"an option is chosen in the list of defaults: '- {name}: {value.value}'" if name in GROUPS else ""
        raise _error(f"expected keys with values, not '{value.value}'", where, hint)
    if name == HYDRA and isinstance(value, yaml.MappingNode):
        for key, _ in value.value:
            if key.value not in (valid := HydraConf.__dataclass_fields__):
                raise _error(f"unknown key '{key.value}'", f"{where}.{key.value}", did_you_mean(str(key.value), valid))


def _error(what: str, where: str, hint: str) -> ConfigError:
    error = ConfigError(what, where=where, hint=hint)
    error.placed = True
    return error
