"""Attestations of steps on a remote: in-toto statements of what was made from what, in signed DSSE envelopes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from trtbuild.base.errors import BundleError, RemoteError
from trtbuild.base.files import file_sha256
from trtbuild.core.record import Digest, Record, sorted_sha256
from trtbuild.core.step import Step
from trtbuild.loader.signature import PrivateKey, PublicKey, envelope, payload
from trtbuild.remote.remotes import Remote, TamperedError
from trtbuild.remote.seals import recorded_file
from trtbuild.store import Store

STATEMENT, PREDICATE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"
BUILD_TYPE, BUILDER = "urn:trtbuild:step:v1", "urn:trtbuild:workspace"
_MOST_BYTES = 1 << 22
_SIGN = "push it with --key from a machine that has it"


def digests(digest: Digest) -> dict[str, str]:
    """DVC's md5 of a file as in-toto names it; that of a folder's listing is another algorithm, with another name."""
    return {"dvc-dir-md5" if digest.md5.endswith(".dir") else "md5": digest.md5.removesuffix(".dir")}


def statement(step: Step, record: Record, sha256: Mapping[str, str]) -> dict[str, object]:
    """What is attested of a record: its outputs by sha256, its recipe, and the digests of what it read."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha256[name]}} for name in sorted(sha256)],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"kind": step.kind, "recipe": step.key},
                "resolvedDependencies": [
                    {"name": path, "digest": digests(digest)} for path, digest in sorted(record.deps.items())
                ],
            },
            "runDetails": {"builder": {"id": BUILDER}},
        },
    }


def place(step: Step, record: Record) -> str:
    """Where a remote keeps the attestation of exactly this record, which anybody who has the record can compute."""
    outs = sorted_sha256({name: digest.md5 for name, digest in record.outs.items()})
    return f"attestations/{step.key[:2]}/{step.key}/{outs}.dsse.json"


@dataclass(frozen=True)
class Signer:
    """Attests the steps of a push."""

    key: PrivateKey
    store: Store
    remote: Remote

    def attest(self, step: Step, record: Record) -> str:
        """Send the attestation of a step whose outputs are here; otherwise, why it is not attested."""
        sha256 = _sha256(step, record, self.store)
        if missing := sorted(set(record.outs) - set(sha256)):
            return f"note   {step.folder} is not attested: {missing[0]} is not here"
        content = _text(envelope(self.key, _text(statement(step, record, sha256))))
        path = place(step, record)
        if self.remote.size(path) == len(content) and self.remote.read(path) == content:
            return ""
        self.remote.write(content, path)
        return ""


@dataclass(frozen=True)
class Verifier:
    """Accepts the steps of a pull whose attestation the key has signed."""

    key: PublicKey
    store: Store
    remote: Remote

    def objection(self, step: Step, record: Record) -> RemoteError | None:
        """Why a step is not accepted, whose outputs have arrived or were here."""
        path, where = place(step, record), str(self.remote)
        size = self.remote.size(path)
        if size is None:
            return RemoteError(f"{step.folder} is not attested", where=where, hint=_SIGN)
        if size > _MOST_BYTES:
            return TamperedError(f"the attestation of {step.folder} is too large", where=where, hint=_SIGN)
        try:
            found = payload(self.remote.read(path), self.key, f"the attestation of {step.folder}")
        except BundleError as error:
            return TamperedError(f"{error.where}: {error.what}", where=where, hint=_SIGN)
        if found != _text(statement(step, record, _sha256(step, record, self.store))):
            what = f"{step.folder} is not what its attestation says"
            return TamperedError(what, where=where, hint=_SIGN)
        return None


def _sha256(step: Step, record: Record, store: Store) -> dict[str, str]:
    """Of every output that is here."""
    files = {name: recorded_file(step, name, record, store) for name in record.outs}
    return {name: file_sha256(file) for name, file in files.items() if file.is_file()}


def _text(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
