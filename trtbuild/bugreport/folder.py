"""A report's folder and zip: written completely or not at all; equal files give equal bytes."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.base.files import write_atomic

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_PROGRAMS = (".py", ".sh")


def check_free(target: Path) -> None:
    """Raise ConfigError if the folder or its zip exists."""
    for path in (target, archive_of(target)):
        if path.exists():
            raise ConfigError("it already exists", where=str(path), hint="remove it, or name another folder with -o")


def archive_of(target: Path) -> Path:
    target = target if target.name not in ("", "..") else target.absolute()
    return target.with_name(f"{target.name}.zip")


def write(target: Path, files: Mapping[str, bytes]) -> None:
    """Write the folder, which a rename completes, and then its zip."""
    check_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for name, content in files.items():
            path = partial / name
            path.write_bytes(content)
            path.chmod(0o755 if name.endswith(_PROGRAMS) else 0o644)
        partial.chmod(0o755)
        os.rename(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    write_atomic(archive_of(target), zipped(files, target.name))


def zipped(files: Mapping[str, bytes], folder: str) -> bytes:
    """A zip with sorted entries and no times, users or systems."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{folder}/{name}", _EPOCH)
            entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
            entry.external_attr = (0o100755 if name.endswith(_PROGRAMS) else 0o100644) << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()
