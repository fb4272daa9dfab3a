"""engine/recorded.json: what compiled engines of the demonstration models moved, by TensorRT version and precision."""

from __future__ import annotations

from typing import TypedDict


class RecordedBytes(TypedDict):
    """Bytes of all layers in one inference at the profile's opt, constants included."""

    fp16: int
    int8: int


class Recorded(TypedDict):
    """``bytes``: flavour and version -> model -> bytes; versions that compile no int8 without a GPU are absent."""

    bytes: dict[str, dict[str, RecordedBytes]]
