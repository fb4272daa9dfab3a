"""config.pbtxt: a bundle as a model of a Triton repository, with dynamic batching from the engine's profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtbuild.base.errors import ConfigError
from trtbuild.documents.bundle import InputFacts, TensorFacts

PLAN, CONFIG = "1/model.plan", "config.pbtxt"
# Triton's names (model_config.proto, DataType); it has none for 8-bit floats.
TYPES: Mapping[str, str] = {
    "float32": "TYPE_FP32", "float16": "TYPE_FP16", "bfloat16": "TYPE_BF16", "float64": "TYPE_FP64",
    "int8": "TYPE_INT8", "uint8": "TYPE_UINT8", "int32": "TYPE_INT32", "int64": "TYPE_INT64", "bool": "TYPE_BOOL",
}  # fmt: skip
RTX_NOTE = (
    "its plan is TensorRT-RTX's, which Triton's stock tensorrt backend does not load: it needs one with that library"
)


def config(
    name: str, flavour: str, inputs: Sequence[InputFacts], outputs: Sequence[TensorFacts]
) -> str:  # fmt: skip
    """The text of config.pbtxt; the model has the name of its folder, which this file leaves open.

    Where every tensor has a dynamic first dimension, with the same profile for all inputs, it is Triton's batch.
    """
    batch = _batch(inputs, outputs)
    lines = [f"# {name}", *([f"# {RTX_NOTE}"] if flavour == "tensorrt-rtx" else [])]
    lines += ['backend: "tensorrt"', 'default_model_filename: "model.plan"']
    lines.append(f"max_batch_size: {batch[1] if batch else 0}")
    lines += _tensors("input", inputs, batched=batch is not None)
    lines += _tensors("output", outputs, batched=batch is not None)
    if batch is not None:
        lines += ["dynamic_batching {", f"  preferred_batch_size: [ {batch[0]} ]", "}"]
    lines += ["instance_group [", "  {", "    kind: KIND_GPU", "    count: 1", "  }", "]"]
    return "".join(f"{line}\n" for line in lines)


def _batch(inputs: Sequence[InputFacts], outputs: Sequence[TensorFacts]) -> tuple[int, int] | None:
    """(opt, max) of the batch; None where the first dimensions are not one batch for all, or begin above 1."""
    if not all(tensor["shape"][:1] == [-1] for tensor in (*inputs, *outputs)):
        return None
    points = {tuple(tensor["profile"][point][0] for point in ("min", "opt", "max")) for tensor in inputs}
    if len(points) != 1:
        return None
    ((low, opt, high),) = points
    return (opt, high) if low == 1 else None


def _tensors(key: str, tensors: Sequence[InputFacts] | Sequence[TensorFacts], *, batched: bool) -> list[str]:
    lines = [f"{key} ["]
    for i, tensor in enumerate(tensors):
        dims = tensor["shape"][1:] if batched else tensor["shape"]
        entry = [f'    name: "{_escaped(tensor["name"])}"', f"    data_type: {_type(tensor)}"]
        # Triton has no tensors without a dimension: [1], which it gives to the model as a scalar.
        entry.append(f"    dims: [ {', '.join(map(str, dims or [1]))} ]")
        entry += [] if dims else ["    reshape: { shape: [ ] }"]
        lines += ["  {", *entry, "  }," if i + 1 < len(tensors) else "  }"]
    return [*lines, "]"]


def _type(tensor: TensorFacts) -> str:
    if tensor["dtype"] not in TYPES:
        what = f"'{tensor['name']}' is {tensor['dtype']}, which Triton has no type for"
        raise ConfigError(what, where="--format triton", hint="choose --format dir or tar")
    return TYPES[tensor["dtype"]]


def _escaped(name: str) -> str:
    """A name in protobuf's text format: bytes beyond printable ASCII as octal escapes.

    >>> _escaped('a"b')
    'a\\\\"b'
    """
    plain = {ord('"'): '\\"', ord("\\"): "\\\\"}
    return "".join(plain.get(b, chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in name.encode())
