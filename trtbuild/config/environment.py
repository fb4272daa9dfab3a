"""Values that a config takes from the environment: what of them may be in a recipe, which is kept and shared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING

from trtbuild.base.environment import reference
from trtbuild.base.errors import ConfigError

if TYPE_CHECKING:
    from enum import Enum

    from omegaconf import DictConfig, ListConfig

    _Key = str | bytes | int | float | bool | Enum

UNRECORDED = "executor"  # the group that is in no recipe
_taken: ContextVar[list[str] | None] = ContextVar("taken", default=None)


@contextlib.contextmanager
def watching() -> Iterator[list[str]]:
    """The names of the variables that ``${oc.env:NAME}`` takes while the block runs."""
    _watch()
    names: list[str] = []
    token = _taken.set(names)
    try:
        yield names
    finally:
        _taken.reset(token)


@cache
def _watch() -> None:
    from omegaconf import OmegaConf
    from omegaconf.resolvers.oc import env

    def noted(key: str, *default: str | None) -> str | None:
        names = _taken.get()
        if names is not None:
            names.append(key)
        return env(key, *default)

    OmegaConf.register_new_resolver("oc.env", noted, replace=True)


def withheld(node: object, plain: object, where: str) -> object:
    """``plain``, which is the resolved ``node``, with a reference for each text that came from the environment.

    Raises:
        ConfigError: such a text is neither an argument of a callable nor a setting of the executor.
    """
    from omegaconf import DictConfig, ListConfig

    if isinstance(node, DictConfig) and isinstance(plain, dict):
        return {key: _withheld(node, key, value, f"{where}.{key}") for key, value in plain.items()}
    if isinstance(node, ListConfig) and isinstance(plain, list):
        return [_withheld(node, i, value, where) for i, value in enumerate(plain)]
    return plain


def _withheld(node: DictConfig | ListConfig, key: _Key, plain: object, where: str) -> object:
    from omegaconf import OmegaConf

    if isinstance(plain, (dict, list)):
        return withheld(node[key], plain, where)  # type: ignore[index]
    if not isinstance(plain, str) or not OmegaConf.is_interpolation(node, key):  # type: ignore[arg-type]
        return plain  # numbers are no secrets
    with watching() as names:
        node[key]  # type: ignore[index]
    if not names:
        return plain
    if ".arguments." in where:
        raw = OmegaConf.to_container(node, resolve=False)
        return reference(str(raw[key]), plain, where)  # type: ignore[index]
    what = f"a text from the environment ({names[0]}) would be kept in the build's records"
    hint = "only a callable's arguments, which are recorded by digest, numbers and the executor's settings may be one"
    raise ConfigError(what, where=where, hint=hint)
