"""Ed25519: PEM keys as OpenSSL writes them, raw signatures, and DSSE envelopes around statements."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base.errors import BundleError, ConfigError, PlaceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_BYTES = 64
STATEMENT_TYPE = "application/vnd.in-toto+json"  # payloadType of a DSSE envelope with an in-toto statement
MAX_KEY_BYTES = 1 << 14
_MAKE = "make one with: openssl genpkey -algorithm ed25519 -out FILE"
_PRIVATE = f"name the file with the private key, or {_MAKE}"
_PUBLIC = "write it with: openssl pkey -in PRIVATE.pem -pubout -out FILE"


class PublicKey:
    """A public key from a PEM file.

    Raises:
        ConfigError: the file cannot be read or holds another kind of key.  PlaceError: cryptography is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._key: Ed25519PublicKey = _public(_pem(path, _PUBLIC), path)

    @property
    def id(self) -> str:
        """sha256 of its SubjectPublicKeyInfo in DER."""
        return _key_id(self._key)

    def signed(self, signature: bytes, content: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """A private key from a PEM file; signing the same bytes again gives the same signature.

    Raises:
        ConfigError: the file cannot be read or holds another kind of key.  PlaceError: cryptography is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._key: Ed25519PrivateKey = _private(_pem(path, _PRIVATE), path)

    @property
    def id(self) -> str:
        return _key_id(self._key.public_key())

    def sign(self, content: bytes) -> bytes:
        return self._key.sign(content)


def envelope(key: PrivateKey, statement: bytes) -> dict[str, object]:
    """The DSSE envelope (v1) of a statement."""
    signature = key.sign(pre_authentication(STATEMENT_TYPE, statement))
    return {
        "payload": base64.b64encode(statement).decode(),
        "payloadType": STATEMENT_TYPE,
        "signatures": [{"keyid": key.id, "sig": base64.b64encode(signature).decode()}],
    }


def payload(content: bytes, key: PublicKey | None, where: str) -> bytes:
    """The statement in an envelope; with a key, one of its signatures must be valid.

    Raises:
        BundleError: it is not an envelope with a statement, or not signed by the key.
    """
    try:
        found = json.loads(content)
        statement = base64.b64decode(found["payload"], validate=True)
        kind = found["payloadType"]
        signatures = [base64.b64decode(each["sig"], validate=True) for each in found["signatures"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BundleError("not a DSSE envelope", where=where, reason="statement") from None
    if kind != STATEMENT_TYPE:
        raise BundleError("its payload is not an in-toto statement", where=where, reason="statement")
    message = pre_authentication(STATEMENT_TYPE, statement)
    if key is not None and not any(key.signed(signature, message) for signature in signatures):
        raise BundleError("it is not signed with this key", where=where, reason="signature")
    return statement


def pre_authentication(kind: str, body: bytes) -> bytes:
    """What a DSSE signature is over (PAE of the DSSE protocol, v1).

    >>> pre_authentication("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(body), body)


def is_statement_of(statement: bytes, digests: Mapping[str, str]) -> bool:
    """Whether an in-toto statement (v1) has exactly these subjects: name -> sha256."""
    try:
        found = json.loads(statement)
        subjects = {each["name"]: each["digest"]["sha256"] for each in found["subject"]}
        return bool(found["_type"] == "https://in-toto.io/Statement/v1" and subjects == dict(digests))
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _pem(path: Path, hint: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_KEY_BYTES)
    except OSError as error:
        raise ConfigError(f"the key cannot be read: {error.strerror}", where=str(path), hint=hint) from None


def _public(pem: bytes, path: Path) -> Ed25519PublicKey:
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if b"PRIVATE KEY-----" in pem:
        raise ConfigError("this is a private key; the public one is needed", where=str(path), hint=_PUBLIC)
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError("not a public key in PEM", where=str(path), hint=_PUBLIC) from None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError("not an Ed25519 key", where=str(path), hint=_MAKE)
    return key


def _private(pem: bytes, path: Path) -> Ed25519PrivateKey:
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"PUBLIC KEY-----" in pem:
        raise ConfigError("this is a public key; the private one is needed", where=str(path), hint=_PRIVATE)
    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        hint = "decrypt it for this command: openssl pkey -in FILE -out OTHER"
        raise ConfigError("the key is encrypted", where=str(path), hint=hint) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError("not a private key in PEM", where=str(path), hint=_MAKE) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("not an Ed25519 key", where=str(path), hint=_MAKE)
    return key


def _require_library() -> None:
    """A device needs it only if a key is given."""
    if find_spec("cryptography") is None:
        hint = "run: pip install cryptography"
        raise PlaceError("signatures need the package cryptography", where="--key", hint=hint)


def _key_id(key: Ed25519PublicKey) -> str:
    from cryptography.hazmat.primitives import serialization

    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()
