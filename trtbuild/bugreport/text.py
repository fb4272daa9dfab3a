"""report.md: the fields of NVIDIA's issue template in their order, and what was checked; no untested claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trtbuild.bugreport import environment as env
from trtbuild.bugreport.environment import Environment
from trtbuild.bugreport.matrix import MATCH, NOT_TRIED, OK, Row
from trtbuild.reducing.casefile import structure_of
from trtbuild.reducing.failure import Failure

_SYMPTOM = {
    "crash": "Crash", "timeout": "Timeout", "parse": "Parser failure", "misread": "Misread graph",
    "build": "Build failure", "mismatch": "Mismatch of values",
}  # fmt: skip
NOT_RUN = "not run"


@dataclass(frozen=True)
class Facts:
    """Everything in the text: each fact was measured, or says that it was not."""

    failure: Failure
    ops: Sequence[str]
    opset: int
    precision: str
    environment: Environment
    rows: Sequence[Row]
    nodes_before: int
    nodes: int
    minimal: bool
    reduced: Sequence[str]  # notes of the reduction
    repro: int | None  # exit status of repro.py, in a fresh process
    polygraphy: int | None  # exit status of repro.sh; None if it was not run
    tensorflow: str  # what happened when build_tf_graph.py was run
    reference: str
    unable: str
    agrees: str  # whether ONNX Runtime agrees with TensorFlow
    weights: str  # where the model's numbers come from
    tf32: bool
    tried_controls: int
    files: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""


def count(nodes: int) -> str:
    return f"{nodes} node" if nodes == 1 else f"{nodes} nodes"


def symptom(facts: Facts) -> str:
    return _SYMPTOM[facts.failure.kind]


def title(facts: Facts) -> str:
    """The template's form; TensorRT is not blamed for a fault of the exporter or of a precision."""
    structure = structure_of(facts.ops)
    if facts.failure.kind != "mismatch":
        version = facts.environment["tensorrt"]["version"]
        return f"{symptom(facts)} of TensorRT {version} when running {structure} on GPU: {env.where(facts.environment)}"
    packages = facts.environment["packages"]
    if facts.failure.stage == "export":
        return f"{symptom(facts)} of tf2onnx {packages.get('tf2onnx', 'unknown')} when exporting to {structure}"
    runtime = f"ONNX Runtime {packages.get('onnxruntime', 'unknown')}"
    return f"{symptom(facts)} of {structure} in {facts.precision}, by {runtime}"


