"""Where the packaged defaults are: inside the installed wheel, or at the top of a source checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def packaged_conf() -> Path:
    return _folder("conf")


def templates(root: Path) -> dict[str, Path]:
    """Report templates by file name; the workspace's own replace the packaged ones."""
    return packaged_templates() | _in(root / "reports_templates")


def packaged_templates() -> dict[str, Path]:
    return _in(_folder("reports_templates"))


def _in(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.glob("*.j2"))}


def _folder(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
