"""What ``trtbuild gc`` reads of reports, and what it prints with ``--json``."""

from __future__ import annotations

from typing import Literal, TypedDict

Kind = Literal["reports", "unrecorded", "objects", "runs", "temporaries", "damaged", "sandboxes", "locks", "toolchains"]


class _Variant(TypedDict):
    id: str


class _Engine(TypedDict):
    sha256: str
    onnx_sha256: str


class ReportIdentity(TypedDict):
    """What a report.json of any version is about."""

    variant: _Variant
    engine: _Engine


class GarbageKind(TypedDict):
    """All of one kind; ``freed``: how many of them are gone now."""

    kind: Kind
    why: str
    count: int
    bytes: int
    freed: int
    paths: list[str]


class GarbageFailure(TypedDict):
    path: str
    what: str


class GarbageDocument(TypedDict):
    """``dry_run``: nothing was removed."""

    schema_version: Literal[1]
    dry_run: bool
    kinds: list[GarbageKind]
    bytes: int
    notes: list[str]
    failed: list[GarbageFailure]
