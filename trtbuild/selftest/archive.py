"""The archive of one model: a zip that Python can execute, whose manifest has the SHA-256 of every other member.

Layout: ``manifest.json``; ``graphs/*.onnx`` without weights; ``weights/<sha256>`` (weights.py); ``plans/*.plan``;
``arrays/*.npz``; ``__main__.py`` and ``trtbuild/**.py``, the program itself.  The zip's comment is the SHA-256 of the
manifest, which finds damage; it is no signature (a bundle has one).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import cast

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.base.archives import check_expansion
from trtbuild.base.errors import PlaceError
from trtbuild.base.files import replacing
from trtbuild.documents import reading
from trtbuild.documents.selftest import SCHEMA_VERSION, ArchiveManifest, ArchiveVariant
from trtbuild.selftest.weights import remade

MANIFEST, MAIN = "manifest.json", "__main__.py"
LARGEST_BYTES = 60_000_000
_ENTRY = b"""import sys

from trtbuild.selftest.standalone import main

sys.exit(main(sys.path[0], sys.argv[1:]))
"""
_THE_DAY = (1980, 1, 1, 0, 0, 0)  # the same members give the same archive
_HINT = "make it again with trtbuild selftest --prepare"


@dataclass
class Contents:
    """Members of an archive that is being made; plans come last, because those that do not fit are left out."""

    members: dict[str, bytes] = field(default_factory=dict)
    plans: dict[str, bytes] = field(default_factory=dict)


def program(package: Path) -> dict[str, bytes]:
    """The package's own files as members, and what starts them."""
    files = sorted(path for path in package.rglob("*.py") if path.relative_to(package).parts[0] != "demo")
    return {MAIN: _ENTRY} | {f"{package.name}/{p.relative_to(package).as_posix()}": p.read_bytes() for p in files}


def write(path: Path, manifest: ArchiveManifest, contents: Contents, largest_bytes: int = LARGEST_BYTES) -> list[str]:
    """Write the archive, with as many plans as fit, the smallest first; returns the precisions left without one.

    Raises:
        PlaceError: it is larger than ``largest_bytes`` even without plans.
    """
    members = {name: _packed(content) for name, content in contents.members.items()}
    room = largest_bytes - sum(map(len, members.values())) - 200 * len(members)
    left_out: list[str] = []
    for variant in sorted(manifest["variants"], key=lambda v: v["plan"]["bytes"]):
        member = f"plans/{variant['precision']}.plan"
        size = 0 if left_out else len(_packed(contents.plans[variant["precision"]]))
        if left_out or size > room:
            left_out.append(variant["precision"])
            continue
        room -= size
        contents.members[member] = contents.plans[variant["precision"]]
        variant["plan"]["member"] = member
    if room < 0:
        what = f"the archive would be {(largest_bytes - room) / 1e6:.0f} MB, more than {largest_bytes / 1e6:.0f}"
        raise PlaceError(what, where=path.name, hint="choose fewer precisions")
    manifest["sha256"] = {name: hashlib.sha256(content).hexdigest() for name, content in contents.members.items()}
    text = json.dumps(manifest, indent=1, sort_keys=True).encode()
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        for name, content in {MANIFEST: text, **dict(sorted(contents.members.items()))}.items():
            archive.writestr(zipfile.ZipInfo(name, _THE_DAY), content, zipfile.ZIP_DEFLATED, 6)
        archive.comment = hashlib.sha256(text).hexdigest().encode()
    return left_out


def _packed(content: bytes) -> bytes:
    import zlib

    return zlib.compress(content, 6)


def npz(arrays: Mapping[str, Array]) -> bytes:
    """Arrays of numbers as an uncompressed .npz; the zip around it compresses."""
    buffer = BytesIO()
    np.savez(buffer, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


class Archive:
    """An archive that is read: every member is compared with its SHA-256 before it is used.

    Raises:
        PlaceError: it is not a self-test archive, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            check_expansion(path, (member.file_size for member in self._zip.infolist()))
            text = self._zip.read(MANIFEST)
        except OSError as error:
            raise PlaceError(f"cannot be read: {error.strerror or error}", where=str(path)) from None
        except (KeyError, zipfile.BadZipFile, ValueError) as error:
            raise PlaceError(f"not a self-test archive ({error})", where=str(path), hint=_HINT) from None
        if hashlib.sha256(text).hexdigest().encode() != self._zip.comment:
            raise PlaceError("its manifest is damaged", where=str(path), hint=_HINT)
        self.manifest = _manifest(text, path)

    def read(self, member: str) -> bytes:
        try:
            content = self._zip.read(member)
        except (KeyError, zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
            raise PlaceError(f"{member} cannot be read ({error})", where=str(self.path), hint=_HINT) from None
        if hashlib.sha256(content).hexdigest() != self.manifest["sha256"].get(member):
            raise PlaceError(f"{member} is damaged", where=str(self.path), hint=_HINT)
        return content

    def arrays(self, member: str) -> dict[str, Array]:
        try:
            with np.load(BytesIO(self.read(member)), allow_pickle=False) as stored:
                check_expansion(self.path, (one.file_size for one in stored.zip.infolist()))
                return {name: stored[name] for name in stored.files}
        except (zipfile.BadZipFile, OSError, EOFError, ValueError, TypeError) as error:
            raise PlaceError(f"{member} cannot be read ({error})", where=str(self.path), hint=_HINT) from None

    def unpack_graph(self, variant: ArchiveVariant, folder: Path) -> Path:
        """Write the graph and its weights into ``folder``; the graph's path."""
        blobs = {digest: self.read(f"weights/{digest}") for digest in {w["of"] for w in variant["weights"]}}
        (folder / PurePosixPath(variant["data"]).name).write_bytes(remade(variant["weights"], blobs))
        graph = folder / PurePosixPath(variant["graph"]).name
        graph.write_bytes(self.read(variant["graph"]))
        return graph

    def sha256(self) -> str:
        from trtbuild.base.files import file_sha256

        return file_sha256(self.path)


def _manifest(text: bytes, path: Path) -> ArchiveManifest:
    """The manifest, checked against its type; on a device without jsonschema, that it has the keys."""
    try:
        found = json.loads(text)
        version = found["schema_version"]
        if version == SCHEMA_VERSION and find_spec("jsonschema") is not None:
            return reading.checked(found, ArchiveManifest, where=str(path), hint=_HINT, name=MANIFEST)
        lost = {*ArchiveManifest.__required_keys__} - {*found}
        lost |= {key for one in found.get("variants", ()) for key in {*ArchiveVariant.__required_keys__} - {*one}}
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        raise PlaceError("its manifest is not one of a self-test", where=str(path), hint=_HINT) from None
    if version != SCHEMA_VERSION:
        what = f"version {version} of the format, this program reads {SCHEMA_VERSION}"
        raise PlaceError(what, where=str(path), hint=f"python {path.name}")
    if lost:
        raise PlaceError(f"its manifest lacks {min(lost)}", where=str(path), hint=_HINT)
    return cast(ArchiveManifest, found)


def variants(manifest: ArchiveManifest, precisions: Sequence[str]) -> Iterable[ArchiveVariant]:
    return [v for v in manifest["variants"] if not precisions or v["precision"] in precisions]
