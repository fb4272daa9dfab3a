"""A sweep's words -> the overrides of each variant, by Hydra's grammar: lists, ``choice``, ``range``, ``glob``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.config import GROUPS, options

_NAMES = re.compile(r"[A-Za-z][\w.-]*(,[A-Za-z][\w.-]*)+")  # needs no grammar, which takes 1 ms for each name


def expand(root: Path, overrides: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination, the last word varying fastest; a word that does not sweep is in all of them.

    Raises:
        ConfigError: a word that Hydra cannot parse, or that sweeps over nothing.
    """
    return list(itertools.product(*(_alternatives(root, word) for word in overrides)))


def check_none(root: Path, overrides: Sequence[str]) -> None:
    """Raise ConfigError for a word with several values: it makes a sweep, which must be requested."""
    for word in overrides:
        if any(mark in word for mark in (",", "(")) and len(expand(root, [word])) > 1:
            raise ConfigError("it sweeps over several values", where=word, hint="add -m")


def _alternatives(root: Path, word: str) -> list[str]:
    key, equals, text = word.partition("=")
    if not equals:
        return [word]
    if key in GROUPS and _NAMES.fullmatch(text):
        return [f"{key}={name}" for name in dict.fromkeys(text.split(","))]
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Glob
    from hydra.errors import HydraException

    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException as error:
        raise ConfigError(str(error).splitlines()[0], where=word) from None
    if not override.is_sweep_override():
        return [word]
    value = override.value()
    if isinstance(value, Glob):
        if key not in GROUPS:
            raise ConfigError("glob() is for the options of a group", where=word, hint=", ".join(GROUPS))
        found = value.filter(options(root, key))
    elif key in GROUPS and "(" not in text:
        found = [part.strip() for part in text.split(",")]  # as text: Hydra reads 1e3 as a number
    elif override.is_discrete_sweep():
        found = list(override.sweep_string_iterator())
    else:
        raise ConfigError("not a finite list", where=word, hint="use choice() or range()")
    if not found:
        raise ConfigError("it matches nothing", where=word, hint=f"available: {', '.join(options(root, key))}")
    return [f"{key}={part}" for part in dict.fromkeys(found)]
