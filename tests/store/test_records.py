"""Tests of records kept by signature: what is edited or damaged is seen at once, and nothing else is read again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.publishing import STEP, published
from trtbuild.base import shortcut
from trtbuild.store import Store, tracking


def kept(store: Store) -> Path:
    return store.workspace.private / "records" / f"build+{STEP.model}.json"


def lock(store: Store) -> Path:
    return store.root / STEP.folder / tracking.LOCK_FILE


def change(store: Store, where: int, value: object) -> None:
    """One part of what is kept of the step's record: signature, kind, content."""
    store.save_state()
    content = shortcut.load(str(kept(store)))
    content[str(lock(store))][where] = value
    kept(store).write_bytes(shortcut.dumps(content))


def test_a_record_is_parsed_once(store: Store) -> None:
    """The next process takes what was kept; with the record's own parameters, as the file says them."""
    record = published(store)
    change(store, 2, {"cmd": "kept", "params": {tracking.PARAMS_FILE: {"a": 1}}})
    again = Store(store.workspace).record(STEP)
    assert again is not None and (again.cmd, again.params) == ("kept", {"a": 1})
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


OUTSIDE = {"cmd": "", "outs": [{"path": "../x", "md5": "0" * 32}]}


@pytest.mark.parametrize(
    ("where", "value"), [(0, [1, 2, 3, 4]), (0, None), (1, "other"), (2, None), (2, {"cmd": 1}), (2, OUTSIDE)]
)
def test_a_damaged_entry_is_ignored(store: Store, where: int, value: object) -> None:
    """It costs a reading: the record is the file's."""
    record = published(store)
    change(store, where, value)

    assert Store(store.workspace).record(STEP) == record


def test_what_json_cannot_say_is_not_kept(store: Store) -> None:
    """A date in a record stays one."""
    published(store)
    path = lock(store)
    path.write_bytes(path.read_bytes().replace(b"version: ", b"date: 2024-01-01\n        version: ", 1))
    os.utime(path, (1, 1))
    first = Store(store.workspace).record(STEP)
    fresh = Store(store.workspace)
    fresh.record(STEP)
    fresh.save_state()

    assert first is not None and "date" in first.params
    assert Store(store.workspace).record(STEP) == first
