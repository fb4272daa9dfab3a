"""Our int8 against the libraries' own: the same exported graph, the same samples, all run by ONNX Runtime.

``python -m benchmarks.int8 NAME …`` takes the named models only; NAME is one of MODELS.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.int8_library import OPERATIONS
from benchmarks.measure import say
from trtbuild.config import named
from trtbuild.quantizers import best

if TYPE_CHECKING:
    from trtbuild.arrays.arrayfile import Array
    from trtbuild.core.spec import Lowering

MODELOPT = "nvidia-modelopt[onnx]==0.47.0"
# ONNX Runtime's entropy chose the same ranges as its MinMax on every model here (128 bins, symmetric).
METHODS = {"onnxruntime": ("MinMax", "Percentile"), "modelopt": ("max", "entropy")}
# Networks of keras.applications besides the demonstration models: residual sums, and swish with squeeze-excitation.
MORE = {"resnet50": ("ResNet50", 3), "efficientnet_b0": ("EfficientNetB0", 5)}
MODELS = ("lenet", "segnet", "mobilenet_v2", "inception_v3", *MORE)
# For each of calibration and validation, where a network has random weights and so needs no others.
SAMPLES, SEED, SIDE_PX = 16, 9001, 224
BAR_DB = 0.2
LIMIT_S = 300  # modelopt's entropy takes ten minutes for efficientnet_b0


@dataclass(frozen=True)
class Subject:
    """An exported float32 graph and its data; ``task``: as the config has it."""

    name: str
    graph: Path
    calibration: Path
    validation: Mapping[str, Array]
    task: Mapping[str, Any] | None = None


def measure(root: Path, scratch: Path, names: Collection[str] = MODELS) -> None:
    """A line for each model and contender: SQNR of the outputs, and before a final softmax; the task metric."""
    modelopt = _environment(scratch)
    for name in names:
        folder = scratch / name
        folder.mkdir()
        subprocess.run([sys.executable, "-m", "benchmarks.int8", "--export", str(root), name, str(folder)], check=True)
        subject = _subject(root, name, folder)
        reference = _outputs(subject.graph.read_bytes(), subject)
        say(f"{name}, float32", f"task {_task(subject, reference)}", "")
        reached: dict[frozenset[str], float] = {}
        for label, graph, quantised in _libraries(subject, folder, modelopt):
            found = _line(subject, label, graph, reference, len(quantised))
            reached[quantised] = max(reached.get(quantised, -np.inf), found)
        shipped = named.precision(root, "int8")
        same = replace(shipped, quantize_ops=tuple(OPERATIONS), quantize_depthwise=True)
        for quantised, theirs in reached.items():
            _against(subject, f"ours, the same {len(quantised)}", reference, _ours(subject, same, quantised), theirs)
        ours = _ours(subject, shipped)
        # A library may quantise a single operation of five, and lose nothing.
        theirs = max((one for quantised, one in reached.items() if len(quantised) >= ours[2]), default=-np.inf)
        _against(subject, "ours, as shipped", reference, ours, theirs)


def _against(
    subject: Subject, label: str, reference: Mapping[str, Array], ours: tuple[str, bytes, int], theirs: float
) -> None:
    chosen, graph, count = ours
    margin = _line(subject, f"{label}: {chosen}", graph, reference, count) - theirs
    verdict = "reached" if margin >= -BAR_DB else "MISSED"
    say(f"{subject.name}, {label}", f"{margin:+.2f} dB", f"bar -{BAR_DB} dB: {verdict}")


def _environment(scratch: Path) -> Path | None:
    """The interpreter of an environment with modelopt; None, and said, where it cannot be installed."""
    from trtbuild.toolchains.uvenv import uv_program

    python = scratch / "modelopt" / "bin" / "python"
    for words in (["venv", "-q", "--python", sys.executable, python.parents[1]],
                  ["pip", "install", "-q", "--python", python, MODELOPT]):  # fmt: skip
        done = subprocess.run([uv_program(), *map(str, words)], capture_output=True, text=True)
        if done.returncode:
            say(MODELOPT, "not installed", done.stderr.strip().splitlines()[-1])
            return None
    return python


def export(root: Path, name: str, folder: Path) -> None:
    """The graph that a build would lower, and data, written into ``folder``."""
    import yaml

    from trtbuild.demo.inputs import smooth_images
    from trtbuild.graphs import canonical
    from trtbuild.runtimes import tensorflow
    from trtbuild.sources import tfonnx

    if name in MORE:
        application, seed = MORE[name]
        source: dict[str, Any] = {"kind": "factory", "callable": "trtbuild.demo.factories:keras_application",
                                  "arguments": {"application": application}, "seed": seed}  # fmt: skip
        model: dict[str, Any] = {"inputs": {"image": {"dtype": "float32", "shape": [None, SIDE_PX, SIDE_PX, 3]}}}
        images = smooth_images(2 * SAMPLES, SIDE_PX, SIDE_PX, SEED)
        data = {"calibration": {"image": images[:SAMPLES]}, "validation": {"image": images[SAMPLES:]}}
    else:
        model = yaml.safe_load((root / "conf" / "model" / f"{name}.yaml").read_text("utf-8"))
        source = {"seed": 0, "arguments": {}, **model["source"]}
        data = {key: dict(np.load(root / model["data"][key])) for key in ("calibration", "validation")}
    session = tensorflow.open_session(source, root / source["path"] if "path" in source else None, model["inputs"])
    converted = tfonnx.convert(session.model, 17)
    canonical.canonicalise(converted.model, keep=converted.ops)
    (folder / "model.onnx").write_bytes(canonical.to_bytes(converted.model))
    for key, arrays in data.items():
        np.savez(folder / f"{key}.npz", **arrays)


def _subject(root: Path, name: str, folder: Path) -> Subject:
    import yaml

    config = root / "conf" / "model" / f"{name}.yaml"
    task = yaml.safe_load(config.read_text("utf-8"))["validation"].get("task") if config.exists() else None
    validation = dict(np.load(folder / "validation.npz"))
    return Subject(name, folder / "model.onnx", folder / "calibration.npz", validation, task)


def _libraries(subject: Subject, folder: Path, modelopt: Path | None) -> Iterator[tuple[str, bytes, frozenset[str]]]:
    """Label, graph, and the operations in it whose operands are both int8."""
    pythons = {"onnxruntime": Path(sys.executable), "modelopt": modelopt}
    script = Path(__file__).with_name("int8_library.py")
    for library, methods in METHODS.items():
        for method in methods if pythons[library] else ():
            out = folder / f"{library}-{method}.onnx"
            words = [pythons[library], script, library, method, subject.graph, subject.calibration, out]
            try:
                argv = [str(word) for word in words]
                subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=True)
            except subprocess.TimeoutExpired:
                say(f"{subject.name}, {library} {method}", "left out", f"it took more than {LIMIT_S} s")
                continue
            except subprocess.CalledProcessError as error:
                say(f"{subject.name}, {library} {method}", "failed", (error.stderr.strip() or "?").splitlines()[-1])
                continue
            yield f"{library}, {method}", out.read_bytes(), _quantised(out.read_bytes())


def _quantised(graph: bytes) -> frozenset[str]:
    """Names of the operations whose operands both come from int8."""
    import onnx

    model = onnx.ModelProto.FromString(graph)
    dequantised = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    return frozenset(
        node.name for node in model.graph.node
        if node.op_type in OPERATIONS and dequantised.issuperset(node.input[:2])
    )  # fmt: skip


def _ours(subject: Subject, lowering: Lowering, wanted: Collection[str] | None = None) -> tuple[str, bytes, int]:
    """What the default calibration chose, its graph in the form that a build writes, and the count of operations.

    As the step ``lower`` does; ``wanted``: these operations only.
    """
    import onnx

    from trtbuild.arrays.samples import Samples
    from trtbuild.graphs import biases, lowered
    from trtbuild.graphs.graph import hoist_constants
    from trtbuild.graphs.placement import Placement
    from trtbuild.runtimes import calibration, choice

    images = dict(np.load(subject.calibration))
    inputs: Any = {"image": {"dtype": "float32", "shape": [None, *images["image"].shape[1:]]}}
    parts = [Samples({"image": images["image"]}, len(images["image"]), subject.name)]
    placement = Placement(lowering, {})
    model = onnx.load(subject.graph)
    hoist_constants(model.graph)
    lowered.prepare(model, placement)
    nodes = [n for n in lowered.quantised_nodes(model, placement)[0] if wanted is None or n.name in wanted]
    quantizer = best.make({"bins": 2048, "percentile": 99.99})
    calibration.calibrate(model, lowered.activations(model, placement, nodes), parts, inputs, 8, quantizer)
    found = choice.choose(model, nodes, placement, quantizer.candidates(), parts, inputs, 8, correct=True)
    biases.correct(model, found.errors)
    lowered.write(model, placement, nodes, found.ranges)
    return found.name, model.SerializeToString(), len(nodes)


def _outputs(graph: bytes, subject: Subject) -> dict[str, Array]:
    """Every output on the validation samples; of a final softmax also its operand, as ``logits``."""
    import onnx

    from trtbuild.runtimes.onnxruntime import session_of

    model = onnx.ModelProto.FromString(graph)
    final = {value.name for value in model.graph.output}
    final |= {node.input[0] for node in model.graph.node if node.op_type == "Cast" and node.output[0] in final}
    operand = next((n.input[0] for n in model.graph.node if n.op_type == "Softmax" and n.output[0] in final), None)
    if operand is not None:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(operand))
    session, images = session_of(model, subject.name), subject.validation["image"]
    parts = [session.run({"image": images[i : i + 8].astype(np.float32)}) for i in range(0, len(images), 8)]
    return {
        "logits" if name == operand else name: np.concatenate([part[name] for part in parts]) for name in parts[0]
    }  # fmt: skip


def _line(subject: Subject, label: str, graph: bytes, reference: Mapping[str, Array], count: int) -> float:
    """Print what it reaches; returns the SQNR of the output with the least of it (before a final softmax)."""
    found = _outputs(graph, subject)
    decibels = {name: _sqnr(reference[name], found[name]) for name in reference}
    shown = ", ".join(f"{name} {value:.2f} dB" for name, value in decibels.items())
    say(f"{subject.name}, {label}", f"{count} operations: {shown}", f"task {_task(subject, found)}")
    return decibels["logits"] if "logits" in decibels else min(decibels.values())


def _sqnr(reference: Array, found: Array) -> float:
    wide = reference.astype(np.float64)
    return float(10 * np.log10((wide**2).sum() / ((found - wide) ** 2).sum()))


def _task(subject: Subject, outputs: Mapping[str, Array]) -> str:
    from trtbuild.deviation import metrics

    if subject.task is None:
        return "none"
    task: Any = {"output": None, "ignore_label": None, **subject.task}
    return f"{metrics.score(task, dict(outputs), subject.validation[task['labels']]):.5f}"


if __name__ == "__main__":
    if sys.argv[1] == "--export":
        export(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
    else:
        with tempfile.TemporaryDirectory(prefix="trtbuild-benchmark-") as made:
            measure(Path(__file__).resolve().parents[1], Path(made), sys.argv[1:])
