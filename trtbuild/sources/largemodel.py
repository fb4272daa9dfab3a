"""The zip archive that ``tf2onnx --large_model`` writes: a model and its weight files, under any names."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from trtbuild.base.archives import check_expansion
from trtbuild.base.errors import SourceError
from trtbuild.base.files import inside
from trtbuild.base.text import printable

MAX_BYTES = 2 << 30  # ONNX in one file, which protobuf bounds; more could not be built, nor should it fill a disk
HINT = "tf2onnx --large_model writes one: trtbuild init --from FILE takes it, and unzip -d FOLDER FILE unpacks it"


def is_one(path: Path) -> bool:
    return path.is_file() and zipfile.is_zipfile(path)


def unpack(path: Path, where: str, folder: Path) -> Path:
    """Write its files below ``folder``; returns the model's.

    Raises:
        SourceError: it holds no model, several, or too much, or is damaged.  ConfigError: a name that leads out of it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            models = [member for member in members if member.filename.endswith(".onnx")]
            if len(models) != 1:
                found = ", ".join(printable(member.filename) for member in models) or "none"
                raise SourceError(f"a zip archive that does not hold exactly one .onnx file: {found}", where=where)
            check_expansion(path, (member.file_size for member in members))
            if sum(member.file_size for member in members) > MAX_BYTES:
                raise SourceError("a zip archive of over 2 GB: ONNX cannot hold it in one file", where=where)
            for member in members:
                target = inside(folder, member.filename, where=where)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file, 1 << 20)
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError, NotImplementedError) as error:  # damaged, encrypted
        raise SourceError(f"not a readable zip archive: {error}", where=where) from error
    return inside(folder, models[0].filename, where=where)
