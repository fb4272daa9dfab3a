"""Text for messages: the nearest valid name, and text from elsewhere made safe to print."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """A hint that names the nearest valid name, or all of them when none is near.

    >>> did_you_mean("segnt", ["segnet", "lenet"])
    "did you mean 'segnet'?"
    >>> did_you_mean("xyz", ["segnet", "lenet"])
    'valid: lenet, segnet'
    """
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"valid: {', '.join(names)}" if names else "there is none"


def printable(text: str) -> str:
    r"""One line without control characters: what cannot be printed is shown as its escape.

    >>> print(printable("red\x1b[31m\nnext"))
    red\x1b[31m\nnext
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
