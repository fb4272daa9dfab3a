"""Clones of a workspace, and what is done with them beside trtbuild: git, DVC, remotes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path


def run(*argv: str, cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def dvc(*words: str, cwd: Path) -> str:
    return run(sys.executable, "-m", "dvc", *words, cwd=cwd)


def git(*words: str, cwd: Path) -> str:
    return run("git", "-c", "user.name=x", "-c", "user.email=x@x", *words, cwd=cwd)


def clone(here: Path, name: str = "clone", *, records: bool = True) -> Path:
    """Another machine: git's files, an empty cache."""
    there = here.with_name(name)
    git("clone", "-q", str(here), str(there), cwd=here)
    if not records:
        shutil.rmtree(there / "build")
    for config in here.glob(".dvc/config.local"):
        shutil.copy(config, there / ".dvc" / "config.local")
    return there


def configure(workspace: Path, settings: dict[str, str], port: int = 0) -> None:
    """A default remote in DVC's local config, which git does not keep."""
    lines = [f"    {key} = {value.format(port=port)}\n" for key, value in settings.items()]
    text = "[core]\n    remote = store\n['remote \"store\"']\n" + "".join(lines)
    (workspace / ".dvc" / "config.local").write_text(text, "utf-8")


def verified(workspace: Path) -> int:
    """Number of objects in the cache; each has the content that its name says, and nothing unfinished lies about."""
    files = [path for path in (workspace / ".dvc" / "cache" / "files").rglob("*") if path.is_file()]
    for path in files:
        assert hashlib.md5(path.read_bytes()).hexdigest() == (path.parent.name + path.name).removesuffix(".dir")
    assert not list((workspace / ".trtbuild" / "work").iterdir())
    return len(files)


def output(workspace: Path, name: str) -> Path:
    return next(workspace.glob(f"build/tiny/*/{name}"))
