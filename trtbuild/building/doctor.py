"""What ``trtbuild doctor`` examines: this machine, its environments, the workspace, its remotes and its cache."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from trtbuild import config, toolchains
from trtbuild.base import lifeline
from trtbuild.base.errors import TrtbuildError, WorkspaceError
from trtbuild.base.workspace import INIT_HINT, Workspace, find_workspace
from trtbuild.config import named
from trtbuild.core.record import MD5
from trtbuild.machine import gpu
from trtbuild.store.digests import file_md5
from trtbuild.store.objects import DAMAGED_FOLDER
from trtbuild.store.tracking import recorded_models
from trtbuild.toolchains.request import ToolchainRequest

State = Literal["ok", "warning", "error"]
LOW_DISK = 5_000_000_000  # bytes: an environment of one TensorRT version, and the sandbox of a large model
_USE_S = 120.0
_USE = {
    "tensorrt-rtx": "import tensorrt_rtx as t; assert t.Builder(t.Logger()), 'no builder'",
    "tensorrt": "import tensorrt as t; print(t.__version__)",  # its builder needs a GPU
}


@dataclass(frozen=True)
class Finding:
    """One line of the examination; ``hint``: what to do, where something is to be done."""

    state: State
    about: str
    what: str
    hint: str = ""


def examine(workspace: Workspace | None, *, deep: bool) -> Iterator[Finding]:
    """Every finding, as soon as it is known.

    Args:
        workspace: the current one, if there is one.
        deep: also import TensorFlow, use every toolchain, contact the remotes, and read the whole cache.
    """
    root = named.root_here()
    yield from _python()
    yield from _tensorflow(deep)
    yield from _gpu(root)
    for name in config.options(root, "tensorrt"):
        yield from _toolchain(root, name, deep)
    if workspace is None:
        yield _no_workspace()
        return
    if not workspace.conf.is_dir():
        what, hint = f"{workspace.root} has no conf/, so it is not a workspace", "make it one: trtbuild init ."
        yield Finding("warning", "workspace", what, hint)
        return
    yield Finding("ok", "workspace", str(workspace.root))
    yield from _models(workspace)
    yield from _remotes(workspace, deep)
    yield from _cache(workspace, deep)
    yield from _disk({"workspace": workspace.root, "cache": workspace.cache})


def _no_workspace() -> Finding:
    what, hint = "none here", INIT_HINT
    try:
        find_workspace(Path.cwd())
    except WorkspaceError as error:
        what, hint = f"{what}: {error.what}", error.hint
    except OSError as error:
        what = f"{what}: {error.strerror}"
    return Finding("warning", "workspace", what, hint)


def _python() -> Iterator[Finding]:
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        hint = "install trtbuild again: it depends on uv"
        yield Finding("warning", "packages", "uv is missing, so that versions cannot be compared", hint)
        return
    ran = _run([uv, "pip", "check", "--python", sys.executable])
    conflicts = [] if isinstance(ran, str) or not ran.returncode else ran.stderr.splitlines()
    conflicts = [line.strip() for line in conflicts if line.startswith("The package")]
    for line in conflicts:
        yield Finding(
            "warning", "packages", line, "install the versions that trtbuild asks for: uv pip install trtbuild"
        )
    if not conflicts:
        installed = config.installed()
        shown = ", ".join(f"{tool} {installed[tool]}" for tool in sorted(installed))
        yield Finding("ok", "packages", f"{shown}, dvc {version('dvc')}: they fit each other")


def _tensorflow(deep: bool) -> Iterator[Finding]:
    if "tensorflow" not in config.installed():
        hint = "install tensorflow-cpu, or tensorflow where there is no such package"
        yield Finding("error", "tensorflow", "not installed, so nothing can be exported", hint)
    elif deep:
        script = "import tensorflow as tf, tf2onnx; print(tf.reduce_sum([1.0, 2.0]).numpy())"
        yield from _by_use(
            "tensorflow", "TensorFlow and tf2onnx can be imported and used", [sys.executable, "-c", script]
        )


def _gpu(root: Path) -> Iterator[Finding]:
    device = gpu.find_device()
    if device is None:
        yield Finding("ok", "gpu", f"{gpu.absence()}: TensorRT-RTX builds without one, and nothing is executed on one")
        return
    yield Finding("ok", "gpu", f"{device.name}, compute capability {device.compute_capability}, driver {device.driver}")
    able, unable = list[str](), list[str]()
    for name in config.options(root, "tensorrt"):
        try:
            supported = named.toolchain(root, name).compute_capabilities
        except TrtbuildError:
            continue  # reported with the toolchains
        (able if device.compute_capability in supported else unable).append(name)
    yield Finding(
        "ok" if able else "warning", "gpu", f"engines run in: {', '.join(able) or 'no version of conf/tensorrt'}"
    )
    if unable:
        yield Finding("ok", "gpu", f"{', '.join(unable)} build for other GPUs, and run nothing on this one")


def _toolchain(root: Path, name: str, deep: bool) -> Iterator[Finding]:
    try:
        spec = named.toolchain(root, name)
    except TrtbuildError as error:
        yield Finding("error", name, str(error))
        return
    want = ToolchainRequest(spec.flavour, spec.version, spec.requirements, name)
    here = toolchains.in_this_environment(want)[0]
    if not here and not toolchains.installed(want):
        needs = ", and needs a GPU to build" if spec.flavour == "tensorrt" and gpu.find_device() is None else ""
        yield Finding("ok", name, f"not installed; the first build that uses it installs it{needs}")
        return
    interpreter = sys.executable if here else str(want.folder / "bin" / "python")
    place = "in this environment" if here else "installed"
    if deep:
        used = f"{spec.flavour} {spec.version} {place}, and works"
        yield from _by_use(name, used, [interpreter, "-c", _USE[spec.flavour]], f"run: {want.command}")
    else:
        yield Finding("ok", name, f"{spec.flavour} {spec.version} {place}")


def _models(workspace: Workspace) -> Iterator[Finding]:
    models = config.options(workspace.root, "model")
    if not models:
        yield Finding("warning", "models", "no file in conf/model", "add one: trtbuild init . --from MODEL")
        return
    yield Finding("ok", "models", ", ".join(models))
    lost = [path for path in recorded_models(workspace.root) if not (workspace.root / path).exists()]
    if lost:
        hint = "a build pulls them; or run: dvc pull models.dvc" if workspace.remotes else "dvc remote add -d NAME URL"
        yield Finding("warning", "models", f"an incomplete checkout: {', '.join(lost)} not here", hint)


def _remotes(workspace: Workspace, deep: bool) -> Iterator[Finding]:
    names = workspace.remotes
    if not names:
        hint = "to share engines: dvc remote add -d NAME URL"
        yield Finding("ok", "remote", "none is configured; everything stays on this machine", hint)
        return
    if not workspace.default_remote:
        what = f"no default among {', '.join(names)}: push and pull need --remote"
        yield Finding("warning", "remote", what, f"to choose one: dvc remote default {names[0]}")
    for name in names:
        if not deep:
            yield Finding("ok", f"remote {name}", "configured")
            continue
        from trtbuild.remote.remotes import open_remote

        try:
            remote = open_remote(workspace, name)
            there = remote.there()
        except TrtbuildError as error:
            yield Finding("error", f"remote {name}", error.what, error.hint)
            continue
        empty = "" if there else "; it has no such folder yet, and the first push makes it"
        yield Finding("ok", f"remote {name}", f"{remote.url} answers{empty}")


def _cache(workspace: Workspace, deep: bool) -> Iterator[Finding]:
    folder = workspace.cache / "files" / "md5"
    objects = sorted(path for path in folder.glob("[0-9a-f][0-9a-f]/*") if MD5.fullmatch(path.parent.name + path.name))
    size = sum(path.stat().st_size for path in objects)
    yield Finding("ok", "cache", f"{len(objects)} objects, {size / 1e9:.2f} GB in {workspace.cache}")
    if aside := sorted((workspace.cache / DAMAGED_FOLDER).glob("*")):
        hint = f"look at them in {aside[0].parent}; trtbuild gc --yes removes them"
        yield Finding("warning", "cache", f"{len(aside)} damaged objects were set aside", hint)
    if not deep:
        return
    damaged = [path for path in objects if file_md5(path) != (path.parent.name + path.name).removesuffix(".dir")]
    for path in damaged:
        hint = "delete it: the next build makes or pulls it again"
        yield Finding("error", "cache", f"{path} is damaged: its bytes are not what its name says", hint)
    if not damaged:
        yield Finding("ok", "cache", "every object was read, and its bytes are what its name says")


def _disk(folders: dict[str, Path]) -> Iterator[Finding]:
    seen: set[int] = set()
    for name, folder in folders.items():
        here = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if (device := here.stat().st_dev) not in seen:
            seen.add(device)
            free = shutil.disk_usage(here).free
            low = free < LOW_DISK
            hint = "free space; trtbuild gc lists what is not needed" if low else ""
            yield Finding("warning" if low else "ok", "disk", f"{free / 1e9:.1f} GB free for the {name}", hint)


def _by_use(about: str, works: str, command: list[str], hint: str = "") -> Iterator[Finding]:
    ran = _run(command)
    if isinstance(ran, str) or ran.returncode:
        why = ran if isinstance(ran, str) else (ran.stderr.strip().splitlines() or [f"status {ran.returncode}"])[-1]
        yield Finding("error", about, f"cannot be used: {why}", hint or "install trtbuild again")
    else:
        yield Finding("ok", about, works)


def _run(command: list[str]) -> subprocess.CompletedProcess[str] | str:
    """The finished process, or why it did not finish."""
    try:
        return lifeline.run(command, timeout_s=_USE_S)
    except subprocess.TimeoutExpired:
        return f"no answer in {_USE_S:g} s"
    except OSError as error:
        return error.strerror or str(error)
