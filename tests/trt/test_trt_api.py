"""Proof without a GPU: what our code uses of TensorRT, to build and to execute, exists in every declared version.

The bindings on the package index need nine symbols of three libraries to be imported; stubs of them are linked here.
TensorRT-RTX is asked itself.
What is used is read from the code's syntax tree.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import trtbuild
from trtbuild import toolchains
from trtbuild.base.errors import ToolchainError
from trtbuild.core.parse import parse
from trtbuild.core.spec.engine import Toolchain
from trtbuild.store.tracking import read_yaml
from trtbuild.toolchains import uvenv
from trtbuild.toolchains.request import ToolchainRequest, cache

PACKAGE = Path(trtbuild.__path__[0])
SOURCES = [PACKAGE / "trt" / name for name in ("api.py", "callbacks.py", "network.py", "trtlog.py")]
SOURCES += [PACKAGE / "runtimes" / "tensorrt.py", PACKAGE / "loader" / "device.py"]
CONF = {path.stem: read_yaml(path) for path in sorted((PACKAGE.parent / "conf" / "tensorrt").glob("*.yaml"))}
VERSIONS = [name for name, spec in CONF.items() if spec["flavour"] == "tensorrt"]

# What a variable of that name holds.  A name that is in neither table fails the test.
HOLDS = {
    "builder": "Builder", "network": "INetworkDefinition", "parser": "OnnxParser", "error": "ParserError",
    "config": "IBuilderConfig", "timing_cache": "ITimingCache", "layer": "ILayer", "maker": "ILayer",
    "tensor": "ITensor", "t": "ITensor", "runtime": "Runtime", "engine": "ICudaEngine", "inspector": "EngineInspector",
    "context": "IExecutionContext",
}  # fmt: skip
GIVES = {"get_input": "ITensor", "get_output": "ITensor", "get_layer": "ILayer"}
NOT_TENSORRT = {
    "_DTYPES", "_NODE", "_allocator", "_cuda", "_log", "_session", "array", "ast", "binding", "buffer", "buffers",
    "callbacks", "capability", "cc", "complaints", "ctypes", "cuda", "device", "dtype", "errors", "file", "found",
    "gpu", "host", "json", "api", "known", "layers", "levels", "log", "makers", "message", "metadata", "ml_dtypes",
    "name", "names", "np", "options", "os", "parsed", "path", "plan", "profile", "raised", "re", "refusal", "result",
    "runs", "seen", "self", "session", "severities", "text", "time", "trtlog", "types", "util", "wanted",
    "warnings", "watcher",
}  # fmt: skip

STUBS = """
void *createInferBuilder_INTERNAL(void *logger, int version) { return 0; }
void *createInferRefitter_INTERNAL(void *engine, void *logger, int version) { return 0; }
void *createInferRuntime_INTERNAL(void *logger, int version) { return 0; }
void *createNvOnnxParserRefitter_INTERNAL(void *refitter, void *logger, int version) { return 0; }
void *createNvOnnxParser_INTERNAL(void *network, void *logger, int version) { return 0; }
void *getBuilderPluginRegistry(int capability) { return 0; }
int getNvOnnxParserVersion(void) { return 0; }
void *getPluginRegistry(void) { return 0; }
int initLibNvInferPlugins(void *logger, const char *name) { return 1; }
"""
LOOK = """
import json, sys
from importlib import import_module
module = import_module(sys.argv[1])

def there(dotted):
    if "!" in dotted:
        name, method = dotted.split("!")
        cls = getattr(module, name)
        return hasattr(cls, method) or "def " + method + "(" in (cls.__doc__ or "")
    found = module
    for part in dotted.split("."):
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True

print(json.dumps([module.__version__, [name for name in json.load(sys.stdin) if not there(name)]]))
"""


def used(source: str) -> Iterator[str]:
    """Dotted names below the module: ``BuilderFlag.TF32``, ``ILayer.metadata``; unknown receivers as ``?name.attr``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and ast.unparse(node.bases[0] if node.bases else node).startswith("trt."):
            # What TensorRT calls: its classes have no such attribute, but their documentation shows the methods.
            base_class = ast.unparse(node.bases[0]).removeprefix("trt.")
            methods = [f.name for f in node.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("__")]
            yield from (f"{base_class}!{name}" for name in methods)
        if not isinstance(node, ast.Attribute) or node.attr.startswith("__"):
            continue
        base = node.value
        dotted = ast.unparse(node)
        if dotted.startswith("trt."):
            yield dotted.removeprefix("trt.")
        elif isinstance(base, ast.Call):
            gives = GIVES.get(base.func.attr) if isinstance(base.func, ast.Attribute) else None
            if gives:
                yield f"{gives}.{node.attr}"
        elif isinstance(base, (ast.Name, ast.Attribute)):
            last = base.id if isinstance(base, ast.Name) else base.attr
            if last in HOLDS:
                yield f"{HOLDS[last]}.{node.attr}"
            elif last not in NOT_TENSORRT:
                yield f"?{dotted}"


# What the C++ loader uses, by the names that the bindings have for it.
CPP_SOURCE = (PACKAGE / "loader" / "cpp" / "tensorrt_runtime.cpp").read_text("utf-8")
CPP = {
    "createInferRuntime": "Runtime", "setEngineHostCodeAllowed": "Runtime.engine_host_code_allowed",
    "deserializeCudaEngine": "Runtime.deserialize_cuda_engine",
    "createExecutionContext": "ICudaEngine.create_execution_context", "getNbIOTensors": "ICudaEngine.num_io_tensors",
    "getIOTensorName": "ICudaEngine.get_tensor_name", "getTensorIOMode": "ICudaEngine.get_tensor_mode",
    "getTensorLocation": "ICudaEngine.get_tensor_location", "getTensorDataType": "ICudaEngine.get_tensor_dtype",
    "getTensorShape": "IExecutionContext.get_tensor_shape", "setInputShape": "IExecutionContext.set_input_shape",
    "setTensorAddress": "IExecutionContext.set_tensor_address", "enqueueV3": "IExecutionContext.execute_async_v3",
}  # fmt: skip
CPP_TYPES = {"Dims", "ICudaEngine", "IExecutionContext", "ILogger", "IRuntime"}


