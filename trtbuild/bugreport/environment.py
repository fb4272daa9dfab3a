"""The environment of a failure: versions as the libraries report them, system, CPU, GPU; nothing names the machine."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

from trtbuild import __version__
from trtbuild.base import lifeline
from trtbuild.machine import device
from trtbuild.workers import hermetic

MAIN = ("tensorflow-cpu", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "polygraphy", "numpy")
THERE = ("polygraphy", "onnx", "numpy")
NONE = "none"


class TensorrtEntry(TypedDict):
    module: str
    version: str


class GpuEntry(TypedDict):
    name: str
    compute_capability: str
    driver: str


class Environment(TypedDict):
    """The document environment.json; "none" stands for what is not installed."""

    tensorrt: TensorrtEntry
    gpu: GpuEntry
    cuda: str
    cudnn: str
    system: str
    kernel: str
    cpu: str
    machine: str
    python: str
    container: str
    packages: dict[str, str]
    trtbuild: str


def collect(interpreter: Path, module: str, root: Path = Path("/")) -> Environment:
    """The document environment.json.

    Args:
        interpreter: the Python of the toolchain; ``module``: "tensorrt_rtx" or "tensorrt".
    """
    there = _there(interpreter, module)
    gpu = _gpu(root)
    return {
        "tensorrt": {"module": module, "version": there.get(module, "unknown")},
        "gpu": gpu,
        "cuda": there.get("cuda") or NONE,
        "cudnn": NONE,
        "system": _system(root),
        "kernel": f"{platform.system()} {platform.release()}",
        "cpu": device.cpu_model(root),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "container": _container(root),
        "packages": {**_packages(), **{f"{k} (beside TensorRT)": v for k, v in there.items() if k in THERE}},
        "trtbuild": __version__,
    }


def _there(interpreter: Path, module: str) -> dict[str, str]:
    """The library's version string and its packages, as the toolchain's own Python reports them."""
    script = (
        "import importlib, json, sys\n"
        "from importlib.metadata import version, PackageNotFoundError, distributions\n"
        "found = {}\n"
        f"for name in {THERE!r}:\n"
        "    try: found[name] = version(name)\n"
        "    except PackageNotFoundError: pass\n"
        "names = {d.metadata['Name'] or '': d.version for d in distributions()}\n"
        "found['cuda'] = next((v for n, v in names.items() if n.startswith('nvidia-cuda-runtime')), '')\n"
        f"found[{module!r}] = importlib.import_module({module!r}).__version__\n"
        "print(json.dumps(found))\n"
    )
    done = lifeline.run([str(interpreter), "-s", "-c", script], timeout_s=120, env=hermetic.environment())
    import json

    lines = done.stdout.strip().splitlines()
    found: dict[str, str] = json.loads(lines[-1]) if done.returncode == 0 and lines else {}
    return found


def _packages() -> dict[str, str]:
    found = {}
    for name in MAIN:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _gpu(root: Path) -> GpuEntry:
    """Name, compute capability and driver, as the driver's library reports them to a process of its own."""
    import json
    import sys

    script = (
        "import json\nfrom trtbuild.trt.cuda import find_device\n"
        "d = find_device()\nprint(json.dumps(None if d is None else [d.name, d.compute_capability]))"
    )
    done = lifeline.run([sys.executable, "-c", script], timeout_s=60, cwd=Path(__file__).resolve().parents[2])
    found = json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None
    if found is None:
        return {"name": NONE, "compute_capability": NONE, "driver": NONE}
    return {"name": found[0], "compute_capability": found[1], "driver": _driver(root)}


def _driver(root: Path) -> str:
    try:
        text = (root / "proc/driver/nvidia/version").read_text("utf-8", errors="replace")
    except OSError:
        return "unknown"
    numbers = re.search(r"\b\d+\.\d+(\.\d+)?\b", text)
    return numbers.group() if numbers else "unknown"


def _system(root: Path) -> str:
    try:
        text = (root / "etc/os-release").read_text("utf-8", errors="replace")
    except OSError:
        return platform.system()
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', text, re.M)
    return found.group(1) if found else platform.system()


def _container(root: Path) -> str:
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return "container (image not known)"
    return "not known"


def where(environment: Environment) -> str:
    """The GPU as a title names it, such as "NVIDIA RTX 4090", or that there is none."""
    name = environment["gpu"]["name"]
    return name if name != NONE else "none (ahead-of-time build on a CPU)"
