"""The remembered answer of an unchanged build: its output, and the stat signature of every file it depended on.

A build with nothing to do must cost nothing, so this module imports only a little of the standard library.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from trtbuild.base import shortcut
from trtbuild.base.signatures import everything, stat_signature

# Time stamps on common file systems advance in steps of up to 10 ms: a file that changed within one step of being
# signed could change again unnoticed.
_STEP_NS = 20_000_000
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_KEPT_ANSWERS = 256


class Answer(NamedTuple):
    output: list[str]  # the text written to stdout and to stderr
    status: int


def find_root(start: str) -> str | None:
    """The nearest folder at or above ``start`` that has a .dvc folder, as in find_workspace."""
    folder = os.path.abspath(start)
    while not os.path.isdir(os.path.join(folder, ".dvc")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def recall(root: str, words: Sequence[str]) -> Answer | None:
    """The remembered answer and exit status, if every signature still holds."""
    try:
        answer = shortcut.load(_file(root, words))
        if not isinstance(answer, dict) or type(answer["status"]) is not int:
            return None
        if [type(text) for text in answer["output"]] != [str, str]:
            return None
        if any(stat_signature(path) != signature for path, signature in answer["signatures"].items()):
            return None
        return Answer(answer["output"], answer["status"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


Signatures = dict[str, "list[int] | None"]


def sign(paths: Iterable[str]) -> Signatures:
    """Signatures of everything below ``paths``, of the package and of its environment.

    Sign a build's configuration (config, templates) before the build starts: it may change while the build runs.
    """
    return {path: stat_signature(path) for path in [*everything(paths), *_environment()]}


def remember(root: str, words: Sequence[str], before: Signatures, paths: Iterable[str], answer: Answer) -> None:
    """Keep the answer, with the signatures taken ``before`` the build and those of everything below ``paths`` now."""
    signatures = before | {path: stat_signature(path) for path in everything(paths) if path not in before}
    newest = max((s[0] for s in signatures.values() if s), default=0)
    wait_ns = newest + _STEP_NS - time.time_ns()
    if 0 < wait_ns <= _STEP_NS:
        time.sleep(wait_ns / 1e9)
        signatures = {path: before.get(path, stat_signature(path)) for path in signatures}
    file = _file(root, words)
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(file), exist_ok=True)
        _forget_oldest(os.path.dirname(file))
        partial = f"{file}.{os.getpid()}.tmp"
        with open(partial, "wb") as handle:
            handle.write(shortcut.dumps({**answer._asdict(), "signatures": signatures}))
        os.replace(partial, file)


def _file(root: str, words: Sequence[str]) -> str:
    # Another machine that shares the workspace measures its own latency, which no file's signature shows.
    host = [os.uname().nodename, str(len(os.sched_getaffinity(0))), os.environ.get("CUDA_VISIBLE_DEVICES", "")]
    # A copy of a workspace has the answers of the original, about whose files they are; places in an answer are
    # relative to the current folder.
    parts = [os.path.realpath(root), os.path.realpath(os.curdir), sys.prefix, _PACKAGE, *host, *words]
    key = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return os.path.join(root, ".trtbuild", "noop", f"{key}.json")


def _environment() -> list[str]:
    """Our own code, and the folder whose time stamp changes when a package is installed or removed."""
    import importlib.util

    spec = importlib.util.find_spec("onnx")
    site = [str(Path(spec.origin).parents[1])] if spec and spec.origin else []
    return [*(path for path in everything([_PACKAGE]) if path.endswith(".py")), *site]


def _forget_oldest(folder: str) -> None:
    files = sorted((os.path.join(folder, name) for name in os.listdir(folder)), key=os.path.getmtime)
    for path in files[: max(0, len(files) - _KEPT_ANSWERS)]:
        os.unlink(path)


def forget(root: str, words: Sequence[str]) -> None:
    """Drop a remembered answer."""
    with contextlib.suppress(OSError):
        os.unlink(_file(root, words))
