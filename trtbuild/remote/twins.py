"""Steps that measure a device, as they are on the other devices recorded in this workspace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from trtbuild.base.errors import WorkspaceError
from trtbuild.core.step import Input, Output, Step, canonical
from trtbuild.store.tracking import read_yaml


def twins(steps: Sequence[Step], root: Path) -> list[Step]:
    """``steps`` (each after all it reads from) for every recorded device, with that device in their recipes."""
    made: dict[str, Step] = {}
    for device in _devices(steps, root):
        renamed: dict[str, Step] = {}
        for step in steps:
            own = _device(step.params)
            params = {**step.params, "device": _part(device, own)} if own else step.params
            inputs = {name: _renamed(source, renamed) for name, source in step.inputs.items()}
            twin = replace(step, params=params, inputs=inputs)
            if twin.key != step.key:
                renamed[step.key] = made[twin.key] = twin
    return list(made.values())


def _device(params: Mapping[str, object]) -> Mapping[str, object]:
    """The device in a recipe's parameters; empty where it has none."""
    device = params.get("device")
    return device if isinstance(device, Mapping) else {}


def _part(device: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """A recorded device as a step names it: an inference depends on the GPU alone, a measurement on the CPU as well."""
    return {key: device[key] for key in own} if set(own) <= set(device) else dict(device)


def describe(step: Step) -> str:
    """The device of a step's recipe, or of one that it reads."""
    device = _device(step.params)
    if device:
        text = f"{device.get('cpu', 'an unknown CPU')}, {device.get('cores', '?')} cores"
        if "gpu" in device:
            text = f"{device['gpu'] or 'no GPU'}, {text}" if "cpu" in device else str(device["gpu"] or "no GPU")
        return "".join(c if c.isprintable() else "?" for c in text)  # another machine's text on this terminal
    return next((text for up in step.upstream if (text := describe(up))), "")


def _renamed(source: Input, renamed: dict[str, Step]) -> Input:
    known = renamed.get(source.step.key) if isinstance(source, Output) else None
    return source if known is None or not isinstance(source, Output) else known.out(source.name)


def _devices(steps: Iterable[Step], root: Path) -> list[Mapping[str, object]]:
    """Devices in recorded recipes that differ from one of the steps in nothing but the device."""
    found: dict[str, Mapping[str, object]] = {}
    for step in steps:
        if not _device(step.params):
            continue
        for path in sorted((root / step.folder).parent.glob(f"{step.kind}-*/params.yaml")):
            try:
                content = read_yaml(path)
                recorded = content["params"] if isinstance(content, dict) else {}
                alike = canonical({**recorded, "device": None}) == canonical({**step.params, "device": None})
            except (WorkspaceError, KeyError, TypeError, ValueError):
                continue
            if alike and (device := _device(recorded)):
                found[canonical(device)] = device
    return list(found.values())
