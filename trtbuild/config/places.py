"""Where a mistake in a config stands: the file and line of the key, or the word on the command line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.config.code import TRUSTED_MODULES
from trtbuild.config.composing import compose_config
from trtbuild.config.groups import GROUPS, conf_folders, options
from trtbuild.config.origins import COMMAND_LINE, chain, shown

if TYPE_CHECKING:
    from yaml import Node

Known = dict[tuple[str, ...], str]


@contextlib.contextmanager
def placing(root: Path, overrides: Sequence[str], known: Known | None = None) -> Iterator[None]:
    """Errors about a config's keys that are raised in the block say where the key stands.

    Args:
        overrides: the words that it was composed with.
        known: places of earlier errors of a sweep: finding one may take a composition by Hydra, 70 ms.
    """
    try:
        yield
    except ConfigError as error:
        if error.placed:
            raise
        known = {} if known is None else known
        group = re.split("[.=]", error.where, maxsplit=1)[0]
        cause = (error.where, error.what, *(word for word in overrides if word.lstrip("+~").startswith(group)))
        if cause not in known:
            known[cause] = place(root, overrides, error.where, error.what)
        if not known[cause]:
            raise
        placed = type(error)(error.what, where=known[cause], hint=error.hint, details=error.details)
        placed.placed = True
        raise placed from error.__cause__


def place(root: Path, overrides: Sequence[str], where: str, what: str = "") -> str:
    """``where`` (a dotted key, GROUP=OPTION with or without a key, or a word) with its file and line before it.

    "" if it is none of these, or cannot be found.
    """
    if where in overrides:
        return f"{COMMAND_LINE}: {where}"
    group, equals, named = where.partition("=")
    option, key = "", where.partition(".")[2]
    if equals and group in GROUPS:  # options have dots in their names
        have = [name for name in options(root, group) if named == name or named.startswith(f"{name}.")]
        option = max(have, key=len, default="")
        if not option:  # an option that there is not stands in no file
            return ""
        key = named[len(option) + 1 :]
    else:
        group = where.partition(".")[0]
    key = ".".join(filter(None, (key, _said(what))))
    configs = [path for folder in conf_folders(root) if (path := folder / "config.yaml").is_file()]
    if where in ("config", TRUSTED_MODULES):  # a key beside the groups
        return _in_files(root, [(path, key or where) for path in configs], where)
    if group not in GROUPS or (equals and not key):
        return ""
    word = next((word for word in overrides if _same(word.partition("=")[0].lstrip("+"), f"{group}.{key}")), None)
    if word is not None:  # it may set a whole mapping: then where in it
        inner = where.startswith(f"{word.partition('=')[0].lstrip('+')}.")
        return f"{COMMAND_LINE}: {word}: {where}" if inner else f"{COMMAND_LINE}: {word}"
    try:
        option = option or str(compose_config(root, overrides)[1].get(group) or "")
        files = [(path, key) for path, _ in chain(root, group, option)][::-1]
    except (TrtbuildError, OSError):
        return ""
    beside = [(path, f"{group}.{key}") for path in configs if _line(path, f"{group}.{key}")[0] > len(group)]
    return _in_files(root, [*beside, *files], where)


def _said(what: str) -> str:
    """The key that a message names itself: ``unknown key 'x'``, or ``x: not between …`` of a value that was checked."""
    found = re.match(r"(?:unknown|missing) key '([^']+)'|([a-z_]+(?:\.[a-z_]+|\[\d+\])*): ", what)
    return (found[1] or found[2]) if found else ""


def _same(word: str, key: str) -> bool:
    """Whether a word sets the key, or something in it or around it."""
    return "." in word and (word == key or word.startswith(f"{key}.") or key.startswith((f"{word}.", f"{word}[")))


def _in_files(root: Path, files: Sequence[tuple[Path, str]], where: str) -> str:
    """The place in the first file that has its key, else in the one that lacks least of it."""
    found = [(len(key) - depth, line, path) for path, key in files for depth, line in [_line(path, key)]]
    if not found:
        return ""
    _, line, path = min(found, key=lambda one: one[0])
    return f"{shown(root, path)}:{line}: {where}"


def _line(path: Path, key: str) -> tuple[int, int]:
    """How much of a dotted key (in characters) a file has, and the line of the last part that it has."""
    import yaml

    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return 0, 1
    depth, line = 0, 1
    while node is not None and key[depth:]:
        step = _step(node, key[depth:])
        if step is None:
            break
        length, line, node = step
        depth += length
    return depth, line


def _step(node: Node, key: str) -> tuple[int, int, Node] | None:
    """The first part of a key in a node: its length with the dot or bracket behind it, its line, and its value."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            text = str(name.value)
            if key == text or key.startswith((f"{text}.", f"{text}[")):
                return len(text) + (key[len(text) : len(text) + 1] == "."), name.start_mark.line + 1, value
    index = re.match(r"\[(\d+)\]\.?", key)
    if index is not None and isinstance(node, yaml.SequenceNode) and int(index[1]) < len(node.value):
        item = node.value[int(index[1])]
        return index.end(), item.start_mark.line + 1, item
    return None
