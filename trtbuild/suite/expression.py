"""``conv and not (int8 or dynamic)``: a boolean expression of words, each of which is looked for in a text."""

from __future__ import annotations

import re
from collections.abc import Callable

from trtbuild.base.errors import ConfigError

Matcher = Callable[[str], bool]
_TOKEN = re.compile(r"[()]|[^\s()]+")


def matcher(expression: str) -> Matcher:
    """A predicate on lower-case texts.

    >>> matcher("conv and not (int8 or dynamic)")("conv-3x3 fp32")
    True

    Raises:
        ConfigError: brackets or operators are out of place.
    """
    tokens = _TOKEN.findall(expression.lower())
    try:
        result = _either(tokens)
        if tokens:
            raise ValueError(f"unexpected '{tokens[0]}'")
    except (ValueError, IndexError) as error:
        what = f"not an expression: {error or 'something is missing'}" if tokens or str(error) else "not an expression"
        hint = "words with and, or, not and brackets"
        raise ConfigError(what.replace("pop from empty list", "something is missing"), where=f"-k {expression}",
                          hint=hint) from None  # fmt: skip
    return result


def _either(tokens: list[str]) -> Matcher:
    parts = [_both(tokens)]
    while tokens[:1] == ["or"]:
        tokens.pop(0)
        parts.append(_both(tokens))
    return lambda text: any(part(text) for part in parts)


def _both(tokens: list[str]) -> Matcher:
    parts = [_one(tokens)]
    while tokens and tokens[0] not in ("or", ")"):
        if tokens[0] == "and":
            tokens.pop(0)
        else:
            raise ValueError(f"'and' or 'or' expected before '{tokens[0]}'")
        parts.append(_one(tokens))
    return lambda text: all(part(text) for part in parts)


def _one(tokens: list[str]) -> Matcher:
    token = tokens.pop(0)
    if token == "not":
        inner = _one(tokens)
        return lambda text: not inner(text)
    if token == "(":
        inner = _either(tokens)
        if tokens.pop(0) != ")":
            raise ValueError("')' expected")
        return inner
    if token in ("and", "or", ")"):
        raise ValueError(f"unexpected '{token}'")
    return lambda text: token in text
