"""Steps that measure a device, as they would be on the devices that records in this workspace tell of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trtbuild.base.errors import WorkspaceError
from trtbuild.core.step import Input, Output, Step, canonical
from trtbuild.store.tracking import read_yaml


def twins(steps: Sequence[Step], root: Path) -> list[Step]:
    """``steps`` (each after all it reads from) once for every recorded device, with that device in their recipes."""
    made: dict[str, Step] = {}
    for device in _devices(steps, root):
        renamed: dict[str, Step] = {}
        for step in steps:
            own: Any = step.params.get("device")
            params = {**step.params, "device": _part(device, own)} if own else step.params
            inputs = {name: _renamed(source, renamed) for name, source in step.inputs.items()}
            twin = replace(step, params=params, inputs=inputs)
            if twin.key != step.key:
                renamed[step.key] = made[twin.key] = twin
    return list(made.values())


def _part(device: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded device, as a step names it: an inference hangs on the GPU alone, a measurement on the CPU as well."""
    return {key: device[key] for key in own} if set(own) <= set(device) else dict(device)


def describe(step: Step) -> str:
    """The device of a step's recipe, or of one that it reads."""
    device: Any = step.params.get("device")
    if device:
        text = f"{device.get('cpu', 'an unknown CPU')}, {device.get('cores', '?')} cores"
        if "gpu" in device:
            text = f"{device['gpu'] or 'no GPU'}, {text}" if "cpu" in device else str(device["gpu"] or "no GPU")
        return "".join(c if c.isprintable() else "?" for c in text)  # another machine's words on this terminal
    return next((text for up in step.upstream if (text := describe(up))), "")


def _renamed(source: Input, renamed: dict[str, Step]) -> Input:
    known = renamed.get(source.step.key) if isinstance(source, Output) else None
    return source if known is None or not isinstance(source, Output) else known.out(source.name)


def _devices(steps: Iterable[Step], root: Path) -> list[dict[str, Any]]:
    """Devices in recorded recipes that differ from one of the steps in nothing but the device."""
    found: dict[str, dict[str, Any]] = {}
    for step in steps:
        if not step.params.get("device"):
            continue
        for path in sorted((root / step.folder).parent.glob(f"{step.kind}-*/params.yaml")):
            try:
                recorded = read_yaml(path)["params"]
                alike = canonical({**recorded, "device": None}) == canonical({**step.params, "device": None})
            except (WorkspaceError, KeyError, TypeError, ValueError):
                continue
            if alike and isinstance(recorded.get("device"), dict):
                found[canonical(recorded["device"])] = recorded["device"]
    return list(found.values())
