"""Whether an engine is the one that its passport was made for."""

from __future__ import annotations

import json
from pathlib import Path

from trtbuild.base.files import file_sha256
from trtbuild.core.record import Record
from trtbuild.core.step import Step
from trtbuild.store import Store

# An output, and the file of the same step that holds its sha256.
SEALED = {"engine.plan": "passport.json"}


def broken_seal(step: Step, record: Record, store: Store) -> str:
    """What is wrong with a recorded output whose sha256 another one holds; "" if nothing, or if they are not here."""
    for name, seal in SEALED.items():
        if name in record.outs and seal in record.outs:
            file, passport = (recorded_file(step, out, record, store) for out in (name, seal))
            if file.is_file() and passport.is_file() and _sha256_in(passport) != file_sha256(file):
                return f"{step.folder}/{name} is not what its {seal} says (sha256)"
    return ""


def recorded_file(step: Step, name: str, record: Record, store: Store) -> Path:
    """An output's bytes: in the cache, or in the workspace, where they are the recorded ones."""
    digest = record.outs[name]
    return store.objects.path(digest.md5) if store.objects.has(digest) else store.root / step.folder / name


def _sha256_in(passport: Path) -> str:
    try:
        return str(json.loads(passport.read_bytes())["sha256"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "none"
