"""What may not leave: the names of this machine and its user, paths, the workspace, the model; found and struck out."""

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
SHORTEST = 4  # shorter ones occur in any text


@dataclass(frozen=True)
class Secrets:
    """``words``: none of them may be in a report; ``blobs``: bytes of the user's weights."""

    words: tuple[str, ...]
    blobs: tuple[bytes, ...] = ()

    def scrub(self, text: str) -> str:
        """A tool's text with every secret struck out; what looks like an absolute path of any machine too."""
        for word in self.words:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", "…", text)
        return re.sub(r"(?<![\w/.…])(?:/[\w.+-]+){2,}/?", "…", text)

    def found(self, files: Mapping[str, bytes]) -> list[str]:
        """``file: word`` for each secret that is there; of weights just the file is named."""
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
    """Of this process: host, user, home folder, current folder; and what is ``own`` to the subject."""
    words = [socket.gethostname(), os.uname().nodename, str(Path.home()), str(Path.cwd()), *own]
    with contextlib.suppress(Exception):  # a user without an entry in the password file
        words.append(getpass.getuser())
    kept = {word for word in words if len(word) >= SHORTEST and word.lower() not in _COMMON and word != "/"}
    return Secrets(tuple(sorted(kept, key=len, reverse=True)), tuple(blobs))
