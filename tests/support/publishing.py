"""A step of two outputs that is published, and folders of files with the digests that DVC gives them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tests.support.fakes import digests, make, step
from trtbuild.building.observation import judge_step
from trtbuild.core.record import Digest, Record
from trtbuild.core.step import Out, Step
from trtbuild.store import Store

STEP = step("a", files=("models/source",), outs=(Out("x.bin"), Out("y.json", cache=False)), depth=2)
TREE = {"a/b": "1", "a.b": "2", "a/b.c/d": "3", "Z": "", "ünï/çode": "5", "a b": "6"}


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return root


def published(store: Store, content: str = "made", step: Step = STEP) -> Record:
    """The step built once, as a worker and the build loop would."""
    source = store.root / "models" / "source"
    if not source.exists():
        source.write_text("source", "utf-8")
    made = make(store.workspace.work / "sandbox", step, content)
    return store.publish(step, digests(store.root, step), made)


def state_of(store: Store, step: Step = STEP) -> str:
    fresh_eyes = Store(store.workspace)
    return judge_step(step, fresh_eyes).state


def md5(digest: Digest | None) -> str | None:
    return digest and digest.md5


def dvc_md5(path: Path, ignore: Any = None) -> str | None:
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem

    fs = LocalFileSystem()
    _, _, tree = build(HashFileDB(fs, tempfile.gettempdir()), str(path), fs, "md5", dry_run=True, ignore=ignore)
    assert tree.hash_info is not None
    return tree.hash_info.value