def used_in_cpp() -> Iterator[str]:
    """Calls of TensorRT's objects and functions, and members of its enumerations, as the bindings name them."""
    for call in re.findall(r"(?:runtime|engine_?|context_)->(\w+)\(|nvinfer1::(\w+)\(", CPP_SOURCE):
        yield CPP.get("".join(call), f"?{''.join(call)}")
    for kind, member in re.findall(r"nvinfer1::(\w+)::k(\w+)", CPP_SOURCE):
        yield f"{kind}.{member}"
    for name in re.findall(r"nvinfer1::(\w+)\b(?!::|\()", CPP_SOURCE):
        if name not in CPP_TYPES | {"DataType"}:
            yield f"?{name}"


USED = sorted({name for path in SOURCES for name in used(path.read_text("utf-8"))} | set(used_in_cpp()))


def test_what_the_code_uses_is_known_by_its_receivers() -> None:
    """Nothing escapes the proof: every receiver is one of TensorRT's classes or known not to be."""
    assert [name for name in USED if name.startswith("?")] == []
    assert {"BuilderFlag.TF32", "ILayer.metadata", "OnnxParser.parse", "Builder.build_serialized_network",
            "ITimingCache.serialize", "EngineInspector.get_engine_information", "IExecutionContext.execute_async_v3",
            "ICudaEngine.get_tensor_profile_shape", "IProfiler!report_layer_time", "DataType.FP8"} <= set(USED)
    assert set(CPP.values()) <= set(used_in_cpp())  # fmt: skip


def test_polygraphy_has_the_arguments_that_are_given_to_it() -> None:
    """Its loaders take keywords; a misspelt one would show on a GPU only."""
    import inspect

    from polygraphy.backend.tensorrt_rtx.config import CreateConfigRTX
    from polygraphy.backend.trt import CreateConfig, CreateNetwork, Profile

    known = {"CreateConfig": CreateConfig, "CreateConfigRTX": CreateConfigRTX, "create_network": CreateNetwork,
             "profile.add": Profile.add}  # fmt: skip
    common = set(inspect.signature(CreateConfig.__mro__[1].__init__).parameters)
    calls = [n for n in ast.walk(ast.parse(SOURCES[0].read_text("utf-8"))) if isinstance(n, ast.Call)]
    checked = [call for call in calls if ast.unparse(call.func) in known]

    for call in checked:
        takes = set(inspect.signature(known[ast.unparse(call.func)]).parameters) | common
        assert {keyword.arg for keyword in call.keywords} <= takes
    assert {ast.unparse(call.func) for call in checked} == set(known)


@pytest.fixture(scope="module", params=VERSIONS)
def bindings(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """The declared version, and a folder with its real bindings beside stubs; downloaded once for each user."""
    version = CONF[request.param]["version"]
    own = next(r for r in CONF[request.param]["requirements"] if r.startswith("tensorrt-"))
    folder = cache().with_name("bindings") / f"{own}-{sys.implementation.cache_tag}"
    if not (folder / "tensorrt_bindings").is_dir():
        wheel = own.replace("==", "-bindings==")
        argv = [uvenv.uv_program(), "pip", "install", "-q", "--no-deps", "--only-binary", ":all:",
                "--python", sys.executable, "--target", str(folder), wheel]  # fmt: skip
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"{wheel} cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
    (folder / "stubs.c").write_text(STUBS, "utf-8")
    for name in ("nvinfer", "nvonnxparser", "nvinfer_plugin"):
        library = folder / f"lib{name}.so.{version.partition('.')[0]}"
        try:
            subprocess.run(["cc", "-shared", "-fPIC", "-o", library, folder / "stubs.c"], check=True)
        except FileNotFoundError:
            pytest.skip("no C compiler here to make the stubs with")
    return version, folder


@pytest.mark.slow
def test_every_version_has_all_that_is_used(bindings: tuple[str, Path]) -> None:
    """Classes, enumeration members, methods and attributes."""
    version, folder = bindings
    environment = os.environ | {"LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(folder)}
    asked = json.dumps([*USED, "Builder.no_such_method"])

    argv = [sys.executable, "-c", LOOK, "tensorrt_bindings"]
    done = subprocess.run(argv, input=asked, capture_output=True, text=True, env=environment)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [version, ["Builder.no_such_method"]]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(name for name, spec in CONF.items() if spec["flavour"] == "tensorrt-rtx"))
def test_every_rtx_version_has_all_that_is_used_there(name: str) -> None:
    """The real packages, libraries and all."""
    spec = CONF[name]
    toolchain = parse(Toolchain, spec, "tensorrt")
    want = ToolchainRequest(toolchain.flavour, toolchain.version, toolchain.requirements, name)
    try:
        python = toolchains.interpreter(want)
    except ToolchainError as error:
        pytest.skip(str(error))
    asked = json.dumps([*USED, "Builder.no_such_method"])

    done = subprocess.run([python, "-c", LOOK, "tensorrt_rtx"], input=asked, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    version, missing = json.loads(done.stdout)
    assert (version, missing) == (spec["version"], ["Builder.no_such_method"])
