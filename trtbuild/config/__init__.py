"""Hydra's compose API behind one function: overrides -> a variant; every mistake is one line with the nearest name."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.resources
import importlib.util
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ConfigError, ToolchainError
from trtbuild.base.names import did_you_mean
from trtbuild.base.packaged import packaged_conf, templates
from trtbuild.config.composed import Composed, Composition, reading
from trtbuild.core.explain import flat
from trtbuild.core.parse import keys, knows, parse
from trtbuild.core.spec import (
    BuildSpec,
    Calibration,
    Executor,
    Factory,
    FactoryData,
    Latency,
    Layers,
    Model,
    Names,
    Precision,
    Runtime,
    Target,
    Toolchain,
    Variant,
)
from trtbuild.core.taskmetrics import BUILT_IN
from trtbuild.machine import gpu
from trtbuild.machine.device import identity

GROUPS = {
    "model": Model, "precision": Precision, "tensorrt": Toolchain, "runtime": Runtime, "target": Target,
    "calibration": Calibration, "executor": Executor, "layers": Layers, "latency": Latency,
}  # fmt: skip
# Groups younger than some workspace's config.yaml: where it does not list them, their option "default" holds.
OPTIONAL = tuple(field.name for field in fields(BuildSpec) if field.default is not MISSING)
# Libraries whose version is part of a step's recipe, by the name of their distribution.
TOOLS = {
    "tensorflow": ("tensorflow-cpu", "tensorflow"), "keras": ("keras",), "tf2onnx": ("tf2onnx",), "onnx": ("onnx",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"), "numpy": ("numpy",), "jinja2": ("jinja2",),
    "plotly": ("plotly",),
}  # fmt: skip


def conf_folders(root: Path) -> list[Path]:
    """Where options are looked up: the workspace's own conf/, then the packaged one."""
    return list(dict.fromkeys([(root / "conf").resolve(), packaged_conf().resolve()]))


def options(root: Path, group: str) -> list[str]:
    """Names that a group offers in this workspace.  Models are only ever the workspace's own."""
    folders = conf_folders(root)[:1] if group == "model" else conf_folders(root)
    return sorted({path.stem for folder in folders for path in (folder / group).glob("*.yaml")})


def load_variant(root: Path, overrides: Sequence[str], composed: Composed | None = None) -> Variant:
    """Compose, parse and complete one variant.

    Args:
        composed: earlier compositions of this workspace's conf/, which is told this one.

    Raises:
        ConfigError: an unknown option, key or type.  ToolchainError: the target is not one of the toolchain's.
    """
    check_choices(root, overrides)
    known, read = None if composed is None else composed.recall(overrides), set[str]()
    config, choices = known or _compose(root, overrides, read)
    if composed is not None and known is None:
        composed.add(overrides, (config, choices), read)
    unknown = set(config) - set(GROUPS)
    if unknown:
        raise ConfigError(f"unknown key '{min(unknown)}'", where="config", hint=did_you_mean(min(unknown), GROUPS))
    parts: dict[str, Any] = {}
    for group, cls in GROUPS.items():
        if config.get(group) is None:
            have = ", ".join(options(root, group))
            raise ConfigError(f"no {group} chosen", where="command line", hint=f"write {group}=NAME; there is {have}")
        parts[group] = parse(cls, config[group], group)
    spec = BuildSpec(**parts)
    names = Names(**{field.name: str(choices[field.name]) for field in fields(Names)})
    _check_paths(spec)
    _check_target(spec, names)
    _check_modules(spec)
    _check_precision_names(root, spec)
    _check_latency(spec)
    _check_callables(root, spec)
    return Variant(
        names, spec, code=_code(root, spec), tools=installed(), templates=_templates_digest(root), device=identity(),
        gpu=gpu.identity(gpu.find_device()) if spec.runtime.engine or spec.runtime.on_gpu else {},
    )  # fmt: skip


def composed_option(root: Path, group: str, name: str) -> Mapping[str, Any]:
    """One option of a group, without a model (config/named.py reads plain ones without Hydra).

    Raises:
        ConfigError: it is not there, or not readable.
    """
    words = [f"{group}={name}"]
    check_choices(root, words)
    option: Mapping[str, Any] = _compose(root, words)[0][group]
    return option


def default_option(root: Path, group: str) -> str:
    """The option of a group that the workspace's config.yaml chooses.

    Raises:
        ConfigError: it chooses none, or is not readable.
    """
    _, choices = _compose(root, [])
    chosen = choices.get(group)
    if chosen is None:
        have = ", ".join(options(root, group))
        raise ConfigError(f"no {group} chosen", where="command line", hint=f"write {group}=NAME; there is {have}")
    return str(chosen)


