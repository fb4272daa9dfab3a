"""Whether an installed TensorRT works: it is tried by use (imported, made to create a builder), once for each change.

Packages' own records only say what was installed: a library may be gone, empty, or damaged since.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from trtbuild.base import lifeline, shortcut
from trtbuild.base.files import write_atomic
from trtbuild.base.signatures import everything, stat_signature
from trtbuild.toolchains.request import ToolchainRequest, cache

MODULES = {"tensorrt-rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}
CHECKED = "checked"  # in the cache: what worked, by interpreter
_known: dict[tuple[str, str], str] = {}

_PROBE = """
import importlib, json, sys
module = importlib.import_module(sys.argv[1])
print(json.dumps(module.__version__), flush=True)
builder = module.Builder(module.Logger(module.Logger.ERROR))
print(json.dumps(bool(builder)), flush=True)
"""


def use(want: ToolchainRequest, python: Path) -> tuple[str, tuple[str, ...]]:
    """Try it: why it is not the exact version, importable and able to make a builder ("" if it is); the last lines."""
    done = lifeline.run([str(python), "-I", "-c", _PROBE, MODULES[want.flavour]])
    said = [line for line in done.stdout.splitlines() if line.startswith(('"', "true", "false"))]
    last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    why = ""
    if not said:
        why = f"cannot be imported: {last}"
    elif json.loads(said[0]) != want.version:
        why = f"is {json.loads(said[0])}"
    elif done.returncode or said[1:] != ["true"]:
        why = f"cannot make a builder: {last}"
    return why, tuple(done.stderr.strip().splitlines()[-12:])


def flaw(want: ToolchainRequest, python: Path, try_it: Callable[[], str] | None = None) -> str:
    """Why an installed version does not work, "" if it does; tried only when its files have changed.

    ``try_it``: how, instead of :func:`use`.
    """
    seen = _signature(want, python)
    if (str(python), seen) not in _known:
        file = cache() / CHECKED / f"{hashlib.sha256(str(python).encode()).hexdigest()[:16]}-{want.flavour}.json"
        if shortcut.load(str(file)) == seen:
            _known[str(python), seen] = ""
        else:
            _known[str(python), seen] = why = try_it() if try_it else use(want, python)[0]
            if not why:
                with contextlib.suppress(OSError):  # it costs the next process a second
                    write_atomic(file, shortcut.dumps(seen))
    return _known[str(python), seen]


def _signature(want: ToolchainRequest, python: Path) -> str:
    """Of TensorRT's files: names, sizes, time stamps."""
    tops = [top for site in _sites(python) for pattern in (f"{MODULES[want.flavour]}*", "nvidia")
            for top in sorted(site.glob(pattern))]  # fmt: skip
    signed = [(path, stat_signature(path)) for path in everything(map(str, tops))]
    return hashlib.sha256(json.dumps([want.version, signed]).encode()).hexdigest()


def _sites(python: Path) -> list[Path]:
    if python == Path(sys.executable):
        return sorted({Path(folder) for folder in sys.path if folder.endswith("-packages")})
    return sorted((python.parents[1] / "lib").glob("python*/site-packages"))
