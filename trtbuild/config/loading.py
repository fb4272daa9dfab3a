"""Overrides -> variants: composed, parsed strictly, checked, and completed with what is installed here.

What variants share is done once: a part of a config is parsed once, and a check runs once for all variants that agree
in what it reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from trtbuild.base.errors import ConfigError
from trtbuild.base.packaged import templates
from trtbuild.base.text import did_you_mean
from trtbuild.config import checks, option
from trtbuild.config.code import PUBLIC_KEY, TRUSTED_MODULES, code_of, public_key, trusted_modules
from trtbuild.config.combining import Combiner
from trtbuild.config.composed import Composed, Composition
from trtbuild.config.composing import compose_config
from trtbuild.config.groups import GROUPS, options, unknown
from trtbuild.config.mainfile import OWN
from trtbuild.config.places import Known, placing
from trtbuild.core.parse import parse
from trtbuild.core.spec import BuildSpec, Names, Precision, Variant
from trtbuild.core.tracing import Answer, Tree
from trtbuild.machine import gpu
from trtbuild.machine.device import identity

# Libraries whose version is part of a step's recipe, with the names of their distributions.
TOOLS = {
    "tensorflow": ("tensorflow-cpu", "tensorflow"), "keras": ("keras",), "tf2onnx": ("tf2onnx",), "onnx": ("onnx",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"), "numpy": ("numpy",), "jinja2": ("jinja2",),
    "plotly": ("plotly",),
}  # fmt: skip


def load_variant(root: Path, overrides: Sequence[str], composed: Composed | None = None) -> Variant:
    """Compose, parse and complete one variant.

    Args:
        composed: earlier compositions of this workspace's conf/; this one is added.

    Raises:
        ConfigError: an unknown option, key or type.  ToolchainError: the target is not one of the toolchain's.
    """
    return Loader(root, composed).load(overrides)


class Loader:
    """Loads variants of one workspace, whose conf/ does not change meanwhile.

    Args:
        combine: whether to combine compositions, which pays for a sweep.
    """

    def __init__(self, root: Path, composed: Composed | None = None, *, combine: bool = False) -> None:
        self._root, self._composed = root, composed
        self.places: Known = {}  # of errors so far
        self._combiner = Combiner(root, [TRUSTED_MODULES, PUBLIC_KEY], composed) if combine else None
        self._compared = False
        self._options: dict[str, list[str]] = {}
        self._offers = set[str]()  # words that choose an option that there is
        self._parsed: dict[tuple[str, str], object] = {}
        self._shared: dict[tuple[str, int], tuple[object, object]] = {}  # a part of a config, and what it became
        self._checks: dict[tuple[str, ...], list[tuple[checks.Check, Tree[None]]]] = {}
        self._code: Tree[dict[str, tuple[str, ...]]] = Tree()

    def check_choices(self, overrides: Sequence[str]) -> None:
        """Raise ConfigError for an option that its group does not have."""
        for word in overrides:
            if word in self._offers:
                continue
            key, _, value = word.partition("=")
            if key in GROUPS and value not in self._offered(key):
                raise unknown(key, value, self._offered(key), word)
            self._offers.add(word)

    def _offered(self, group: str) -> list[str]:
        if group not in self._options:
            self._options[group] = options(self._root, group)
        return self._options[group]

    def load(self, overrides: Sequence[str]) -> Variant:
        """As :func:`load_variant`."""
        with placing(self._root, overrides, self.places):
            return self._load(overrides)

    def _load(self, overrides: Sequence[str]) -> Variant:
        self.check_choices(overrides)
        config, choices = self._composition(overrides)
        trusted = trusted_modules(config.get(TRUSTED_MODULES))
        for key in sorted(config.keys() - set(OWN)):
            raise ConfigError(f"unknown key '{key}'", where="config", hint=did_you_mean(key, OWN))
        parts: dict[str, Any] = {}
        for group in GROUPS:
            if config.get(group) is None:
                hint = f"write {group}=NAME; available: {', '.join(self._offered(group))}"
                raise ConfigError(f"no {group} chosen", where="command line", hint=hint)
            parts[group] = self._part(group, config[group])
        spec = BuildSpec(**parts)
        names = Names(**{name: str(choices[name]) for name in _NAMES})
        plain = Variant(names, spec)
        self._check(plain, trusted)
        variant = Variant(
            names, spec, code=self._code_of(plain), tools=installed(), templates=self._templates,
            device=self._processor(spec), gpu=self._graphics(spec),
            public_key=public_key(config.get(PUBLIC_KEY)),
        )  # fmt: skip
        moved = spec.model.validation.engine.budget(names.precision).moved
        return variant if moved is None else replace(variant, against=self._in(moved.precision, variant))

    def _composition(self, overrides: Sequence[str]) -> Composition:
        """The config of these overrides; what was composed before is not composed again."""
        known = None if self._composed is None else self._composed.recall(overrides)
        combined = None
        if self._combiner is not None:
            combined = self._combiner.combine(overrides)
        if combined is not None and self._compared:
            return combined
        found = self._hydra(overrides) if known is None else known
        if combined is not None:  # the first one is composed both ways: what Hydra says holds
            self._compared = True
            if combined[0] != found[0] or any(found[1].get(group) != combined[1][group] for group in combined[1]):
                self._combiner = None
        return found

    def _hydra(self, overrides: Sequence[str]) -> Composition:
        read = set[str]()
        found = compose_config(self._root, overrides, read)
        if self._composed is not None:
            self._composed.add(overrides, found, read)
        return found

    def _part(self, group: str, content: object) -> object:
        """A group's part of a config, parsed; equal parts of several configs become one value."""
        known = self._shared.get((group, id(content)))
        if known is None:
            key = (group, repr(content))
            if key not in self._parsed:
                self._parsed[key] = (
                    option.precision(self._root, content, group) if group == "precision"
                    else parse(GROUPS[group], content, group)
                )  # fmt: skip
            known = self._shared[group, id(content)] = (content, self._parsed[key])
        return known[1]

    def _check(self, variant: Variant, trusted: tuple[str, ...]) -> None:
        if trusted not in self._checks:
            self._checks[trusted] = [(one, Tree()) for one in checks.checks(self._root, trusted)]
        for check, tree in self._checks[trusted]:
            tree.result(variant, partial(_run, check))

    def _code_of(self, variant: Variant) -> dict[str, tuple[str, ...]]:
        return self._code.result(variant, lambda seen, _: code_of(self._root, seen.spec))

    def _in(self, precision: str, variant: Variant) -> Variant:
        """The same in another precision, as its file says; overrides of this precision's keys are not that one's."""
        key = ("against", precision)
        if key not in self._parsed:
            config, _ = self._composition([f"precision={precision}"])
            self._parsed[key] = parse(Precision, config["precision"], f"precision={precision}")
        said = self._parsed[key]
        assert isinstance(said, Precision)
        names = replace(variant.names, precision=precision)
        return replace(variant, names=names, spec=replace(variant.spec, precision=said))

    @cached_property
    def _templates(self) -> str:
        return templates_digest(self._root)

    def _processor(self, spec: BuildSpec) -> Mapping[str, object]:
        there = spec.executor.device
        return self._device if there is None else there.processor

    def _graphics(self, spec: BuildSpec) -> Mapping[str, object]:
        if not (spec.runtime.engine or spec.runtime.on_gpu):
            return _NO_GPU
        there = spec.executor.device
        return self._gpu if there is None else there.graphics

    @cached_property
    def _device(self) -> Mapping[str, object]:
        return identity()

    @cached_property
    def _gpu(self) -> Mapping[str, object]:
        return gpu.identity(gpu.find_device())


_NAMES = tuple(field.name for field in fields(Names))
_NO_GPU: Mapping[str, object] = {}


def _run(check: checks.Check, variant: Variant, ask: Answer) -> None:
    check(variant.spec, variant.names)


@cache
def installed() -> dict[str, str]:
    """Installed versions of the libraries that make artifacts."""
    from importlib.metadata import PackageNotFoundError, version

    versions: dict[str, str] = {}
    for tool, distributions in TOOLS.items():
        for name in distributions:
            try:
                versions.setdefault(tool, version(name))
            except PackageNotFoundError:
                continue
    return versions


def templates_digest(root: Path) -> str:
    sha = hashlib.sha256()
    for name, path in sorted(templates(root).items()):
        sha.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()