def check_choices(root: Path, overrides: Iterable[str]) -> None:
    """Raise ConfigError for an option that its group does not have."""
    for word in overrides:
        key, _, value = word.partition("=")
        if key in GROUPS:
            valid = options(root, key)
            if value not in valid:
                raise ConfigError(f"unknown {key} '{value}'", where=word, hint=did_you_mean(value, valid))


def _compose(root: Path, overrides: Sequence[str], read: set[str] | None = None) -> Composition:
    """``read`` is told the files that it was composed of, and the folders that were searched."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    folders = conf_folders(root)
    overrides = [_quoted(word) for word in overrides]
    if not (folders[0] / "config.yaml").is_file():
        raise ConfigError("no config.yaml in it", where=str(folders[0]), hint="run: trtbuild init .")
    search = _search(folders)
    read = set() if read is None else read
    with reading(read), initialize_config_dir(str(folders[0]), version_base="1.3"):
        overrides = _with_unlisted(folders[0], search, overrides)
        try:
            try:
                config = compose("config", [*search, *overrides], return_hydra_config=True)
            except (HydraException, OmegaConfBaseException):
                overrides = _with_known_keys(search, overrides)
                config = compose("config", [*search, *overrides], return_hydra_config=True)
            plain = {key: OmegaConf.to_container(config[key], resolve=True) for key in config if key != "hydra"}
            choices: dict[str, Any] = OmegaConf.to_container(config.hydra.runtime.choices)  # type: ignore[assignment]
            _only_the_users(read, config.hydra.runtime.config_sources)
        except (HydraException, OmegaConfBaseException) as error:
            raise _one_line(error, folders, search, overrides) from error
        except (YAMLError, UnicodeDecodeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise ConfigError(f"a config file is not readable: {said}", where=str(folders[0])) from error
    return plain, choices


def _search(folders: Sequence[Path]) -> list[str]:
    """The override by which Hydra also searches the packaged folder, after those that config.yaml names itself."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    if not folders[1:]:
        return []
    own: Any = []
    if b"searchpath" in (content := (folders[0] / "config.yaml").read_bytes()):
        try:
            own = list(OmegaConf.select(OmegaConf.create(content.decode()), "hydra.searchpath", default=[]))
        except (OmegaConfBaseException, YAMLError, ValueError, TypeError):
            own = []  # composing will say what is wrong
    quoted = ("'" + str(path).replace("'", r"\'") + "'" for path in [*own, *(f"file://{f}" for f in folders[1:])])
    return [f"hydra.searchpath=[{','.join(quoted)}]"]


def _only_the_users(read: set[str], sources: Iterable[Any]) -> None:
    """Leave Hydra's own files out of those that were read, and put the folders in that were searched."""
    import hydra

    own = str(Path(hydra.__file__).parent)
    read -= {path for path in read if path.startswith(own)}
    for source in sources:
        if source.schema == "file":
            read.add(str(Path(source.path).absolute()))
        elif source.schema == "pkg" and source.provider != "hydra":
            with contextlib.suppress(ImportError, TypeError, ValueError):  # composing has found nothing there either
                read.add(str(importlib.resources.files(source.path.replace("/", "."))))


def _with_unlisted(folder: Path, search: list[str], overrides: Sequence[str]) -> list[str]:
    """The overrides, and before them a choice of every optional group that the workspace's defaults do not list.

    Hydra wants ``+group=option`` for such a group; the user says ``group=option`` in every workspace.
    """
    from hydra import compose
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    text = (folder / "config.yaml").read_text("utf-8", errors="replace")
    if all(re.search(rf"^ *- *{group} *:", text, re.M) for group in OPTIONAL):  # mostly so: no need to compose twice
        return list(overrides)
    try:
        listed = compose("config", search, return_hydra_config=True).hydra.runtime.choices
    except (HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError, ValueError):
        return list(overrides)  # composing for good will say what is wrong
    unlisted = [group for group in OPTIONAL if group not in listed]
    chosen = {key: word for word in overrides if (key := word.partition("=")[0].lstrip("+")) in unlisted}
    choices = [f"+{chosen.get(group, f'{group}=default').lstrip('+')}" for group in unlisted]
    return [*choices, *(word for word in overrides if word not in chosen.values())]


