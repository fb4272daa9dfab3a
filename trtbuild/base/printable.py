"""Text that others chose (names, messages of tools), made safe for a terminal and a table."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""One line without control characters: what cannot be printed is shown as its escape.

    >>> print(printable("red\x1b[31m\nnext"))
    red\x1b[31m\nnext
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
