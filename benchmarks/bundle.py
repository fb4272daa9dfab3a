"""Single-byte changes in a signed bundle, each read by every loader; and the same bundle made again elsewhere."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.measure import run, say
from trtbuild.base.errors import BundleError
from trtbuild.loader import load
from trtbuild.loader.engine import Running

CHANGES, SEED = 1000, 20
WORDS = ["model=segnet", "precision=int8", "latency=off", "layers=off"]


class CountingRuntime:
    """A device on which every engine belongs; it counts those that get as far as TensorRT."""

    def __init__(self) -> None:
        self.deserialised = 0

    def version(self, flavour: str) -> str:
        from importlib.metadata import version

        return version(flavour)

    def compute_capability(self) -> str:
        return "8.9"

    def deserialise(self, plan: bytes, flavour: str, *, host_code: bool) -> Running:
        self.deserialised += 1
        raise BundleError("deserialised", reason="engine")


def python_loader(bundle: Path, key: Path) -> tuple[str, str, bool]:
    """Reason and place of the refusal, and whether the engine was deserialised."""
    runtime = CountingRuntime()
    try:
        load(bundle, key=key, runtime=runtime)
    except BundleError as error:
        return error.reason, error.where, bool(runtime.deserialised)
    return "", "", True


Loader = Callable[[Path, Path], tuple[str, str, bool]]


def cpp_loader(program: Path) -> Loader:
    """The same from the program of tests/loader/probe.cpp, whose device takes every version of this TensorRT-RTX."""
    from importlib.metadata import version

    from tests.support.cpploader import Probe

    probe, here = Probe(program), version("tensorrt-rtx")

    def ask(bundle: Path, key: Path) -> tuple[str, str, bool]:
        answer = probe.ask(bundle, key, version=here)
        return answer.reason, answer.where, answer.deserialised

    return ask


def loaders(folder: Path) -> Mapping[str, Loader]:
    from tests.support.cpploader import PROBE, compiled

    return {"Python": python_loader, "C++": cpp_loader(compiled(folder, PROBE, "-O2"))}


def changes(bundle: Path, key: Path, loaders: Mapping[str, Loader], count: int) -> dict[str, Counter[str]]:
    """What each loader says of ``count`` changes, every one a byte of a file, by turns, so that small files count too.

    The words are a reason, ``no name`` where a refusal has no reason or file, ``deserialised``, or ``taken``.
    """
    chance, files = random.Random(SEED), sorted(path for path in bundle.rglob("*") if path.is_file())
    said: dict[str, Counter[str]] = {name: Counter() for name in loaders}
    for i in range(count):
        path = files[i % len(files)]
        with path.open("r+b") as file:
            at = chance.randrange(path.stat().st_size)
            file.seek(at)
            good = file.read(1)
            file.seek(at)
            file.write(bytes([good[0] ^ chance.randrange(1, 256)]))
            file.flush()
            for name, loader in loaders.items():
                reason, where, deserialised = loader(bundle, key)
                named = reason if reason and where else "no name"
                said[name]["deserialised" if deserialised else named if reason else "taken"] += 1
            file.seek(at)
            file.write(good)
    return said


def digest(place: Path) -> str:
    """Of the names, modes and bytes of a bundle."""
    sha = hashlib.sha256()
    for path in [place] if place.is_file() else sorted(place.rglob("*")):
        name = "" if path == place else path.relative_to(place).as_posix()
        content = path.read_bytes() if path.is_file() else b""
        sha.update(f"{name} {path.stat().st_mode:o} {len(content)} ".encode() + content)
    return sha.hexdigest()


def measure(scratch: Path, fresh_workspace: Callable[[Path], Path], trtbuild: str) -> None:
    workspace = fresh_workspace(scratch / "bundle")
    key, public = scratch / "key.pem", scratch / "key.pub.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    run([trtbuild, *WORDS], workspace)

    def bundled(place: Path, kind: str, root: Path = workspace) -> Path:
        place.parent.mkdir(parents=True, exist_ok=True)
        run([trtbuild, "bundle", *WORDS, "-o", str(place), "--key", str(key), "--format", kind], root)
        return place

    for kind in ("dir", "tar", "triton"):
        made = [bundled(scratch / "one" / kind, kind)]
        made.append(bundled(made[0], kind))
        before = os.umask(0o077)
        made.append(bundled(scratch / "other" / "place" / kind, kind))
        os.umask(before)
        moved = shutil.copytree(workspace, scratch / f"moved-{kind}", symlinks=True)
        made.append(bundled(scratch / "moved" / kind, kind, moved))
        same = len({digest(place) for place in made}) == 1
        say(
            f"bundle of segnet int8, {kind}",
            "made again, at another path, from a moved workspace",
            f"same bytes: {same}",
        )
    bundle = scratch / "one" / "dir"
    started = time.perf_counter()
    said = changes(bundle, public, loaders(scratch), CHANGES)
    seconds = (time.perf_counter() - started) / CHANGES
    for name, words in said.items():
        wrong = sum(words[word] for word in ("deserialised", "taken", "no name"))
        detail = ", ".join(f"{word} {count}" for word, count in sorted(words.items()))
        say(
            f"{CHANGES} single-byte changes, {name} loader",
            f"{CHANGES - wrong} refused by name ({detail})",
            "bar 1,000",
        )
    say("  each", f"{1000 * seconds:.0f} ms for all loaders", "")
    times = [run([trtbuild, "verify", str(bundle), "--key", str(public)], workspace).seconds for _ in range(5)]
    size = sum(path.stat().st_size for path in bundle.rglob("*"))
    say("trtbuild verify, whole process", f"{statistics.median(times):.2f} s, {size / 1e6:.1f} MB (n=5)", "no bar")


if __name__ == "__main__":  # a bundle of one's own: python -m benchmarks.bundle BUNDLE PUBLIC.pem
    print(changes(Path(sys.argv[1]), Path(sys.argv[2]), loaders(Path(tempfile.mkdtemp())), CHANGES))
