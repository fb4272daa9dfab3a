"""The schemas of report.json and sweep.json, for people and their tools; ``python -m trtbuild.documents.published``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from trtbuild.documents.report import Report
from trtbuild.documents.schema import schema_of
from trtbuild.documents.sweep import Sweep

FOLDER = Path(__file__).parent
FILES: Mapping[str, tuple[type, str]] = {
    "report.schema.json": (Report, "trtbuild report of one variant"),
    "sweep.schema.json": (Sweep, "trtbuild overview of a sweep"),
}


def text(file: str) -> str:
    """The text of a schema's file."""
    kind, title = FILES[file]
    return f"{{\n{_members(schema_of(kind, title=title), 1)}\n}}\n"


def _members(schema: Mapping[str, object], depth: int) -> str:
    """One line for each key, property and type, so that changing one of them changes one line."""
    lines = []
    for key, value in schema.items():
        inner = f"{{\n{_members(value, 2)}\n }}" if depth == 1 and isinstance(value, dict) else json.dumps(value)
        lines.append(f"{' ' * depth}{json.dumps(key)}: {inner}")
    return ",\n".join(lines)


if __name__ == "__main__":
    for name in FILES:
        (FOLDER / name).write_text(text(name), "utf-8")
