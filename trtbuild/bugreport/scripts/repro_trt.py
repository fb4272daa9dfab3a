"""Shows a failure of TensorRT's ONNX parser or builder with model.onnx, which is beside this file.

Needs only Python 3.8 and the TensorRT package.  usage: python repro.py [--verbose]
Exit status: 0 it fails as reported, 1 it does not, 2 there is no TensorRT to try.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from typing import Any

EXPECTED = json.loads(r"""{}""")
TYPES = {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16"}
HERE = os.path.dirname(os.path.abspath(__file__))


def attempt(verbose: bool) -> None:
    """In a process of its own, since TensorRT may take it down: parse and build, telling on stdout how far it came."""
    trt = import_module(EXPECTED["module"])
    tell({"version": trt.__version__})
    words: list[str] = []

    class Log(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                words.append(" ".join(message.split()))
            if verbose:
                print(f"[{str(severity).rpartition('.')[2]}] {message}", flush=True)

    log = Log()
    builder = trt.Builder(log)
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if flag is None else 1 << int(flag))
    parser = trt.OnnxParser(network, log)
    with open("model.onnx", "rb") as file:
        content = file.read()
    tell({"stage": "parsing"})
    if not parser.parse(content, "model.onnx"):
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        found = [{"op_type": error.node_operator(), "words": said(error)} for error in errors]
        tell({"failed": "parse", "found": found or [{"op_type": "", "words": words[-1] if words else ""}]})
        return
    config = builder.create_builder_config()
    if EXPECTED["tf32"]:
        config.set_flag(trt.BuilderFlag.TF32)
    else:
        config.clear_flag(trt.BuilderFlag.TF32)
    inputs = {network.get_input(i).name: network.get_input(i) for i in range(network.num_inputs)}
    if EXPECTED["profiles"]:
        profile = builder.create_optimization_profile()
        for name, shapes in EXPECTED["profiles"].items():
            setter = profile.set_shape_input if inputs[name].is_shape_tensor else profile.set_shape
            setter(name, *[tuple(shape) for shape in shapes])
        config.add_optimization_profile(profile)
    tell({"stage": "building"})
    before = len(words)
    plan = builder.build_serialized_network(network, config)
    if plan is None or words[before:]:
        tell({"failed": "build", "found": [{"op_type": "", "words": w} for w in words[before:] or ["no plan"]]})
        return
    wrong = []
    for name, meant in EXPECTED["inputs"].items():
        dtype = str(inputs[name].dtype).rpartition(".")[2] if name in inputs else ""
        dtype = TYPES.get(dtype, dtype.lower())
        if dtype and dtype != meant:
            wrong.append(f"input '{name}' is {meant} in the model, but {dtype} in the engine")
    found = [{"op_type": "", "words": words} for words in wrong]
    tell({"failed": "misread" if wrong else "", "found": found, "bytes": plan.nbytes})


def said(error: Any) -> str:
    code, words = str(error.code()).rpartition(".")[2], " ".join(error.desc().split())
    return f"{code}: {words}" if words not in ("false", "") else f"{code}: refused by {error.func()}"


def tell(value: dict[str, Any]) -> None:
    print("REPRO " + json.dumps(value), flush=True)


def main() -> int:
    verbose = "--verbose" in sys.argv
    command = [sys.executable, os.path.abspath(__file__), "--attempt"] + (["--verbose"] if verbose else [])
    process = subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ended = True
    try:
        output, _ = process.communicate(timeout=EXPECTED["limit_s"])
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        ended = False
    told: dict[str, Any] = {}
    for line in output.decode("utf-8", "replace").splitlines():
        if line.startswith("REPRO "):
            told.update(json.loads(line[len("REPRO ") :]))
        elif verbose or line.startswith(("Traceback", "ModuleNotFoundError", "ImportError")):
            print(line)
    if "version" not in told:
        print(f"{EXPECTED['module']} cannot be imported here")
        return 2
    print(f"{EXPECTED['module']} {told['version']} (reported for {EXPECTED['version']})")
    kind, words, stage = outcome(process.returncode, ended, told)
    print(f"here: {words}")
    print(f"expected: {EXPECTED['kind']}, stage {EXPECTED['stage']}: {EXPECTED['op_type']} {EXPECTED['words']}")
    if kind == EXPECTED["kind"] and stage == EXPECTED["stage"] and matches(kind, told):
        print("REPRODUCED")
        return 0
    print("NOT REPRODUCED: it fails, but in another way" if kind else "NOT REPRODUCED")
    return 1


def outcome(returncode: int, ended: bool, told: dict[str, Any]) -> tuple[str, str, str]:
    """What happened: kind ("" is nothing), words for people, stage."""
    stage = str(told.get("stage", "starting"))
    if not ended:
        return "timeout", f"no answer within {EXPECTED['limit_s']:g} s while {stage}", stage
    if returncode < 0 or "failed" not in told:
        how = signal.Signals(-returncode).name if returncode < 0 else f"status {returncode}"
        return "crash", f"TensorRT died of {how} while {stage}", stage
    if not told["failed"]:
        return "", f"it parses and builds: a plan of {told['bytes']} bytes", stage
    words = "; ".join(f"{one['op_type'] or told['failed']}: {one['words']}" for one in told["found"])
    return told["failed"], words, told["failed"]


def matches(kind: str, told: dict[str, Any]) -> bool:
    if kind in ("crash", "timeout"):
        return True
    expected = EXPECTED["op_type"]
    return any(
        (not expected or not one["op_type"] or one["op_type"] == expected)
        and plain(one["words"]) == plain(EXPECTED["words"])
        for one in told["found"]
    )


def plain(words: str) -> str:
    """A message without its numbers and names."""
    return re.sub(r"0x\w+|\d+|'[^']*'", "#", words)


if __name__ == "__main__":
    if "--attempt" in sys.argv:
        attempt("--verbose" in sys.argv)
    else:
        sys.exit(main())
