"""A bundle, checked in the order of docs/bundle.md: signature, manifest, files, digests; nothing of it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trtbuild.base.errors import BundleError
from trtbuild.base.text import printable
from trtbuild.documents.bundle import MANIFEST, SIGNATURE
from trtbuild.loader.files import Files, missing, open_files, opened, parents
from trtbuild.loader.manifest import MAX_MANIFEST_BYTES, Manifest, parse_manifest
from trtbuild.loader.signature import SIGNATURE_BYTES, PublicKey, is_statement_of, payload

STATEMENT, ENVELOPE = "statement.json", "statement.dsse.json"
MAX_STATEMENT_BYTES = 1 << 24
Signature = Literal["valid", "not checked", "none"]


@dataclass(frozen=True)
class Bundle:
    """What a check has found good.

    ``document``: the whole manifest; ``kept``: the bytes of the engine and the golden arrays, as they were hashed.
    """

    path: Path
    manifest: Manifest
    document: Mapping[str, object]
    signature: Signature
    kept: Mapping[str, bytes]

    @property
    def engine(self) -> bytes:
        return self.kept[self.manifest.engine.file]


def open_bundle(path: Path | str, key: Path | str | None = None, *, keep: bool = True) -> Bundle:
    """Check a bundle: a folder or a tar archive.

    Args:
        key: the file of the public key (PEM) that it must be signed with; without one the signature is not checked.
        keep: whether to keep engine and golden arrays for :func:`trtbuild.loader.load`.

    Raises:
        BundleError: what is wrong first; ConfigError: the key cannot be used.
    """
    public = None if key is None else PublicKey(Path(key))
    path = Path(path)
    files = open_files(path)
    with opened(files, MANIFEST) as file:
        if file.size > MAX_MANIFEST_BYTES:
            raise BundleError(f"it has more than {MAX_MANIFEST_BYTES} bytes", where=MANIFEST, reason="limit")
        content = file.read()
    if public is not None:
        _check_signature(files, public, content)
    manifest, document = parse_manifest(content)
    _check_listing(files, manifest)
    kept = _check_digests(files, manifest, keep=keep)
    if keep and manifest.golden is not None:
        from trtbuild.loader import golden

        golden.check(manifest, manifest.golden, kept)
    found: Signature = "none" if manifest.key_id is None else "not checked" if public is None else "valid"
    return Bundle(path, manifest, document, found, kept)


def check_statement(bundle: Bundle, key: Path | str | None) -> bool:
    """Check the provenance, which a loader does not need; whether there is one.

    Raises:
        BundleError: it is not about this bundle's engine, or its envelope is not signed with the key.
    """
    listed, files = bundle.manifest.files, open_files(bundle.path)
    if STATEMENT not in listed:
        return False
    public = None if key is None else PublicKey(Path(key))
    statement = _small(files, STATEMENT)
    engine = bundle.manifest.engine.file
    if not is_statement_of(statement, {engine: listed[engine].sha256}):
        raise BundleError("it is not an in-toto statement about this engine", where=STATEMENT, reason="statement")
    if ENVELOPE in listed and payload(_small(files, ENVELOPE), public, ENVELOPE) != statement:
        raise BundleError(f"its payload is not {STATEMENT}", where=ENVELOPE, reason="statement")
    return True


def _small(files: Files, name: str) -> bytes:
    with opened(files, name) as file:
        if file.size > MAX_STATEMENT_BYTES:
            raise BundleError(f"it has more than {MAX_STATEMENT_BYTES} bytes", where=name, reason="limit")
        return file.read()


def _check_signature(files: Files, key: PublicKey, content: bytes) -> None:
    try:
        with opened(files, SIGNATURE) as file:
            signature = file.read() if file.size == SIGNATURE_BYTES else b""
    except BundleError as error:
        if error.reason != "missing":
            raise
        hint = "bundle it with --key, or verify it without a key"
        raise BundleError("the bundle is not signed", where=SIGNATURE, hint=hint, reason="unsigned") from None
    if not signature:
        what = f"it does not have the {SIGNATURE_BYTES} bytes of a signature"
        raise BundleError(what, where=SIGNATURE, reason="signature")
    if not key.signed(signature, content):
        what = f"it is not this key's signature of {MANIFEST}: one of the two was changed, or another key signed"
        raise BundleError(what, where=SIGNATURE, reason="signature")


def _check_listing(files: Files, manifest: Manifest) -> None:
    """Nothing is there that the manifest does not list, and all is there that it lists, in its size."""
    present, folders = files.names()
    wanted = {*manifest.files, MANIFEST, *([SIGNATURE] if manifest.key_id else [])}
    if strays := sorted((present - wanted) | (folders - parents(wanted))):
        raise BundleError("the manifest does not list it", where=printable(strays[0]), reason="unlisted")
    if lost := sorted(wanted - present):
        raise missing(lost[0])
    sizes = {name: facts.size for name, facts in manifest.files.items()}
    sizes |= {SIGNATURE: SIGNATURE_BYTES} if manifest.key_id else {}
    for name in sorted(sizes):
        with opened(files, name) as file:
            if file.size != sizes[name]:
                what = f"it has {file.size} bytes, the manifest says {sizes[name]}"
                raise BundleError(what, where=name, reason="size")


def _check_digests(files: Files, manifest: Manifest, *, keep: bool) -> dict[str, bytes]:
    kept: dict[str, bytes] = {}
    for name in sorted(manifest.files):
        with opened(files, name) as file:
            if file.size != manifest.files[name].size:
                raise BundleError("its size has just changed", where=name, reason="size")
            wanted = keep and name in manifest.kept
            digest, content = file.digest(keep=wanted)
        if digest != manifest.files[name].sha256:
            raise BundleError("it is not what the manifest lists (sha256)", where=name, reason="digest")
        if wanted:
            kept[name] = content
    return kept
