"""How much memory a step takes at its peak: its libraries, several copies of its model, and its working data.

An estimate is not part of a recipe.  It is made when a step could start, when sizes are known that planning must not
read.  ``python -m benchmarks memory`` compares every rule with measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod

from trtbuild.core.spec.model import Input
from trtbuild.core.step import Step

MB = 1_000_000
MODEL_FILES = ("source", "model", "exported", "lowered", "frozen", "engine")  # inputs that hold a network
UNKNOWN_MODEL_BYTES = 500 * MB  # for a factory, until its export exists; an overestimate only makes a step wait
ACTIVATIONS = 200  # bytes of all tensors of a network for each byte of its inputs: 150 in ResNet50, 170 in ConvNeXtTiny


@dataclass(frozen=True)
class Rule:
    """``libraries_bytes``: Python and what it loads; ``copies``: of the model, held at once."""

    libraries_bytes: int
    copies: float = 0.0


RULES: Mapping[str, Rule] = {
    # 6 copies where stand-ins replace the weights (sources/standins.py), 19 where the optimiser computes with them.
    "export": Rule(900 * MB, 20),
    "reference": Rule(600 * MB, 5),
    # Half of it for the tensors that calibration watches (runtimes/calibration.py); copies: two graphs are compared.
    "lower": Rule(1000 * MB, 8),
    "ranges": Rule(300 * MB, 3),
    "infer": Rule(300 * MB, 4),
    "engine": Rule(800 * MB, 6),
    "layers": Rule(600 * MB, 6),
    "latency": Rule(1400 * MB, 7),
    "report": Rule(500 * MB),
    "validate": Rule(500 * MB),
    "deviation": Rule(500 * MB),
    "estimate": Rule(200 * MB),
    "sensitivity": Rule(600 * MB, 8),
}


def estimate(step: Step, model_bytes: int | None) -> int:
    """Peak memory of all of a step's processes together.

    Args:
        model_bytes: size of its model's largest file; None while unknown.
    """
    rule = RULES.get(step.kind, Rule(500 * MB))
    size = UNKNOWN_MODEL_BYTES if model_bytes is None else model_bytes
    return rule.libraries_bytes + round(rule.copies * size) + step.work_bytes


def time_limit_s(step: Step) -> float:
    """When a step is taken for one that will not end, unless ``executor.time_limit`` says so: far above any measured.

    Two hours, and two more for each estimated GB: inspecting a large model's layers one by one takes hours.
    """
    return 7200.0 * (1 + step.memory_bytes / 1e9)


def memory_limit_bytes(step: Step) -> int:
    """What a step may take, unless ``executor.memory_limit`` says so: four times its estimate, and 4 GB."""
    return 4 * step.memory_bytes + 4000 * MB


def model_files(steps: Iterable[Step]) -> dict[str, set[str]]:
    """Model -> workspace paths of all files that hold its network, in any form."""
    paths: dict[str, set[str]] = {}
    for step in steps:
        files = {source.path for name, source in step.inputs.items() if name in MODEL_FILES}
        paths.setdefault(step.model, set()).update(files)
    return paths


def sized(step: Step, files: Mapping[str, Iterable[str]], size: Callable[[str], int | None]) -> Step:
    """The step with its estimate, from the model files that exist now.

    Args:
        files: the plan's, from :func:`model_files`.
        size: bytes of a workspace path, None if it does not exist.
    """
    known = [count for path in files.get(step.model, ()) if (count := size(path)) is not None]
    return replace(step, memory_bytes=estimate(step, max(known, default=None)))


def activation_bytes(inputs: Iterable[Input], samples: int) -> int:
    """Bytes of all tensors of one call with at most ``samples`` rows, from the sizes of its inputs."""
    return ACTIVATIONS * sum(_call_bytes(spec, samples) for spec in inputs)


def _call_bytes(spec: Input, samples: int) -> int:
    largest = spec.shapes[2]
    if spec.shape and spec.shape[0] is None:
        largest = (min(samples, largest[0]), *largest[1:])
    bits = "".join(c for c in spec.dtype if c.isdigit()) or "8"
    return prod(largest) * int(bits) // 8
