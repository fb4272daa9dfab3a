"""Tests of config.pbtxt: in protobuf's text format, with Triton's fields and types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.bundle.triton import TYPES, config
from trtbuild.documents.bundle import InputFacts, TensorFacts

# The part of model_config.proto (triton-inference-server/common 83adf7c) that is used: name -> number, type.
MESSAGES = {
    "ModelConfig": {"max_batch_size": (4, "int32"), "input": (5, "*ModelInput"), "output": (6, "*ModelOutput"),
                    "instance_group": (7, "*ModelInstanceGroup"), "default_model_filename": (8, "string"),
                    "dynamic_batching": (11, "ModelDynamicBatching"), "backend": (17, "string")},
    "ModelInput": {"name": (1, "string"), "data_type": (2, "DataType"), "dims": (4, "*int64"),
                   "reshape": (5, "ModelTensorReshape")},
    "ModelOutput": {"name": (1, "string"), "data_type": (2, "DataType"), "dims": (3, "*int64"),
                    "reshape": (5, "ModelTensorReshape")},
    "ModelTensorReshape": {"shape": (1, "*int64")},
    "ModelInstanceGroup": {"count": (2, "int32"), "kind": (4, "Kind")},
    "ModelDynamicBatching": {"preferred_batch_size": (1, "*int32")},
}  # fmt: skip
ENUMS = {
    "DataType": ["TYPE_INVALID", "TYPE_BOOL", "TYPE_UINT8", "TYPE_UINT16", "TYPE_UINT32", "TYPE_UINT64", "TYPE_INT8",
                 "TYPE_INT16", "TYPE_INT32", "TYPE_INT64", "TYPE_FP16", "TYPE_FP32", "TYPE_FP64", "TYPE_STRING",
                 "TYPE_BF16"],
    "Kind": ["KIND_AUTO", "KIND_GPU", "KIND_CPU", "KIND_MODEL"],
}  # fmt: skip


def parsed(text: str) -> Any:
    """The message, by protobuf's own parser of the text format."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

    file = descriptor_pb2.FileDescriptorProto(name="config.proto", package="t", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, values in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            plain, label = kind.removeprefix("*"), kinds.LABEL_REPEATED if "*" in kind else kinds.LABEL_OPTIONAL
            made = message.field.add(name=field, number=number, label=label)
            if plain in ENUMS or plain in MESSAGES:
                made.type_name, made.type = f".t.{plain}", kinds.TYPE_ENUM if plain in ENUMS else kinds.TYPE_MESSAGE
            else:
                made.type = getattr(kinds, f"TYPE_{plain.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName("t.ModelConfig"))
    return text_format.Parse(text, kind())


def tensor(name: str, shape: Sequence[int], dtype: str = "float32", high: int = 8) -> Any:
    points = {point: [size if d < 0 else d for d in shape] for point, size in (("min", 1), ("opt", 4), ("max", high))}
    return {"name": name, "dtype": dtype, "shape": list(shape), "profile": points}


def made(inputs: Sequence[InputFacts], outputs: Sequence[TensorFacts], flavour: str = "tensorrt") -> Any:
    return parsed(config("m-fp16", flavour, inputs, outputs))


def test_a_dynamic_batch_is_tritons() -> None:
    """From the profile: at most its max, preferably its opt."""
    found = made([tensor("x", (-1, 4, 3))], [tensor("a", (-1, 2), "float16"), tensor("b", (-1,), "int64")])

    assert (found.max_batch_size, list(found.dynamic_batching.preferred_batch_size)) == (8, [4])
    assert [(each.name, list(each.dims)) for each in found.input] == [("x", [4, 3])]
    assert [(each.name, list(each.dims)) for each in found.output] == [("a", [2]), ("b", [1])]
    assert found.output[1].HasField("reshape") and not found.output[0].HasField("reshape")
    assert (found.backend, found.default_model_filename) == ("tensorrt", "model.plan")


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([tensor("x", (2, 4))], [tensor("y", (2, 4))]),
        ([tensor("x", (-1, 4))], [tensor("y", (4,))]),
        ([tensor("x", (-1, 4)), tensor("z", (-1,), high=2)], [tensor("y", (-1,))]),
        ([tensor("x", (-1, 4)), tensor("z", ())], [tensor("y", (-1,))]),
    ],
)
def test_what_is_no_batch_keeps_its_shape(inputs: list[InputFacts], outputs: list[TensorFacts]) -> None:
    """Static, or not the same in all tensors: Triton then passes shapes as they are."""
    found = made(inputs, outputs)

    assert found.max_batch_size == 0 and not found.HasField("dynamic_batching")
    assert [list(each.dims) or [1] for each in found.input] == [list(each["shape"]) or [1] for each in inputs]


def test_every_type_is_one_of_tritons() -> None:
    """And what Triton has no type for is refused."""
    found = made([tensor(name, (-1,), name) for name in TYPES], [tensor("y", (-1,))])

    assert len({each.data_type for each in found.input}) == len(TYPES)
    with pytest.raises(ConfigError, match="'x' is float8, which Triton has no type for"):
        config("m", "tensorrt", [tensor("x", (-1,), "float8")], [])


def test_names_are_escaped_and_another_library_is_named() -> None:
    """A name may have any character; the stock backend does not load RTX's plans."""
    name = 'a"b\\c\n: ü'
    assert made([tensor(name, (-1,))], [tensor("y", (-1,))], "tensorrt-rtx").input[0].name == name
    assert "TensorRT-RTX" in config("m", "tensorrt-rtx", [], [])
