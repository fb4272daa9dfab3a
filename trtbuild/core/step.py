"""A step: a frozen recipe made from its inputs, so that a cycle cannot be written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

KEY_LENGTH = 8  # hex digits in a folder's name; the record detects a clash within one model and kind
KEY = rf"[0-9a-f]{{{KEY_LENGTH}}}"  # the pattern of these
Slot = Literal["cpu", "gpu", "gpu-exclusive", "exclusive"]  # see core/schedule.py
# toolchain: the TensorRT version's interpreter, with the same memory layout on every run; runtime: the same
# interpreter, run plainly.
Environment = Literal["main", "toolchain", "runtime"]


@dataclass(frozen=True)
class Plot:
    """Columns of a CSV that ``dvc plots show`` draws."""

    x: str
    y: tuple[str, ...]
    title: str


@dataclass(frozen=True)
class Out:
    """One output file of a step; ``cache=False``: a small text file kept in git and shown by ``dvc metrics``."""

    name: str
    cache: bool = True
    plot: Plot | None = None


@dataclass(frozen=True, eq=False)
class Step:
    """One recipe.  ``model`` and ``label`` name its folder; ``inputs`` are upstream outputs or source files."""

    kind: str
    version: int
    model: str
    label: str
    params: Mapping[str, object]
    inputs: Mapping[str, Input]
    outs: tuple[Out, ...]
    slot: Slot = "cpu"
    work_bytes: int = 0  # memory besides its libraries and its model: activations of a call, a budget
    memory_bytes: int = 0  # its estimated peak, filled in when it could start (core/memory.py)
    environment: Environment = "main"

    @cached_property
    def key(self) -> str:
        """Digest of the recipe: what is requested, never what was observed (64 hex digits)."""
        return hashlib.sha256(canonical(self.recipe).encode()).hexdigest()

    @property
    def recipe(self) -> dict[str, object]:
        return {"kind": self.kind, "version": self.version, "params": self.params,
                "inputs": {name: source.identity for name, source in self.inputs.items()}}  # fmt: skip

    @cached_property
    def folder(self) -> str:
        """``build/<model>/<kind>-<label>-<8 hex>``, relative to the workspace."""
        readable = "-".join(part for part in (self.kind, self.label) if part)
        return f"build/{self.model}/{readable}-{self.key[:KEY_LENGTH]}"

    @property
    def upstream(self) -> tuple[Step, ...]:
        """The steps that this one reads from, each once, in the order of the inputs."""
        return tuple({i.step.key: i.step for i in self.inputs.values() if isinstance(i, Output)}.values())

    @cached_property
    def _outputs(self) -> dict[str, Output]:
        return {out.name: Output(self, out.name) for out in self.outs}

    def out(self, name: str) -> Output:
        """One of this step's outputs, as another step's input."""
        if name not in self._outputs:
            raise KeyError(f"{self.kind} makes no {name}")
        return self._outputs[name]


@dataclass(frozen=True, eq=False)
class Output:
    """An upstream step's output file."""

    step: Step
    name: str

    @cached_property
    def path(self) -> str:
        return f"{self.step.folder}/{self.name}"

    @cached_property
    def identity(self) -> str:
        return f"{self.step.key}/{self.name}"


@dataclass(frozen=True)
class File:
    """A source file or folder as an input, by its path relative to the workspace."""

    path: str

    @property
    def identity(self) -> str:
        return self.path


Input: TypeAlias = Output | File


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text.

    >>> canonical({"b": 1, "a": [1.5, None]})
    '{"a":[1.5,null],"b":1}'
    """
    return _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
