"""repro.py, repro.sh and their values: each is run before a report claims that it reproduces anything."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.base import lifeline
from trtbuild.reducing.failure import Failure
from trtbuild.suite.case import Tolerance
from trtbuild.workers import hermetic
from trtbuild.workers.prober import Profiles

if TYPE_CHECKING:
    import onnx

    from trtbuild.arrays.arrayfile import Array

SCRIPTS = Path(__file__).with_name("scripts")
_PLACE = 'json.loads(r"""{}""")'
MODULES = {"tensorrt-rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}
RUN_S = 300.0


@dataclass(frozen=True)
class ScriptRun:
    """``status`` is None if it did not end in time."""

    status: int | None
    output: str


def trt_script(
    model: onnx.ModelProto,
    failure: Failure,
    flavour: str,
    version: str,
    profiles: Profiles,
    *,
    tf32: bool,
    limit_s: float,
) -> str:
    """A script for a graph that TensorRT refuses or crashes on; it needs only TensorRT."""
    return _script("repro_trt.py", {
        "module": MODULES[flavour], "version": version, "kind": failure.kind, "stage": failure.stage,
        "op_type": failure.op_type, "words": failure.words, "tf32": tf32, "limit_s": limit_s,
        "profiles": {name: [list(shape) for shape in points] for name, points in profiles.items()},
        "inputs": _input_types(model),
    })  # fmt: skip


def values_script(model: str, tolerance: Tolerance, version: str) -> str:
    """A script for wrong values; it needs numpy and ONNX Runtime."""
    return _script("repro_values.py", {
        "model": model, "absolute": tolerance.absolute, "relative": tolerance.relative, "version": version,
    })  # fmt: skip


def _script(name: str, expected: Mapping[str, object]) -> str:
    text = (SCRIPTS / name).read_text("utf-8")
    assert text.count(_PLACE) == 1
    return text.replace(_PLACE, f'json.loads(r"""{json.dumps(expected, indent=1)}""")')


def _input_types(model: onnx.ModelProto) -> dict[str, str]:
    import onnx

    constants = {tensor.name for tensor in model.graph.initializer}
    return {
        value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
        for value in model.graph.input
        if value.name not in constants
    }


def shell_script(flavour: str, profiles: Profiles, *, compares: Mapping[str, float] | None, tf32: bool) -> str:
    """The same with Polygraphy; for wrong values it compares the engine's with the reference, which needs a GPU."""
    shapes = ""
    for option, i in (("--trt-min-shapes", 0), ("--trt-opt-shapes", 1), ("--trt-max-shapes", 2)):
        words = " ".join(f"{name}:[{','.join(map(str, points[i]))}]" for name, points in sorted(profiles.items()))
        shapes += f" \\\n  {option} {words}" if words else ""
    precision = " --tf32" if tf32 else ""
    lines = ["#!/bin/sh", "# Needs polygraphy beside TensorRT.", 'cd "$(dirname "$0")" || exit 1']
    if flavour == "tensorrt-rtx":
        lines.append("export POLYGRAPHY_USE_TENSORRT_RTX=1")
    if compares is None:
        lines.append(
            f"polygraphy convert model.onnx --convert-to trt --strongly-typed{precision} -o model.plan{shapes}"
        )
    else:
        lines += [
            "# The engine against the reference values; it is executed, so this needs a GPU.",
            f"polygraphy run model.onnx --trt --strongly-typed{precision} --load-inputs inputs.json \\",
            f"  --load-outputs golden.json --atol {compares['absolute']:g} --rtol {compares['relative']:g}{shapes}",
        ]
    return "\n".join([*lines, ""])


def run(files: Mapping[str, bytes], command: Sequence[str], folder: Path, interpreter: Path) -> ScriptRun:
    """Run a command in a new folder that contains only these files, without this process's environment."""
    place = folder / "reproduce"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    path = os.pathsep.join([str(interpreter.parent), "/usr/bin", "/bin"])
    environment = {**hermetic.environment(), "PATH": path, "PYTHONUNBUFFERED": "1"}
    try:
        done = lifeline.run(command, cwd=place, env=environment, timeout_s=RUN_S, merged=True)
    except subprocess.TimeoutExpired as error:
        return ScriptRun(None, (error.output or b"").decode("utf-8", "replace"))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return ScriptRun(done.returncode, done.stdout)


def can_be_written(arrays: Mapping[str, Array]) -> bool:
    """Texts and types unknown to numpy (bfloat16) cannot be written."""
    return bool(arrays) and all(value.dtype.kind in "fiubc" and value.dtype.isbuiltin == 1 for value in arrays.values())


def inputs_json(feeds: Mapping[str, Array]) -> bytes:
    """A list with one set of inputs."""
    from polygraphy.json import to_json

    return bytes(to_json([dict(feeds)]).encode()) + b"\n"


def golden_json(outputs: Mapping[str, Array], runner: str) -> bytes:
    """Results of one run by ``runner``."""
    from polygraphy.comparator import IterationResult, RunResults

    results = RunResults()
    results.append((runner, [IterationResult(outputs=dict(outputs), runner_name=runner)]))
    return bytes(results.to_json().encode()) + b"\n"
