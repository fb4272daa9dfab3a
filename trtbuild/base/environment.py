"""Arguments of callables that come from the environment: kept by name and digest, looked up where the callable runs."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping

from trtbuild.base.errors import ConfigError

NAMED, DIGEST = "oc.env", "sha256"  # the keys of a reference: the text as the config has it, and the value's digest
_VARIABLE = re.compile(r"\$\{oc\.env:\s*(\w+)\s*(?:,\s*([^{}'\",]*?)\s*)?\}")
LEAST_SECRET = 4  # characters: hiding a shorter value would blot out ordinary text
_given = set[str]()  # values that this process has looked up


def reference(text: str, value: str, where: str) -> dict[str, object]:
    """What stands for ``value`` in recipes, jobs and records; ``text`` names the variables in it.

    Raises:
        ConfigError: the text does more than to name them.
    """
    if _filled(text) != value:
        hint = "write ${oc.env:NAME} or ${oc.env:NAME,DEFAULT} there, without other interpolations or quotes"
        raise ConfigError("a value from the environment cannot be looked up again", where=where, hint=hint)
    return {NAMED: text, DIGEST: _digest(value)}


def looked_up(arguments: Mapping[str, object], where: str) -> dict[str, object]:
    """A callable's arguments, with the values of their references.

    Raises:
        ConfigError: a variable is not set here, or is not what it was when the build was planned.
    """
    return {key: _value(argument, f"{where}.{key}") for key, argument in arguments.items()}


def hidden(text: str) -> str:
    """The text of an error, without values that were looked up."""
    for value in sorted(_given, key=len, reverse=True):
        text = text.replace(value, "***")
    return text


def _value(argument: object, where: str) -> object:
    if isinstance(argument, list):
        return [_value(each, where) for each in argument]
    if not isinstance(argument, dict):
        return argument
    text = argument.get(NAMED)
    if argument.keys() != {NAMED, DIGEST} or not isinstance(text, str):
        return {key: _value(each, f"{where}.{key}") for key, each in argument.items()}
    value = _filled(text)
    if value is None or _digest(value) != argument[DIGEST]:
        state = "not set" if value is None else "not what it was when this was planned"
        hint = "set it where the step runs; on a cluster, that is the worker's environment"
        raise ConfigError(f"the environment variable in '{text}' is {state}", where=where, hint=hint)
    parts = (os.environ.get(found[1], "") for found in _VARIABLE.finditer(text))
    _given.update(part for part in (value, *parts) if len(part) >= LEAST_SECRET)
    return value


def _filled(text: str) -> str | None:
    """The text with its variables' values; None if one is not set and has no default."""
    parts, end = [], 0
    for found in _VARIABLE.finditer(text):
        value = os.environ.get(found[1], found[2])
        if value is None:
            return None
        parts += [text[end : found.start()], value]
        end = found.end()
    return "".join([*parts, text[end:]])


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
