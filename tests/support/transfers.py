"""Workspaces that push and pull over a folder as their remote, and what a test does to their objects."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from trtbuild.base.workspace import Workspace
from trtbuild.core.job import Job
from trtbuild.core.step import Out, Step
from trtbuild.remote.remotes import open_remote
from trtbuild.remote.resolve import object_file
from trtbuild.remote.transferresult import TransferResult
from trtbuild.store import Store

ENGINE = (Out("engine.plan"), Out("passport.json"))


def seal(job: Job) -> None:
    """An engine and a passport with its sha256."""
    job.output("engine.plan").write_bytes(b"engine")
    job.write_json("passport.json", {"sha256": hashlib.sha256(b"engine").hexdigest()})


def workspace(folder: Path, remote: Path) -> Store:
    for name in (".git", ".dvc", "models"):
        (folder / name).mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(f"[core]\n    remote = r\n['remote \"r\"']\n    url = {remote}\n", "utf-8")
    (folder / "models" / "source").write_text("1", "utf-8")
    made = Workspace(folder)
    made.prepare()
    return Store(made)


def move(verb: Callable[..., TransferResult], store: Store, steps: list[Step]) -> TransferResult:
    store = Store(store.workspace)
    return verb(steps, store, open_remote(store.workspace), lambda name: open_remote(store.workspace, name))


def states(result: TransferResult) -> list[str]:
    return [entry.state for entry in result.entries]


def copy_records(source: Store, target: Store) -> None:
    """What git would bring."""
    shutil.copytree(
        source.root / "build", target.root / "build", ignore=shutil.ignore_patterns("*.bin", "*.plan", "*.json")
    )


def remote_object(store: Store, step: Step, name: str) -> Path:
    record = Store(store.workspace).record(step)
    assert record is not None
    return store.root.parent / "remote" / object_file(record.outs[name].md5)


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_text("x" * path.stat().st_size, "utf-8")
