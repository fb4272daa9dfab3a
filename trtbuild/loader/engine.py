"""A checked bundle becomes an engine: version, device and contract are checked, then it runs, and tests itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from trtbuild.base.errors import BundleError, DataError
from trtbuild.base.text import did_you_mean
from trtbuild.loader.bundle import Bundle, open_bundle
from trtbuild.loader.manifest import Tensor

if TYPE_CHECKING:
    from trtbuild.loader.golden import Array, Difference


class Running(Protocol):
    """A deserialised engine; ``inputs`` and ``outputs`` as TensorRT describes them."""

    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]: ...


class Runtime(Protocol):
    """What touches TensorRT and the device: loader/device.py, or a fake."""

    def version(self, flavour: str) -> str:
        """The version of the TensorRT that is installed; BundleError with the reason ``flavour`` if there is none."""
        ...

    def compute_capability(self) -> str:
        """Of the device, as MAJOR.MINOR; BundleError with the reason ``device`` if there is none."""
        ...

    def deserialise(self, plan: bytes, flavour: str, *, host_code: bool) -> Running:
        """BundleError with the reason ``engine`` if TensorRT refuses the plan."""
        ...


class SelfTest(NamedTuple):
    """``differences``: of every golden output, its metrics; ``failures``: one line for each broken limit."""

    passed: bool
    differences: Mapping[str, Difference]
    failures: tuple[str, ...]


@dataclass(frozen=True)
class LoadedEngine:
    """An engine that came from a checked bundle."""

    bundle: Bundle
    running: Running

    def infer(
        self, inputs: Mapping[str, Array], outputs: Mapping[str, Array] | None = None
    ) -> Mapping[str, Array]:  # fmt: skip
        """The outputs by name, for inputs by name; into ``outputs`` where arrays are given for some of them.

        Raises:
            DataError: a name, dtype or shape that is not the manifest's.
        """
        specs = {spec.name: spec for spec in self.bundle.manifest.inputs}
        for name in [*inputs, *specs]:
            if name not in specs or name not in inputs:
                what = "no such input" if name not in specs else "this input is missing"
                raise DataError(what, where=name, hint=did_you_mean(name, specs) if name not in specs else "")
            array, spec = inputs[name], specs[name]
            if array.dtype.name != spec.dtype or not spec.takes(array.shape):
                low, high = list(spec.profile.min), list(spec.profile.max)
                what = f"it is {array.dtype} {list(array.shape)}, the engine takes {spec.dtype} from {low} to {high}"
                raise DataError(what, where=name)
        made = dict(self.running.run(inputs))
        for name, buffer in (outputs or {}).items():
            if name not in made or buffer.shape != made[name].shape or buffer.dtype != made[name].dtype:
                have = ", ".join(f"{each} {made[each].dtype} {list(made[each].shape)}" for each in made)
                raise DataError("no output fits this buffer", where=name, hint=f"outputs: {have}")
            buffer[...] = made[name]
            made[name] = buffer
        return made

    def self_test(self) -> SelfTest:
        """Run the golden inputs, and compare the outputs by the limits in the manifest.

        Raises:
            BundleError: the bundle has no golden arrays, or an output has another size.
        """
        from trtbuild.loader import golden

        wanted, kept = self.bundle.manifest.golden, self.bundle.kept
        if wanted is None:
            raise BundleError("the bundle has no golden arrays", where="self-test", reason="golden")
        made = self.infer({name: golden.read(kept[path], path) for name, path in wanted.inputs.items()})
        expected = {name: golden.read(kept[path], path) for name, path in wanted.outputs.items()}
        found = {name: golden.difference(array, made[name]) for name, array in expected.items()}
        broken = [
            f"{name}: {line}" for name in found for line in golden.broken_limits(found[name], wanted.limits[name])
        ]
        return SelfTest(not broken, found, tuple(broken))


def load(
    path: Path | str, *, key: Path | str | None = None, self_test: bool = True, runtime: Runtime | None = None
) -> LoadedEngine:
    """Check a bundle, load its engine, and test it; nothing is deserialised unless every check has passed.

    Args:
        path: the bundle's folder, or its tar archive.
        key: the file of the public key (PEM) that it must be signed with.
        self_test: whether to run the golden inputs, if there are any.
        runtime: what touches TensorRT; by default the one that is installed.

    Raises:
        BundleError: one line, with its reason.  ConfigError: the key cannot be used.
    """
    bundle = open_bundle(path, key)
    if runtime is None:
        from trtbuild.loader.device import InstalledRuntime

        runtime = InstalledRuntime()
    check_place(bundle, runtime)
    facts = bundle.manifest.engine
    running = runtime.deserialise(bundle.engine, facts.flavour, host_code=facts.version_compatible)
    _check_contract(bundle, running)
    loaded = LoadedEngine(bundle, running)
    if self_test and bundle.manifest.golden is not None and not (test := loaded.self_test()).passed:
        hint = "the engine does not compute here what was validated"
        raise BundleError(test.failures[0], where="self-test", hint=hint, details=test.failures[1:], reason="golden")
    return loaded


def check_place(bundle: Bundle, runtime: Runtime) -> None:
    """Raises BundleError: this TensorRT or this device is not one that the engine was built for."""
    facts = bundle.manifest.engine
    version = runtime.version(facts.flavour)
    if not facts.takes_version(version):
        or_later = " or later with the same first number" if facts.version_compatible else ""
        what = f"{facts.flavour} {version} is installed, the engine needs {facts.version}{or_later}"
        raise BundleError(
            what, where=facts.file, hint="install that version, or bundle another engine", reason="version"
        )
    capability = runtime.compute_capability()
    if not facts.takes_capability(capability):
        have = ", ".join(facts.compute_capabilities) + (" and later" if facts.or_later else "")
        what = f"this device has compute capability {capability}, the engine is for {have}"
        hint = f"build one for this device: target=sm{capability.replace('.', '')}"
        raise BundleError(what, where=facts.file, hint=hint, reason="device")


def _check_contract(bundle: Bundle, running: Running) -> None:
    manifest = bundle.manifest
    for kind, stated, found in (
        ("input", manifest.inputs, running.inputs), ("output", manifest.outputs, running.outputs),
    ):  # fmt: skip
        said, has = ({each.name: each for each in side} for side in (stated, found))
        for name in sorted(said.keys() | has.keys()):
            if name not in said or name not in has or not _alike(said[name], has[name]):
                sides = [f"{t.dtype} {list(t.shape)}" if t else "absent" for t in (has.get(name), said.get(name))]
                what = f"{kind} '{name}' is {sides[0]}, the manifest says {sides[1]}"
                raise BundleError(what, where=manifest.engine.file, reason="contract")


def _alike(said: Tensor, has: Tensor) -> bool:
    """The same dtype and rank, and the same sizes where both are known."""
    sizes = zip(said.shape, has.shape, strict=False)
    fits = len(said.shape) == len(has.shape) and all(a == b or -1 in (a, b) for a, b in sizes)
    return said.dtype == has.dtype and fits
