"""``conv and not (int8 or dynamic)``: a boolean expression of words, each of which is looked for in a text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from trtbuild.base.errors import ConfigError

Matcher = Callable[[str], bool]
_WORD = re.compile(r"(?<![^\s()])(?!(?:and|or|not)(?![^\s()]))[^\s()]+")


def matcher(expression: str) -> Matcher:
    """A predicate on lower-case texts.

    >>> matcher("conv and not (int8 or dynamic)")("conv-3x3 fp32")
    True

    Raises:
        ConfigError: brackets or operators are out of place.
    """
    words = _WORD.findall(expression.lower())
    try:
        tree = ast.parse(_WORD.sub("_", expression.lower()).strip(), mode="eval").body
        found = _matcher(tree, iter(words))
    except (SyntaxError, TypeError, RecursionError, MemoryError):
        hint = "words with and, or, not and brackets"
        raise ConfigError("not an expression", where=f"-k {expression}", hint=hint) from None
    return found


def _matcher(node: ast.expr, words: Iterator[str]) -> Matcher:
    """Python's own grammar; its names stand for the words, in their order."""
    if isinstance(node, ast.Name):
        word = next(words)
        return lambda text: word in text
    if isinstance(node, ast.UnaryOp):
        inner = _matcher(node.operand, words)
        return lambda text: not inner(text)
    if isinstance(node, ast.BoolOp):
        parts = [_matcher(value, words) for value in node.values]
        quantifier = any if isinstance(node.op, ast.Or) else all
        return lambda text: quantifier(part(text) for part in parts)
    raise TypeError(node)  # brackets around nothing, or a call
