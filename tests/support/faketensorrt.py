"""Not TensorRT: as much of its interface as running an engine takes, over an "engine" that copies inputs to outputs.

A plan is JSON: ``{"inputs": {name: {"dtype", "profile": [min, opt, max]}}, "outputs": {name: {"of": input, "rows"}}}``;
``rows``: so many of the input's rows come out, as an output whose shape is known after the run alone.
"""

from __future__ import annotations

import ctypes
import json
from enum import Enum
from types import SimpleNamespace
from typing import Any

__version__ = "10.0.0"
SIZES = {"FLOAT": 4, "HALF": 2, "BF16": 2, "INT8": 1, "INT32": 4, "INT64": 8, "BOOL": 1, "UINT8": 1, "INT4": 0.5}
DataType = Enum("DataType", list(SIZES))
TensorIOMode = Enum("TensorIOMode", ["NONE", "INPUT", "OUTPUT"])
TensorLocation = Enum("TensorLocation", ["DEVICE", "HOST"])
LayerInformationFormat = Enum("LayerInformationFormat", ["ONELINE", "JSON"])


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO = range(4)

    def __init__(self) -> None:
        pass


class IProfiler:
    def __init__(self) -> None:
        pass


class IOutputAllocator:
    def __init__(self) -> None:
        pass


class Runtime:
    def __init__(self, log: Any) -> None:
        self.log = log

    def deserialize_cuda_engine(self, plan: bytes) -> Any:
        try:
            return Engine(json.loads(plan))
        except ValueError:
            self.log.log(ILogger.ERROR, "the plan is damaged")
            return None


class Engine:
    def __init__(self, plan: Any) -> None:
        self.plan, self.tensors = plan, {**plan["inputs"], **plan["outputs"]}
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        return list(self.tensors)[index]

    def get_tensor_mode(self, name: str) -> Any:
        return TensorIOMode.INPUT if name in self.plan["inputs"] else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        source = self.tensors[name].get("of", name)
        return DataType[self.plan["inputs"][source]["dtype"]]

    def get_tensor_location(self, name: str) -> Any:
        return TensorLocation.DEVICE

    def get_tensor_shape(self, name: str) -> Any:
        low, _, high = self.tensors[self.tensors[name].get("of", name)]["profile"]
        return tuple(a if a == b else -1 for a, b in zip(low, high, strict=True))

    def get_tensor_profile_shape(self, name: str, profile: int) -> Any:
        return self.tensors[name]["profile"]

    def create_execution_context(self) -> Any:
        return Context(self)

    def create_engine_inspector(self) -> Any:
        layers = [{"Name": "copy", "LayerType": "Copy", "Metadata": "[ONNX Layer: Relu_1]"}, {"Name": "copy"}]
        return SimpleNamespace(get_engine_information=lambda form: json.dumps({"Layers": layers}))


class Context:
    def __init__(self, engine: Engine) -> None:
        self.engine, self.profiler = engine, None
        self.shapes: dict[str, Any] = {}
        self.addresses: dict[str, int] = {}
        self.allocators: dict[str, Any] = {}
        self.cuda = ctypes.CDLL("libcuda.so.1")

    def set_input_shape(self, name: str, shape: Any) -> bool:
        low, _, high = self.engine.tensors[name]["profile"]
        fits = len(shape) == len(low) and all(a <= n <= b for a, n, b in zip(low, shape, high, strict=True))
        if fits:
            self.shapes[name] = shape
        return fits

    def infer_shapes(self) -> list[str]:
        return [name for name in self.engine.plan["inputs"] if name not in self.shapes]

    def get_tensor_shape(self, name: str) -> Any:
        tensor = self.engine.tensors[name]
        whole = self.shapes[tensor.get("of", name)]
        return (-1, *whole[1:]) if "rows" in tensor else whole

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def set_output_allocator(self, name: str, allocator: Any) -> bool:
        self.allocators[name] = allocator
        return True

    def execute_async_v3(self, stream: int) -> bool:
        for name, tensor in self.engine.plan["outputs"].items():
            shape = list(self.shapes[tensor["of"]])
            shape[0] = min(shape[0], tensor.get("rows", shape[0]))
            size = SIZES[self.engine.get_tensor_dtype(name).name]
            for n in shape:
                size *= n
            if name in self.allocators:
                allocator = self.allocators[name]
                self.addresses[name] = allocator.reallocate_output_async(name, 0, int(size), 256, stream)
                allocator.notify_shape(name, tuple(shape))
            status = self.cuda.cuMemcpyDtoDAsync_v2(
                ctypes.c_uint64(self.addresses[name]), ctypes.c_uint64(self.addresses[tensor["of"]]),
                ctypes.c_size_t(int(size)), ctypes.c_void_p(stream),
            )  # fmt: skip
            if status:
                return False
            if self.profiler is not None:
                for ms in (0.25, 0.5):  # two layers of one name
                    self.profiler.report_layer_time("copy", ms)
        return True
