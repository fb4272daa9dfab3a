"""Importable callables named in a config: ``package.module:name``, or dotted."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from trtbuild.base.errors import ConfigError, first_line


def load_callable(name: str, where: str) -> Callable[..., Any]:
    """Import the callable that ``name`` refers to.

    >>> load_callable("json:dumps", "doc")([1])
    '[1]'
    """
    try:
        with calling(name):
            target = _found(name)
    except Exception as error:  # the user's own module
        what = f"importing '{name}' failed: {type(error).__name__}: {first_line(error)}"
        raise ConfigError(what, where=where) from error
    if not callable(target):
        hint = "write package.module:name, importable in this environment or from the workspace"
        raise ConfigError(f"cannot import a callable '{name}'", where=where, hint=hint)
    return target


@contextlib.contextmanager
def calling(name: str) -> Iterator[None]:
    """The user's own code runs in this block: a step that dies in it can say so; that it exits is an error.

    Raises:
        RuntimeError: it called sys.exit.
    """
    listener.announce(f"calling {name}")
    try:
        yield
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error
    finally:
        listener.announce("")


class Listener:
    """Who wants to know what is called: a worker sets it (workers/run.py)."""

    announce: Callable[[str], None] = staticmethod(lambda what: None)


listener = Listener()


def _found(name: str) -> object:
    if ":" in name:
        module, attributes = name.split(":", 1)
        return _resolve(module, attributes.split("."))
    parts = name.split(".")
    candidates = ((".".join(parts[:i]), parts[i:]) for i in range(len(parts) - 1, 0, -1))
    return next((t for module, rest in candidates if (t := _resolve(module, rest)) is not None), None)


def _resolve(module: str, attributes: list[str]) -> object:
    try:
        target: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            return None
        raise
    for attribute in attributes:
        target = getattr(target, attribute, None)
    return target
