"""The C++ loader, compiled with warnings as errors and sanitizers, and asked about many bundles in one process."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import pytest

import trtbuild

SOURCES = Path(trtbuild.__path__[0]) / "loader" / "cpp"
PROBE = Path(__file__).parents[1] / "loader" / "probe.cpp"
CHECKED = ("files.cpp", "json.cpp", "manifest.cpp", "npy.cpp", "trtbuild_loader.cpp")
FLAGS = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]
SANITIZERS = ["-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def compiler() -> str:
    """Skips the test where there is no C++ compiler, or no OpenSSL to compile against."""
    found = shutil.which("g++") or shutil.which("clang++")
    if found is None:
        pytest.skip("no C++ compiler here")
    asked = subprocess.run(
        [found, "-E", "-x", "c++", "-"], input="#include <openssl/evp.h>", capture_output=True, text=True
    )
    if asked.returncode:
        pytest.skip("no headers of OpenSSL here (Debian: libssl-dev)")
    return found


def compiled(folder: Path, main: Path, *options: str) -> Path:
    """The loader with one main program; what a folder has already is not compiled again."""
    program = folder / main.stem
    sources = [*(SOURCES / name for name in CHECKED), main]
    objects = [folder / f"{source.stem}.o" for source in sources]
    command = [compiler(), *FLAGS, *options, f"-I{SOURCES}"]
    running = [
        subprocess.Popen([*command, "-c", "-o", made, source], stderr=subprocess.PIPE, text=True)
        for made, source in zip(objects, sources, strict=True)
        if not made.exists()
    ]
    said = [process.communicate()[1] for process in running]
    assert not any(process.returncode for process in running), "".join(said)
    subprocess.run([*command, "-o", program, *objects, "-lcrypto"], check=True)
    return program


@dataclass(frozen=True)
class Answer:
    """``reason`` is empty where the bundle was loaded."""

    reason: str
    where: str
    deserialised: bool


class Probe:
    """The program of tests/loader/probe.cpp."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stdin.close()
        assert self._process.wait() == 0, "a sanitizer complained"

    @property
    def _stdin(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def ask(
        self, bundle: Path, key: Path | None = None, *, flavour: str = "tensorrt-rtx", version: str = "1.7.1.116",
        capability: str = "8.9", factor: float = 2.0, tensors: tuple[str, str] = ("x float32 -1 6", "y float32 -1 6"),
    ) -> Answer:  # fmt: skip
        words = [str(bundle), "" if key is None else str(key), flavour, version, capability, str(factor), *tensors]
        self._stdin.write("\t".join(words) + "\n")
        self._stdin.flush()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the loader died"
        state, reason, where, deserialised = line.rstrip("\n").split("\t")
        assert (state == "loaded") == (not reason)
        return Answer(reason, where, deserialised == "deserialised")
