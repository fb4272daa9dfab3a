"""What must not leave this machine: its name and user, paths, workspace and model; found and removed from texts."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# Words that a report uses itself, or that name nobody.
_COMMON = {"root", "user", "admin", "localhost", "model", "network", "graph", "onnx", "report", "case", "main", "test",
           "input", "output", "image", "saved_model", "frozen_graph", "trtbuild", "tensorrt",
           "python", "build"}  # fmt: skip
SHORTEST = 4  # shorter words occur in any text


@dataclass(frozen=True)
class Secrets:
    """``words`` that must not be in a report; ``blobs`` are bytes of the user's weights."""

    words: tuple[str, ...]
    blobs: tuple[bytes, ...] = ()

    def scrub(self, text: str) -> str:
        """A tool's text without secrets, and without anything that looks like an absolute path."""
        for word in self.words:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", "…", text)
        return re.sub(r"(?<![\w/.…])(?:/[\w.+-]+){2,}/?", "…", text)

    def found(self, files: Mapping[str, bytes]) -> list[str]:
        """``file: word`` for each secret found; for weights only the file is named."""
        leaks = []
        for name, content in files.items():
            text = content.decode("utf-8", "replace")
            for word in self.words:
                if re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", text) or _inside(word, name):
                    leaks.append(f"{name}: {word}")
            leaks += [f"{name}: values of the model" for blob in self.blobs if blob in content]
        return leaks


def _inside(word: str, name: str) -> bool:
    return bool(re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", name))


def gather(own: Iterable[str] = (), blobs: Iterable[bytes] = ()) -> Secrets:
    """Host, user, home folder and current folder of this process, and the subject's ``own`` words."""
    words = [socket.gethostname(), os.uname().nodename, str(Path.home()), str(Path.cwd()), *own]
    with contextlib.suppress(Exception):  # a user without an entry in the password file
        words.append(getpass.getuser())
    kept = {word for word in words if len(word) >= SHORTEST and word.lower() not in _COMMON and word != "/"}
    return Secrets(tuple(sorted(kept, key=len, reverse=True)), tuple(blobs))
