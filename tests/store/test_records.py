"""Tests of records kept by signature: what is edited or damaged is seen at once, and nothing else is read again."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.publishing import STEP, published
from trtbuild.base import shortcut
from trtbuild.core.record import Digest
from trtbuild.store import Store, tracking


def kept(store: Store) -> Path:
    return store.workspace.private / "records" / f"build+{STEP.model}.json"


def lock(store: Store) -> Path:
    return store.root / STEP.folder / tracking.LOCK_FILE


def change(store: Store, where: int, value: object) -> None:
    """One part of what is kept of the step's record: signature, key, digests of what it read and wrote."""
    store.save_state()
    content = shortcut.load(str(kept(store)))
    content[str(lock(store))][where] = value
    kept(store).write_bytes(shortcut.dumps(content))


def test_a_record_is_parsed_once(store: Store) -> None:
    """The next process takes the digests that were kept, and the rest from the step."""
    record = published(store)
    change(store, 3, {"out.txt": ["0" * 32, 1, None]})
    again = Store(store.workspace).record(STEP)
    assert again == replace(record, outs={"out.txt": Digest("0" * 32, 1)})
    kept(store).unlink()
    assert Store(store.workspace).record(STEP) == record


def test_a_record_edited_by_hand_is_seen_at_once(store: Store) -> None:
    """By the next process and by this one, although size and time are what they were."""
    record = published(store)
    store.save_state()
    path, md5 = lock(store), next(iter(record.outs.values())).md5
    before, status = path.read_bytes(), path.stat()
    path.write_bytes(before.replace(md5.encode(), md5[::-1].encode()))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    for other in (store, Store(store.workspace)):
        seen = other.record(STEP)
        assert seen is not None and md5[::-1] in [digest.md5 for digest in seen.outs.values()]


@pytest.mark.parametrize(
    ("where", "value"),
    [(0, [1, 2, 3, 4]), (0, None), (1, "other"), (2, None), (2, {"a": ["0" * 32]}), (2, {"a": [1, 1, None]}),
     (3, {"a": {"md5": "0" * 32}}), (3, {"../x": ["0" * 32, 1, None]})],
)  # fmt: skip
def test_a_damaged_entry_is_ignored(store: Store, where: int, value: object) -> None:
    """It costs a reading: the record is the file's."""
    record = published(store)
    change(store, where, value)

    assert Store(store.workspace).record(STEP) == record


@pytest.mark.parametrize("line", [b"date: 2024-01-01", b"more: 1", b"nan: .nan"])
def test_what_the_step_does_not_say_is_not_kept(store: Store, line: bytes) -> None:
    """It is read each time: a date in a record stays one."""
    published(store)
    path = lock(store)
    path.write_bytes(path.read_bytes().replace(b"version: ", line + b"\n        version: ", 1))
    os.utime(path, (1, 1))
    first = Store(store.workspace).record(STEP)
    fresh = Store(store.workspace)
    fresh.record(STEP)
    fresh.save_state()

    assert first is not None and line.split(b":")[0].decode() in first.params
    assert Store(store.workspace).record(STEP) == first
