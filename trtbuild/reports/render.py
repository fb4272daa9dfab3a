"""Page data -> HTML, by Jinja: equal data gives equal bytes, and no page refers to the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment


def render(templates: Mapping[str, Path], name: str, data: Mapping[str, Any]) -> str:
    """Render ``name`` from a set of templates by file name; an undefined value is an error, not an empty cell."""
    return renderer(templates)(name, data)


def renderer(templates: Mapping[str, Path]) -> Callable[[str, Mapping[str, Any]], str]:
    """A function that renders pages from one set of templates."""
    environment = environment_of(templates)
    return lambda name, data: environment.get_template(name).render(data)


def environment_of(templates: Mapping[str, Path]) -> Environment:
    from jinja2 import DictLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    sources = {file: path.read_text("utf-8") for file, path in templates.items()}
    # A template of a workspace is data: it reaches nothing but its page.
    environment = SandboxedEnvironment(
        loader=DictLoader(sources), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True,
        bytecode_cache=_compiled(),
    )  # fmt: skip
    filters: dict[str, Callable[[Any], Any]] = {
        "number": number,
        "embed": embed,
        "bytes": byte_size,
        "csp_hash": csp_hash,
    }
    environment.filters |= filters
    return environment


@cache
def _compiled() -> BytecodeCache:
    """Every template's code by name and source: compiling takes most of a page's time, and pages share templates."""
    from jinja2.bccache import Bucket, BytecodeCache

    class Compiled(BytecodeCache):
        def __init__(self) -> None:
            self._codes: dict[tuple[str, str], CodeType | None] = {}

        def load_bytecode(self, bucket: Bucket) -> None:
            bucket.code = self._codes.get((bucket.key, bucket.checksum))

        def dump_bytecode(self, bucket: Bucket) -> None:
            self._codes[bucket.key, bucket.checksum] = bucket.code

    return Compiled()


def number(value: Any) -> str:
    """Four significant digits; a missing value is a dash.

    >>> number(0.000123456), number(12), number(None), number(True)
    ('0.0001235', '12', '–', 'yes')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def byte_size(value: int) -> str:
    """
    >>> byte_size(1234567)
    '1.23 MB'
    """
    return f"{value / 1e6:.2f} MB" if value >= 1e6 else f"{value / 1e3:.1f} kB"


def csp_hash(script: str) -> str:
    """An inline script's source in a content-security policy: no inline script but this one runs."""
    import base64
    import hashlib

    return "sha256-" + base64.b64encode(hashlib.sha256(str(script).encode()).digest()).decode()


def embed(value: Any) -> Any:
    """JSON that is safe inside a script element."""
    from markupsafe import Markup

    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