def report(facts: Facts) -> str:
    environment, gpu = facts.environment, facts.environment["gpu"]
    packages = environment["packages"]
    lines = [
        f"# {title(facts)}", "", "## Description", "", *_description(facts), "", "## Environment", "",
        f"**TensorRT Version**: {environment['tensorrt']['version']} ({environment['tensorrt']['module']})", "",
        f"**NVIDIA GPU**: {env.where(environment)}", "",
        f"**NVIDIA Driver Version**: {gpu['driver']}", "",
        f"**CUDA Version**: {environment['cuda']}", "",
        f"**CUDNN Version**: {environment['cudnn']}", "",
        f"Operating System: {environment['system']} ({environment['kernel']}, {environment['machine']})", "",
        f"Python Version (if applicable): {environment['python']}", "",
        f"Tensorflow Version (if applicable): {_tensorflow(packages)}", "",
        "PyTorch Version (if applicable): not used", "",
        f"Baremetal or Container (if so, version): {environment['container']}", "",
        "## Relevant Files", "",
        f"**Model link**: `model.onnx`, in this folder ({_about(facts)})", "",
        *(f"- `{name}`: {what}" for name, what in facts.files.items()), "",
        "## Steps To Reproduce", "", *_steps(facts), "", "## Versions and controls", "", *_table(facts), "",
        "## What was checked", "", *_checks(facts), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _about(facts: Facts) -> str:
    return f"{count(facts.nodes)}, opset {facts.opset}, strongly typed, {facts.precision}; {facts.weights}"


def _description(facts: Facts) -> list[str]:
    failure = facts.failure
    valid = (
        "an ONNX graph"
        if facts.reference
        else "an ONNX graph that onnx.checker accepts, but ONNX Runtime does not run,"
    )
    graph = f"{valid} of {count(facts.nodes)}: {structure_of(facts.ops)}"
    first = {
        "crash": f"The process crashes while {failure.stage} {graph}.",
        "timeout": f"{failure.stage.capitalize()} {graph} does not end in time.",
        "parse": f"The ONNX parser refuses {graph}.",
        "build": f"TensorRT parses {graph}, but refuses to build it.",
        "misread": f"TensorRT accepts {graph}, but silently computes something other than it states.",
        "mismatch": _mismatch(facts),
    }[failure.kind]  # fmt: skip
    second = f"`{failure.words}`" + (f" ({failure.why})" if failure.why else "")
    return [first, second]


def _mismatch(facts: Facts) -> str:
    if facts.failure.stage == "export":
        return (
            f"The exported graph ({structure_of(facts.ops)}) has other values in ONNX Runtime than its source in "
            "TensorFlow: a fault of the exporter, not of TensorRT."
        )
    return (
        f"A graph in {facts.precision} ({structure_of(facts.ops)}) has other values in ONNX Runtime than in float32: "
        "a fault of the precision, not of TensorRT; no engine was executed."
    )


def _tensorflow(packages: Mapping[str, str]) -> str:
    version = packages.get("tensorflow-cpu") or packages.get("tensorflow")
    return f"{version}, tf2onnx {packages.get('tf2onnx', 'unknown')}" if version else "not installed"


def _steps(facts: Facts) -> list[str]:
    newest = [row for row in facts.rows if not row.graph.startswith("control") and row.precision == facts.precision]
    tried = [row for row in newest if row.version[:1].isdigit()]
    last = f"{tried[-1].tensorrt} ({tried[-1].version}): {tried[-1].outcome}" if tried else "no version was tried"
    framework = f"yes, in {facts.reference}" if facts.reference else f"no: {facts.unable}"
    needs = "only the TensorRT package" if facts.failure.kind != "mismatch" else "numpy and onnxruntime"
    latest = f"the newest version that was tried is {last}. Whether there is a newer release was not looked up."
    capture = "not captured; repro.py makes all calls itself."
    return [
        "**Commands or scripts**:", "", "```", f"python repro.py      # needs {needs}",
        "sh repro.sh          # the same with Polygraphy", "```", "",
        f"repro.py exits with 0 if it reproduces the failure: {_status(facts.repro)}. repro.sh: {_polygraphy(facts)}.",
        f"build_tf_graph.py: {facts.tensorflow}.", "",
        f"**Have you tried the latest release?**: {latest}", "",
        f"**Attach the captured .json and .bin files from TensorRT's API Capture tool**: {capture}", "",
        f"**Can this model run on other frameworks?**: {framework}",
    ]  # fmt: skip


def _status(status: int | None) -> str:
    return "it did not end here" if status is None else f"it exited with {status} here, in a fresh process"


def _polygraphy(facts: Facts) -> str:
    if facts.polygraphy is None:
        return NOT_RUN + " here"
    return f"it ended with status {facts.polygraphy} here"


def _table(facts: Facts) -> list[str]:
    main = [row for row in facts.rows if not row.graph.startswith("control")]
    lines = ["| precision | TensorRT | outcome | first bad | last good |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.precision} | {row.tensorrt} {f'({row.version})' if row.version else ''} | {row.outcome}"
        f"{': ' + row.says.replace('|', '/') if row.outcome == NOT_TRIED and row.says else ''} "
        f"| {row.first_bad or '-'} | {row.last_good or '-'} |"
        for row in main
    ]
    controls = [row for row in facts.rows if row.graph.startswith("control") and row.outcome in (OK, MATCH)]
    how = "have the right values" if facts.failure.kind == "mismatch" else "build"
    lines += ["", f"Near misses that {how}, of {facts.tried_controls} that were tried:", ""]
    lines += [f"- {row.graph.removeprefix('control: ')} ({row.version})" for row in controls] or ["- none"]
    if facts.failure.kind == "mismatch":
        lines += [
            "",
            "These rows only say whether TensorRT builds the graph; the mismatch does not depend on that.",
        ]
    return lines


def _checks(facts: Facts) -> list[str]:
    size = f"{facts.nodes} of {facts.nodes_before} nodes"
    few = "no node can be left out" if facts.minimal else "fewer may be possible"
    lines = [
        f"- Reduced: {size}; {few}.{''.join(f' {note}.' for note in facts.reduced)}",
        "- onnx.checker: passes.",
        "- Names, texts and producer are removed.",
        f"- Numbers: {facts.weights}.",
        f"- repro.py in a fresh process: {_status(facts.repro)}.",
        f"- ONNX Runtime on the CPU agrees with TensorFlow: {facts.agrees}.",
        f"- TF32: {'switched on, as requested' if facts.tf32 else 'switched off in every build'}.",
        "- NVIDIA's container: not run.",
        "- Version strings: read from the libraries, not typed.",
    ]
    return [*lines, f"- Origin: {facts.origin}."]