def _with_known_keys(search: list[str], overrides: Sequence[str]) -> list[str]:
    """The overrides, those of keys that the schema knows as ``++key=value``, which needs no such key in the file.

    Raises:
        ConfigError: the key would go below a plain value, which would be lost.
    """
    from hydra import compose
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    named = [(word, word.partition("=")[0].lstrip("+")) for word in overrides]
    known = {word for word, key in named if "=" in word and _in_schema(key)}
    try:
        there = flat(OmegaConf.to_container(compose("config", [*search, *(w for w in overrides if w not in known)])))
    except (HydraException, OmegaConfBaseException):
        return list(overrides)  # another word is wrong: composing again will say which
    for word, key in named:
        if word in known:
            above = next((parent for parent in _parents(key) if there.get(parent) not in (None, {})), None)
            if above is not None:
                hint = f"give all of it: {above}={{…}}"
                raise ConfigError(f"'{above}' is {there[above]!r}, which has no keys", where=word, hint=hint)
            value = word.partition("=")[2]
            if not value.startswith("{"):
                there[key] = value
    return [f"++{key}={word.partition('=')[2]}" if word in known else word for word, key in named]


def _in_schema(key: str) -> bool:
    group, *parts = key.split(".")
    return bool(parts) and group in GROUPS and knows(GROUPS[group], parts)


def _quoted(word: str) -> str:
    """A chosen option as text: Hydra would take 1e3 or 2024_06_01 for a number."""
    key, equals, value = word.partition("=")
    return f"{key}='{value}'" if key in GROUPS and equals and not value.startswith(("'", '"', "{", "[")) else word


def _one_line(error: Exception, folders: list[Path], search: list[str], overrides: Sequence[str]) -> ConfigError:
    """Hydra's message as what, where and the nearest valid key."""
    from hydra import compose
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    said = _sentences(error)
    for i, given in enumerate(overrides):
        word = given.removeprefix("++")
        if "=" not in word and not word.startswith("~"):
            return ConfigError("expected key=value", where=word)
        try:
            compose("config", [*search, *overrides[:i], given])
            continue
        except (HydraException, OmegaConfBaseException) as failure:
            said = _sentences(failure)
        key = word.partition("=")[0].lstrip("+~")
        try:
            known = flat(OmegaConf.to_container(compose("config", [*search, *overrides[:i]])))
        except (HydraException, OmegaConfBaseException):
            known = {}
        groups = {part for name in known for part in [name, *_parents(name)]}
        groups |= {name for group, cls in GROUPS.items() for name in keys(cls, group)}
        if key not in groups:
            tail = [name for name in groups if name.endswith("." + key)]
            beside = {name for name in groups if name.rpartition(".")[0] == key.rpartition(".")[0]}
            hint = did_you_mean(key, groups)
            if tail or not hint.startswith("did"):  # all keys there are would help nobody
                hint = f"did you mean '{min(tail, key=len)}'?" if tail else did_you_mean(key, beside or GROUPS)
            return ConfigError(f"unknown key '{key}'", where=word, hint=hint)
        return ConfigError(said, where=word)
    broken = next((f for f in folders if str(f) in said), None)
    return ConfigError(said, where=str(broken or folders[0]))


