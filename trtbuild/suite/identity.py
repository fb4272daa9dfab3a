"""What a result depends on: the case's own code and data, our code that handles it, the tools, the class of machine."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from trtbuild.suite.case import Case

_PACKAGE = Path(__file__).resolve().parents[1]
# Whose code decides what a case exports to and how it is compared; and what TensorRT is asked and how it is read.
_EXAMINING = (
    "suite/authoring.py", "suite/case.py", "suite/comparison.py", "suite/outline.py", "suite/examination.py",
    "suite/values.py", "suite/worker.py", "graphs/canonical.py", "graphs/cast.py", "graphs/graph.py",
    "graphs/lowered.py", "graphs/placement.py", "graphs/qdq.py", "graphs/rounding.py", "graphs/uncalibrated.py",
    "graphs/grid.py", "graphs/moving.py", "graphs/trained.py", "graphs/trainedint8.py",
    "sources/tfonnx.py", "sources/tf2onnxpatches.py", "sources/inlining.py", "sources/fakequant.py",
    "quantizers/_histogram.py", "quantizers/best.py", "runtimes/calibrated.py", "runtimes/onnxruntime.py",
)  # fmt: skip
_PROBING = (
    "trt/diagnosis.py", "trt/refusals.py", "trt/api.py", "graphs/misreadings.py", "workers/prober.py",
    "workers/jobs/probe.py", "suite/stage.py", "trt/rewriting.py", "graphs/agreement.py", "graphs/semantics.py",
    "graphs/values.py", "graphs/recurrence.py", "graphs/bounds.py", "graphs/facts.py", "graphs/loops.py",
    "core/parserwarnings.py",
)  # fmt: skip
_TOOLS = ("tensorflow-cpu", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "numpy")


def machine_class(root: Path = Path("/")) -> str:
    """ "gpu" with an NVIDIA driver, else "no-gpu": some graphs are compiled with a device's help only."""
    return "gpu" if (root / "proc/driver/nvidia/version").exists() else "no-gpu"


def examine_key(case: Case) -> str:
    """Names the export and the comparison of a case."""
    inputs = {name: repr(spec) for name, spec in case.inputs.items()}
    parts = [_code(_EXAMINING), _tools(), case.id, repr(dict(case.parameters)), inputs, repr(case.lowering),
             repr(case.tolerance), case.needs, case.opset, _own(case)]  # fmt: skip
    return _digest(parts)


def probe_key(
    graph: str, shapes: Mapping[str, object], profiles: Mapping[str, object], toolchain: object, *, tf32: bool = False
) -> str:
    """Names TensorRT's answer about a graph."""
    return _digest([_code(_PROBING), graph, shapes, profiles, toolchain, tf32, machine_class()])


def _own(case: Case) -> str:
    if case.onnx is not None:
        values = case.onnx.with_suffix(".npz")
        return _digest([_bytes(case.onnx), _bytes(values) if values.is_file() else ""])
    assert case.build is not None
    return function_digest(case.file, case.build.__name__)


def function_digest(file: Path, name: str) -> str:
    """Changes with the function and with everything in its file that is not another case: helpers, constants, imports.

    Files beside it that it imports count as a whole.
    """
    shared, functions = _parts(file)
    return _digest([shared, functions.get(name, ""), [_bytes(path) for path in _neighbours(file)]])


@cache
def _neighbours(file: Path) -> tuple[Path, ...]:
    """Files of the same folder that a file imports, and those that they import."""
    found: dict[Path, None] = {}
    waiting = [file]
    while waiting:
        for node in ast.walk(ast.parse(waiting.pop().read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for path in (file.parent / f"{name.split('.')[0]}.py" for name in names):
                if path != file and path not in found and path.is_file():
                    found[path] = None
                    waiting.append(path)
    return tuple(sorted(found))


@cache
def _parts(file: Path) -> tuple[str, dict[str, str]]:
    """The text outside of cases, and the text of each case's function."""
    text = file.read_text("utf-8")
    lines = text.splitlines()
    functions: dict[str, str] = {}
    taken: set[int] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            first, last = node.decorator_list[0].lineno, node.end_lineno or node.lineno
            functions[node.name] = "\n".join(lines[first - 1 : last])
            taken.update(range(first, last + 1))
    return "\n".join(line for i, line in enumerate(lines, 1) if i not in taken), functions


@cache
def _code(files: Iterable[str]) -> str:
    return _digest([_bytes(_PACKAGE / name) for name in files])


@cache
def _tools() -> str:
    found = {}
    for name in _TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return json.dumps(found)


@cache
def _bytes(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
