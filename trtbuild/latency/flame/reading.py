"""Files that users give: text to JSON, and every way this fails as one line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeGuard

from trtbuild.base.errors import ConfigError

if TYPE_CHECKING:
    from trtbuild.graphs.scopes import ScopeMap

# "key": "value" alone on a line, as TensorRT's inspector prints it: its 9.0 leaves quotes in values unescaped.
_TEXT_LINE = re.compile(r'^(\s*[,{\[]*\s*(?:"\w+"\s*:\s*)?)"(.*)"(\s*[,\]}]*\s*)$')


def read_text(path: Path | str) -> str:
    """Raises ConfigError for a file that is missing or is not text."""
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the file: {error.strerror or error}", where=str(path)) from None
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"  # a shell's redirection may add marks
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not text: byte {error.start} is not UTF-8", where=str(path)) from None


def parse_json(text: str, where: str, expected: str, *, unique: bool = False) -> object:
    """JSON, with control characters in strings; lines with unescaped quotes are repaired.

    Raises:
        ConfigError: it is not JSON; or, if keys must be ``unique``, an object has one twice, and one would be lost.
    """

    def checked(pairs: list[tuple[str, object]]) -> dict[str, object]:
        made = dict(pairs)
        if len(made) < len(pairs):
            name = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
            hint = "write a list of runs, [[layer, ms], …], for layers of equal names"
            raise ConfigError(f"{_short(name)} occurs twice in one object", where=where, hint=hint)
        return made

    hook = checked if unique else None
    if not text.strip():
        raise ConfigError(f"the file is empty, expected {expected}", where=where)
    try:
        return json.loads(text, strict=False, object_pairs_hook=hook)
    except RecursionError:
        raise ConfigError(f"nested too deeply, expected {expected}", where=where) from None
    except ValueError as error:
        mended = "\n".join(_mend(line) for line in text.splitlines())
        try:
            return json.loads(mended, strict=False, object_pairs_hook=hook)
        except (ValueError, RecursionError):
            what = getattr(error, "msg", str(error))
            place = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
            hint = f"expected {expected}; is the file complete?"
            raise ConfigError(f"is not JSON{place}: {what}", where=where, hint=hint) from None


def _mend(line: str) -> str:
    found = _TEXT_LINE.match(line)
    if not found:
        return line
    before, value, after = found.groups()
    try:
        json.loads(f'"{value}"', strict=False)
    except ValueError:
        return before + json.dumps(value) + after
    return line


def milliseconds(value: object, where: str, entry: str) -> float:
    """A time that can be added: finite, not negative.  Raises ConfigError that names the entry."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigError(f"{entry}: expected a time in milliseconds, found {_short(value)}", where=where)
    try:
        time_ms = float(value)
    except OverflowError:
        time_ms = math.inf
    if not math.isfinite(time_ms) or time_ms < 0:
        raise ConfigError(f"{entry}: a layer's time cannot be {time_ms:g} ms", where=where)
    if time_ms > 1e9:  # eleven days
        raise ConfigError(f"{entry}: {time_ms:g} ms is not a layer's time", where=where)
    return time_ms


def refuse(content: object, where: str, expected: str) -> NoReturn:
    """Another kind of file than expected: say which one it looks like."""
    looks = ""
    first = content[0] if isinstance(content, list) and content else content
    if isinstance(content, Mapping) and "Layers" in content:
        looks = "this is layer information (--exportLayerInfo): give it with --layers"
    elif isinstance(content, Mapping) and "performance_summary" in content:
        looks = "this is trtexec's metadata: give it with --metadata"
    elif isinstance(content, Mapping) and "nodes" in content and "tensors" in content:
        looks = "this is a scopes.json: give it with --scopes"
    elif isinstance(first, Mapping) and "computeMs" in first:
        looks = "this is --exportTimes: give it with --times"
    elif isinstance(first, Mapping) and ("count" in first or "averageMs" in first):
        looks = "this is a layer profile (--exportProfile)"
    raise ConfigError(f"expected {expected}, found {_short(content)}", where=where, hint=looks)


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def read_scopes(path: Path | str) -> ScopeMap:
    """A build's ``scopes.json``: ``{"nodes": {ONNX node: {op, type, name, scope, members}}, "tensors": {…}}``."""
    expected = 'a scopes.json of trtbuild ({"nodes": …, "tensors": …})'
    content = parse_json(read_text(path), str(path), expected)
    if not _is_scope_map(content, str(path)):
        refuse(content, str(path), expected)
    return content


def _is_scope_map(content: object, where: str) -> TypeGuard[ScopeMap]:
    """Raises ConfigError for one with a mistake inside."""
    if not isinstance(content, Mapping) or not isinstance(content.get("nodes"), Mapping):
        return False
    if not isinstance(content.get("tensors", {}), Mapping):
        raise ConfigError(f"its tensors are {_short(content['tensors'])}, expected an object", where=where)
    for name, entry in content["nodes"].items():
        members = entry.get("members", []) if isinstance(entry, Mapping) else None
        if not isinstance(members, list) or not all(map(_is_named, [entry, *members])):
            raise ConfigError(f"node {_short(name)}: expected an object with 'name' or 'op'", where=where)
    return True


def _is_named(entry: object) -> bool:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name", entry.get("op")), str):
        return False
    return all(isinstance(entry.get(key, ""), str) for key in ("op", "type", "name", "scope"))