def _sentences(error: Exception) -> str:
    """The first lines of a message that say something; what follows names internal objects."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("full_key", "object_type", "See ", "To append"))]
    cause = str(error.__cause__).splitlines()[:1] if error.__cause__ is not None else []
    return " ".join([*told[:2], *(line for line in cause if line not in told[:2])]) or type(error).__name__


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _check_paths(spec: BuildSpec) -> None:
    """Files are named relative to the workspace and lie in it: an absolute path would differ on every machine."""
    named = {"model.source.path": getattr(spec.model.source, "path", None)}
    data = spec.model.data
    sources = {"calibration": data.calibration, "validation": data.validation}
    sources |= {f"inspection.{name}": source for name, source in data.inspection.items()}
    named |= {f"model.data.{key}": source for key, source in sources.items() if isinstance(source, str)}
    named["latency.baseline"] = spec.latency.baseline
    named["target.timing_cache"] = spec.target.timing_cache
    for where, path in named.items():
        if path is not None and (Path(path).is_absolute() or ".." in Path(path).parts):
            hint = "copy it into the workspace (under models/) and track it with: dvc add"
            raise ConfigError(f"'{path}' is outside the workspace", where=where, hint=hint)


def _check_target(spec: BuildSpec, names: Names) -> None:
    for capability in spec.target.compute_capabilities:
        if capability not in spec.tensorrt.compute_capabilities:
            what = f"{names.tensorrt} cannot compile for compute capability {capability}"
            have = ", ".join(spec.tensorrt.compute_capabilities)
            raise ToolchainError(what, where=f"target={names.target}", hint=f"it knows {have}")
    if spec.tensorrt.flavour == "tensorrt":
        if len(spec.target.compute_capabilities) > 1:
            what = f"{names.tensorrt} builds for the one GPU it runs on"
            hint = "name one; target.hardware_compatibility makes engines that run on others"
            raise ConfigError(what, where="target.compute_capabilities", hint=hint)
        return
    for field in fields(Target)[1:]:
        if getattr(spec.target, field.name) != field.default:
            what = f"{names.tensorrt} has no such option; only the flavour tensorrt has"
            hint = "RTX engines are made portable by target.compute_capabilities"
            raise ConfigError(what, where=f"target.{field.name}", hint=hint)


def _check_modules(spec: BuildSpec) -> None:
    """What a config names as a file of the package has to be one, with the function that makes it what is named."""
    named = [("quantizers", "def make(", "calibration.algorithm", spec.calibration.algorithm),
             ("runtimes", "def open_session(", "runtime.module", spec.runtime.module),
             ("workers/executors", "def make(", "executor.module", spec.executor.module)]  # fmt: skip
    if spec.runtime.engine is not None:
        named.append(("runtimes", "def open_session(", "runtime.engine", spec.runtime.engine))
    for folder, function, where, name in named:
        own = {"tensorflow", "onnxruntime" if where == "runtime.engine" else "tensorrt"}  # not to choose
        files = (Path(__file__).resolve().parents[1] / folder).glob("*.py")
        valid = sorted(path.stem for path in files if path.stem not in own and function in path.read_text("utf-8"))
        if name not in valid:
            raise ConfigError(f"unknown module '{name}'", where=where, hint=did_you_mean(name, valid))


def _check_precision_names(root: Path, spec: BuildSpec) -> None:
    """A misspelt precision in a threshold or an exclusion would silently never apply."""
    valid = options(root, "precision")
    named = {f"model.overrides.{name}": name for name in spec.model.overrides}
    for metric, limit in spec.model.validation.deviation.items():
        if isinstance(limit, Mapping):
            named |= {f"model.validation.deviation.{metric}.{name}": name for name in limit}
    for where, name in named.items():
        if name not in valid:
            raise ConfigError(f"unknown precision '{name}'", where=where, hint=did_you_mean(name, valid))


def _check_latency(spec: BuildSpec) -> None:
    """A batch that the model cannot take would silently be measured as another one."""
    batch = spec.latency.batch
    if batch is None:
        return
    for name, value in spec.model.inputs.items():
        if not value.shape:
            continue  # a scalar has no batch
        low, _, high = (shape[0] for shape in value.shapes)
        if not low <= batch <= high:
            allowed = f"exactly {low}" if low == high else f"{low} to {high}"
            what = f"a batch of {batch}, but input '{name}' takes {allowed}"
            raise ConfigError(what, where="latency.batch", hint="see the profile in model.inputs")


def _callables(spec: BuildSpec) -> dict[str, str]:
    """Every callable that a config names, by its place."""
    data = spec.model.data
    sources = {"source": spec.model.source, "data.calibration": data.calibration, "data.validation": data.validation}
    sources |= {f"data.inspection.{name}": source for name, source in data.inspection.items()}
    named = {f"model.{k}.callable": s.callable for k, s in sources.items() if isinstance(s, (Factory, FactoryData))}
    task = spec.model.validation.task
    if task is not None and task.metric not in BUILT_IN:
        named["model.validation.task.metric"] = task.metric
    return named


def _check_callables(root: Path, spec: BuildSpec) -> None:
    """Its module has to be there; what is in it, the step that imports it says."""
    for where, name in _callables(spec).items():
        top = re.split("[:.]", name)[0]
        here = (root / f"{top}.py").is_file() or (root / top).is_dir()
        if not top or not (here or importlib.util.find_spec(top)):
            hint = "write package.module:name, importable in this environment or lying in the workspace"
            raise ConfigError(f"cannot import '{name}': there is no module '{top}'", where=where, hint=hint)


def _code(root: Path, spec: BuildSpec) -> dict[str, tuple[str, ...]]:
    return {name: files for name in _callables(spec).values() if (files := workspace_code(root, name))}


def workspace_code(root: Path, callable_name: str) -> tuple[str, ...]:
    """The workspace files that a callable is made of: its module's, and those of all it imports, directly or not."""
    found: dict[str, None] = {}
    pending = [path for path in [_module_file(root, callable_name.replace(":", "."))] if path]
    while pending:
        path = pending.pop()
        if path not in found:
            found[path] = None
            pending += [f for name in _imports(root / path, path) if (f := _module_file(root, name))]
    return tuple(sorted(found))


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
    """Dotted names that a module imports anywhere, relative ones resolved; none for a file that is no Python."""
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


@cache
def installed() -> dict[str, str]:
    """Versions of the libraries that make artifacts, as installed in this environment."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str] = {}
    for tool, distributions in TOOLS.items():
        for name in distributions:
            try:
                found.setdefault(tool, version(name))
            except PackageNotFoundError:
                continue
    return found


def _templates_digest(root: Path) -> str:
    sha = hashlib.sha256()
    for name, path in sorted(templates(root).items()):
        sha.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()
