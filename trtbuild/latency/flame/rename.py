"""Rules that rewrite scopes, so that two builds, or two ways to name a block, meet."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame.values import Rule, Scope


def parse_rules(values: Sequence[str]) -> tuple[Rule, ...]:
    """``REGEX=REPLACEMENT``, split at the last '='.

    >>> parse_rules(["quant_="])
    (('quant_', ''),)

    Raises:
        ConfigError: no '=', or not a regular expression.
    """
    rules = []
    for value in values:
        pattern, equals, replacement = value.rpartition("=")
        if not equals or not pattern:
            raise ConfigError("expected REGEX=REPLACEMENT", where=f"--rename {value}", hint="for example 'quant_='")
        try:
            # A template is checked when it is used: use it, on whatever the pattern finds nothing in.
            re.compile(pattern).sub(replacement, "")
            re.compile(f"(?:{pattern})|").sub(replacement, "")
        except (re.error, IndexError) as error:
            raise ConfigError(f"is not a regular expression: {error}", where=f"--rename {value}") from None
        rules.append((pattern, replacement))
    return tuple(rules)


def renamed(scope: Scope, rules: Sequence[Rule]) -> Scope:
    """Every rule in turn: on the whole path; where it finds nothing there, on each component.

    >>> renamed(("net", "conv2_block1_add"), [(r"^(conv\\d)_(block\\d+)_", r"\\1/\\2/")])
    ('net', 'conv2', 'block1', 'add')
    """
    path = "/".join(scope)
    for pattern, replacement in rules:
        found = re.compile(pattern)
        if found.search(path):
            path = found.sub(replacement, path)
        else:
            path = "/".join(found.sub(replacement, part) for part in path.split("/"))
    return tuple(part for part in path.split("/") if part)
