"""The user's own code that a config names: where it is, and which workspace files it consists of."""

from __future__ import annotations

import ast
import importlib.resources
import importlib.util
import re
from collections.abc import Collection
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.base.files import is_inside
from trtbuild.core.spec import (
    BuildSpec,
    Factory,
    FactoryData,
)
from trtbuild.core.spec.validation import BUILT_IN

TRUSTED_MODULES = "trusted_modules"  # a key of config.yaml
PUBLIC_KEY = "public_key"  # another one
TRUSTED = ("keras", "tensorflow", "trtbuild.demo")  # besides the workspace itself
# For the class of a cluster besides; jobqueue's, kubernetes' and the like are Dask's own deployment libraries.
CLUSTERS = ("dask", "distributed", "dask_jobqueue", "dask_kubernetes")
CLUSTER = "executor.cluster._target_"


def _callables(spec: BuildSpec) -> dict[str, str]:
    """Every callable that a config names, by its config key."""
    data = spec.model.data
    sources = {"source": spec.model.source, "data.calibration": data.calibration, "data.validation": data.validation}
    sources |= {f"data.inspection.{name}": source for name, source in data.inspection.items()}
    named = {f"model.{k}.callable": s.callable for k, s in sources.items() if isinstance(s, (Factory, FactoryData))}
    task = spec.model.validation.task
    if task is not None and task.metric not in BUILT_IN:
        named["model.validation.task.metric"] = task.metric
    return named


def trusted_modules(value: object) -> tuple[str, ...]:
    """The modules that config.yaml lists as ``trusted_modules``; None: the default."""
    if value is None:
        return TRUSTED
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        hint = "such as trusted_modules: [keras, tensorflow, mypackage]"
        raise ConfigError("expected a list of names of modules", where=TRUSTED_MODULES, hint=hint)
    return tuple(value)


def public_key(value: object) -> str | None:
    """The workspace file that config.yaml names as ``public_key``: with its private half, attestations are signed."""
    if value is None:
        return None
    if not isinstance(value, str) or not is_inside(value):
        hint = "such as public_key: keys/release.pub.pem"
        raise ConfigError("expected the path of a file in the workspace", where=PUBLIC_KEY, hint=hint)
    return value


def check_callables(root: Path, spec: BuildSpec, trusted: Collection[str]) -> None:
    """Check that the module of every callable exists and is trusted; the step that imports it checks what is in it.

    This guards against a mistake in a model's config; whoever can write to the workspace can run code anyway.
    """
    named = _callables(spec)
    if spec.executor.cluster is not None and spec.executor.address is None:
        named[CLUSTER] = str(spec.executor.cluster.get("_target_", ""))
    for where, name in named.items():
        trusted = [*trusted, *CLUSTERS] if where == CLUSTER else trusted
        top = re.split("[:.]", name)[0]
        here = (root / f"{top}.py").is_file() or (root / top).is_dir()
        if not top or not (here or importlib.util.find_spec(top)):
            hint = "write package.module:name, importable in this environment or from the workspace"
            if where == CLUSTER:
                hint = "such as distributed.LocalCluster; run: pip install 'trtbuild[dask]'"
            raise ConfigError(f"cannot import '{name}': there is no module '{top}'", where=where, hint=hint)
        dotted = name.replace(":", ".")
        if not here and not any(dotted.startswith(f"{module}.") for module in trusted):
            hint = f"if it is meant, list it in conf/config.yaml: trusted_modules: [{', '.join([*trusted, top])}]"
            what = f"'{name}' is neither the workspace's own code nor among the trusted modules"
            raise ConfigError(what, where=where, hint=hint)


def code_of(root: Path, spec: BuildSpec) -> dict[str, tuple[str, ...]]:
    return {name: files for name in _callables(spec).values() if (files := workspace_code(root, name))}


def workspace_code(root: Path, callable_name: str) -> tuple[str, ...]:
    """The workspace files of a callable: its module's, and those of everything it imports, directly or not."""
    files: dict[str, None] = {}
    pending = [path for path in [_module_file(root, callable_name.replace(":", "."))] if path]
    while pending:
        path = pending.pop()
        if path not in files:
            files[path] = None
            pending += [f for name in _imports(root / path, path) if (f := _module_file(root, name))]
    return tuple(sorted(files))


def _module_file(root: Path, dotted: str) -> str | None:
    """The workspace file of the longest part of a dotted name that is a module."""
    parts = dotted.split(".")
    for stop in range(len(parts), 0, -1):
        for tail in (".py", "/__init__.py"):
            path = "/".join(parts[:stop]) + tail
            if (root / path).is_file():
                return path
    return None


def _imports(file: Path, path: str) -> list[str]:
    """Dotted names that a module imports anywhere, relative ones resolved; none for a file that is not Python."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return []
    package = path.removesuffix(".py").split("/")[:-1]
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names += [f"{module}.{alias.name}" if module else alias.name for alias in node.names]
    return names
