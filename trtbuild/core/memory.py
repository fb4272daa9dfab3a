"""What a step takes at its peak: its libraries, so many copies of its model, and what it works on.

An estimate is no part of a recipe.  It is made when a step could start: sizes are known then that planning must not ask
for.  ``python -m benchmarks memory`` holds every rule against what is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod

from trtbuild.core.spec.model import Input
from trtbuild.core.step import Step

MB = 1_000_000
MODEL_FILES = ("source", "model", "exported", "lowered", "frozen", "engine")  # inputs of steps that hold a network
UNKNOWN_MODEL_BYTES = 500 * MB  # a factory says nothing until its export is there; too much only makes a step wait
ACTIVATIONS = 200  # bytes of all tensors of a network for each byte of its inputs: 150 in ResNet50, 170 in ConvNeXtTiny


@dataclass(frozen=True)
class Rule:
    """``libraries_bytes``: what it loads, and Python; ``copies`` of the model that are held at once."""

    libraries_bytes: int
    copies: float = 0.0


RULES: Mapping[str, Rule] = {
    # 6 copies where stand-ins take the place of weights (sources/standins.py), 19 where the optimiser computes with
    # them.
    "export": Rule(900 * MB, 20),
    "reference": Rule(600 * MB, 5),
    "lower": Rule(1000 * MB, 5),  # half of it is what calibration watches (runtimes/calibration.py)
    "infer": Rule(300 * MB, 4),
    "engine": Rule(800 * MB, 6),
    "layers": Rule(600 * MB, 6),
    "latency": Rule(1400 * MB, 7),
    "report": Rule(500 * MB),
    "validate": Rule(500 * MB),
    "deviation": Rule(500 * MB),
    "estimate": Rule(200 * MB),
}


def estimate(step: Step, model_bytes: int | None) -> int:
    """Peak of a step's processes together.

    Args:
        model_bytes: of its model's largest file; None: nobody knows yet.
    """
    rule = RULES.get(step.kind, Rule(500 * MB))
    size = UNKNOWN_MODEL_BYTES if model_bytes is None else model_bytes
    return rule.libraries_bytes + round(rule.copies * size) + step.work_bytes


def model_files(steps: Iterable[Step]) -> dict[str, set[str]]:
    """Model -> workspace paths of all files that hold its network, in any form."""
    found: dict[str, set[str]] = {}
    for step in steps:
        files = {source.path for name, source in step.inputs.items() if name in MODEL_FILES}
        found.setdefault(step.model, set()).update(files)
    return found


def sized(step: Step, files: Mapping[str, Iterable[str]], size: Callable[[str], int | None]) -> Step:
    """The step with its estimate, by the model files that are there now.

    Args:
        files: of the plan, by :func:`model_files`; ``size``: bytes of a workspace path, None when it is not there.
    """
    known = [found for path in files.get(step.model, ()) if (found := size(path)) is not None]
    return replace(step, memory_bytes=estimate(step, max(known, default=None)))


def activation_bytes(inputs: Iterable[Input], samples: int) -> int:
    """All tensors of one call with at most ``samples`` rows, from the sizes of its inputs."""
    return ACTIVATIONS * sum(_call_bytes(spec, samples) for spec in inputs)


def _call_bytes(spec: Input, samples: int) -> int:
    largest = spec.shapes[2]
    if spec.shape and spec.shape[0] is None:
        largest = (min(samples, largest[0]), *largest[1:])
    bits = "".join(c for c in spec.dtype if c.isdigit()) or "8"
    return prod(largest) * int(bits) // 8
