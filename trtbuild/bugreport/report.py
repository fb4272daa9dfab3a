"""The files of a report: everything is run and measured here; the text is written elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trtbuild.base.errors import ConfigError
from trtbuild.bugreport import environment, matrix, related, reproduce, text, tfgraph
from trtbuild.bugreport.secrets import Secrets
from trtbuild.core.spec import Toolchain
from trtbuild.graphs.graph import opset_of
from trtbuild.reducing import failinggraph, graphvalues
from trtbuild.reducing.casefile import ops_of
from trtbuild.reducing.faults import SourceFault, TensorrtFault
from trtbuild.reducing.reproducer import Reproducer
from trtbuild.reducing.weights import own_values

Say = Callable[[str], None]
REPRO_LIMIT_S = 120.0
FILES = {
    "environment.json": "versions and machine",
    "build_tf_graph.py": "TensorFlow source",
    "repro.py": "stand-alone script",
    "repro.sh": "Polygraphy command",
    "emulated.onnx": "the same, with every low-precision result rounded in float32; repro.py runs it",
    "inputs.json": "inputs, in Polygraphy's format",
    "golden.json": "reference outputs, in Polygraphy's format",
    "build.log": "verbose log of repro.py",
    "matrix.csv": "outcomes by version and precision, with controls that pass",
    "related.md": "known issues about the same operations",
}


@dataclass(frozen=True)
class Report:
    """``files`` by name; ``reproduced`` is the exit status of repro.py, None if it did not end in time."""

    files: Mapping[str, bytes]
    title: str
    reproduced: int | None


def make(
    reproducer: Reproducer, versions: Mapping[str, Toolchain], secrets: Secrets, folder: Path,
    *, install: bool, keep_values: bool, say: Say,
) -> Report:  # fmt: skip
    """Run everything that can be run, and record the results.

    Raises:
        ConfigError: the fault needs the user's own values, which must not be in a report.
    """
    import onnx

    small, subject = reproducer.small, reproducer.subject
    ours = subject.case is not None and subject.case.packaged  # a packaged case has no secrets
    _check_values(reproducer, keep=keep_values or ours)
    onnx.checker.check_model(reproducer.model)
    name = subject.version
    toolchain = versions[name]
    python = failinggraph.interpreter(name, toolchain, install=install)
    module = reproduce.MODULES[toolchain.flavour]
    about = environment.collect(python, module)
    scrub = secrets.scrub
    files: dict[str, bytes] = {"model.onnx": reproducer.model.SerializeToString(deterministic=True)}
    tensorflow, files["build_tf_graph.py"] = _tensorflow(reproducer, folder, scrub, say)
    if reproduce.can_be_written(reproducer.feeds):
        files["inputs.json"] = reproduce.inputs_json(reproducer.feeds)
    if reproduce.can_be_written(reproducer.golden):
        runner = "tensorflow" if isinstance(reproducer.fault, SourceFault) else "onnxruntime"
        files["golden.json"] = reproduce.golden_json(reproducer.golden, runner)
    ran, shell = _reproduce(reproducer, toolchain, python, files, folder, scrub, say)
    rows, tried = matrix.measure(reproducer, versions, about, folder, install, scrub, say)
    ops = ops_of(reproducer.model)
    _related(reproducer, files)
    files["matrix.csv"] = matrix.text(rows).encode()
    files["environment.json"] = _json(about)
    facts = text.Facts(
        small.failure, ops, opset_of(reproducer.model), subject.precision, about, rows, small.nodes_before, small.nodes,
        small.minimal, small.notes, ran.status, shell, tensorflow, reproducer.reference, scrub(reproducer.unable),
        _agrees(reproducer), _weights(reproducer), subject.tf32, tried,
        {n: what for n, what in FILES.items() if n in files}, _origin(reproducer, ours),
    )  # fmt: skip
    files["report.md"] = scrub(text.report(facts)).encode()
    return Report(files, scrub(text.title(facts)), ran.status)


def _check_values(reproducer: Reproducer, *, keep: bool) -> None:
    small = reproducer.small
    if keep or not (small.kept or small.values_of_inputs):
        return
    several = "constants" if len(small.kept) > 1 else "constant"
    what = [f"{len(small.kept)} {several}"] if small.kept else []
    what += ["the inputs"] if small.values_of_inputs else []
    hint = "write --keep-weights if they may be in the report; trtbuild reduce makes a case for your own use"
    raise ConfigError(f"it fails only with its own numbers: {' and '.join(what)} would have to be in the report",
                      where="bugreport", hint=hint)  # fmt: skip


def _json(document: Mapping[str, object]) -> bytes:
    import json

    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()


def _tensorflow(reproducer: Reproducer, folder: Path, scrub: Callable[[str], str], say: Say) -> tuple[str, bytes]:
    """What happened when build_tf_graph.py was run, and the file."""
    import onnx

    case = reproducer.subject.case
    if case is not None and case.build is not None:
        missing: list[str] = []
        script = tfgraph.of_case(case)
        before, after = reproducer.small.nodes_before, reproducer.small.nodes
        whole = f" (the whole graph of {before} nodes, of which model.onnx is a part)" if after < before else ""
    else:
        (script, missing), whole = tfgraph.of_graph(reproducer.small.model), ""
    script = scrub(script)
    if missing:
        return (
            f"none: the graph is known as ONNX only (no TensorFlow code is known for {', '.join(missing)})",
            script.encode(),
        )
    say("running build_tf_graph.py")
    ran = reproduce.run({"build_tf_graph.py": script.encode()}, [sys.executable, "build_tf_graph.py"], folder,
                        Path(sys.executable))  # fmt: skip
    ops = next((line.split()[1:] for line in ran.output.splitlines() if line.startswith("OPS")), None)
    if ops is None:
        last = (scrub(ran.output).strip().splitlines() or ["nothing"])[-1][:200]
        return f"it was run, but did not export: {last}", script.encode()
    left = [op for op in dict.fromkeys(ops) if not onnx.defs.has(op)]
    if left:
        return f"it was run, and tf2onnx left {', '.join(left)} unconverted", script.encode()
    wanted = reproducer.small.failure.op_type
    there = f", {wanted} among them" if wanted in ops else f"; {wanted} is not among them" if wanted else ""
    return f"it was run, and exports {text.count(len(ops))} at the top level{there}{whole}", script.encode()


def _reproduce(
    reproducer: Reproducer, toolchain: Toolchain, python: Path, files: dict[str, bytes], folder: Path,
    scrub: Callable[[str], str], say: Say,
) -> tuple[reproduce.ScriptRun, int | None]:  # fmt: skip
    failure, tolerance = reproducer.small.failure, reproducer.subject.tolerance
    compares = None
    if isinstance(reproducer.fault, TensorrtFault):
        files["repro.py"] = reproduce.trt_script(
            reproducer.model, failure, toolchain.flavour, toolchain.version, reproducer.profiles,
            tf32=reproducer.subject.tf32, limit_s=REPRO_LIMIT_S,
        ).encode()  # fmt: skip
    else:
        import onnxruntime

        from trtbuild.graphs import rounding

        compares = {"absolute": tolerance.absolute, "relative": tolerance.relative}
        graph = "model.onnx"
        if rounding.low_types(reproducer.model):
            graph = "emulated.onnx"
            files[graph] = rounding.emulate(reproducer.model).SerializeToString(deterministic=True)
        files["repro.py"] = reproduce.values_script(graph, tolerance, onnxruntime.__version__).encode()
        python = Path(sys.executable)
    shell = reproduce.shell_script(
        toolchain.flavour, reproducer.profiles, compares=compares, tf32=reproducer.subject.tf32
    )
    files["repro.sh"] = shell.encode()
    say("running repro.py")
    ran = reproduce.run(files, [str(python), "-s", "repro.py", "--verbose"], folder, python)
    files["build.log"] = scrub(ran.output).encode()
    if compares is not None:
        return ran, None  # the engine would have to be executed
    say("running repro.sh")
    return ran, reproduce.run(files, ["/bin/sh", "repro.sh"], folder, python).status


def _related(reproducer: Reproducer, files: dict[str, bytes]) -> None:
    from trtbuild.graphs.graph import all_nodes

    cited = reproducer.subject.case.issues if reproducer.subject.case is not None else ()
    inner = [node.op_type for node in all_nodes(reproducer.model.graph)]
    issues = related.read()
    matched = related.match(issues, inner, reproducer.small.failure, cited)
    files["related.md"] = related.text(matched, cited, f"{len(issues)} known issues (read on 2026-11-20)").encode()


def _agrees(reproducer: Reproducer) -> str:
    from trtbuild.suite.comparison import difference

    subject = reproducer.subject
    if isinstance(reproducer.fault, SourceFault):
        return "no; that is the fault"
    if not subject.golden:
        return "not compared: there is no TensorFlow source"
    have, why = graphvalues.runs(subject.exported, subject.feeds)
    if not have:
        return f"not compared: {why}"
    says = [
        difference(wanted, have[name], subject.tolerance) for name, wanted in subject.golden.items() if name in have
    ]
    whole = "yes, of the whole graph before the reduction"
    return f"no: {next(filter(None, says))}" if any(says) else whole


def _weights(reproducer: Reproducer) -> str:
    small = reproducer.small
    if isinstance(reproducer.fault, SourceFault) and small.values_of_inputs:
        return "the constants and inputs are those of the source"
    if isinstance(reproducer.fault, SourceFault):
        return "random inputs" + ("; the constants are those of the source" if small.kept else ", no weights")
    if not small.kept and not small.values_of_inputs:
        count = len(own_values(reproducer.model))
        return "random numbers, with which it also fails" if count else "it has no weights"
    kept = [f"{', '.join(small.kept)} had to keep their values"] if small.kept else []
    kept += ["the inputs had to keep theirs"] if small.values_of_inputs else []
    return f"random except for what the failure needs: {'; '.join(kept)}"


def _origin(reproducer: Reproducer, ours: bool) -> str:
    if ours and reproducer.subject.case is not None:
        return f"the case {reproducer.subject.case.id} of trtbuild's suite of incompatible graphs"
    operations = reproducer.fault.operations if isinstance(reproducer.fault, SourceFault) else ()
    exported = f"; exported from TensorFlow's {', '.join(operations)}" if operations else ""
    return f"reduced from {reproducer.subject.title}{exported}"
