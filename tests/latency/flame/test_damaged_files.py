"""Tests of files that were damaged on their way: flame graphs of what can be read, or one line, and no other error."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtbuild.base.errors import ConfigError
from trtbuild.latency.flame import flame_graph, read_layers, read_profile, read_scopes

TRACE = {
    "traceEvents": [
        {"cat": "Session", "name": "model_run", "ph": "X", "ts": 0, "dur": 9, "tid": 1},
        {"cat": "Node", "name": "a_kernel_time", "ph": "X", "ts": 1, "dur": 3, "tid": 1, "args": {"op_name": "Conv"}},
        {"cat": "Node", "name": "b_kernel_time", "ph": "X", "ts": 5, "dur": 3, "tid": 1, "args": {"node_index": "2"}},
    ]
}
TRTEXEC = [{"count": 5}, {"name": "a + b", "timeMs": 1.0, "averageMs": 0.2, "medianMs": 0.2, "percentage": 100.0}]
SAMPLES = {"a": [1.0, 2.0], "b": [0.5, 0.25]}
RUNS = [[["a", 1.0], ["b", 2.0]], [["a", 1.5], ["b", 2.5]]]
LAYERS = {"Layers": [{"Name": "a + b", "LayerType": "Convolution", "Outputs": [{"Name": "y", "Dimensions": [1, 8]}],
                      "Inputs": [{"Name": "x", "Dimensions": [1, 3]}], "Weights": {"Count": 24}, "OutMaps": 8,
                      "Metadata": "[ONNX Layer: a]", "StreamId": 0}]}  # fmt: skip
SCOPES = {
    "nodes": {"a": {"op": "net/a", "type": "Conv2D", "name": "net/a/Conv", "scope": "net/a", "members": [{"op": "m"}]}},
    "tensors": {"x": {"tensor": "net/a:0"}},
}
WRONG = st.sampled_from([None, True, 5, -1, 1.5, "", "text", [], [1], {}, {"a": 1}, [[]], 10**400, float("nan")])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every value in a document, by the keys that lead to it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def damaged(data: st.DataObject, document: Any) -> Any:
    """Some of its values replaced by others, left out, or under another key."""
    made = {"": json.loads(json.dumps(document))}
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = ("", *data.draw(st.sampled_from(places(made[""]))))
        holder: Any = made
        for key in way:
            holder = holder[key]
        how = data.draw(st.sampled_from(["replace", "leave out", "rename"]))
        if how == "replace" or (last == "" and holder is made):
            holder[last] = copy.deepcopy(data.draw(WRONG))
        else:
            value = holder.pop(last)
            if how == "rename" and isinstance(holder, dict):
                holder[f"{last}'"] = value
    return made[""]


def written(folder: str, name: str, document: Any) -> Path:
    path = Path(folder, name)
    path.write_text(json.dumps(document), "utf-8")
    return path


@pytest.mark.parametrize("form", [TRACE, TRTEXEC, SAMPLES, RUNS], ids=["trace", "trtexec", "samples", "runs"])
@given(data=st.data())
def test_a_damaged_profile_is_read_or_named(form: Any, data: st.DataObject) -> None:
    """Of every form."""
    with TemporaryDirectory() as folder, contextlib.suppress(ConfigError):
        flame_graph(read_profile(written(folder, "profile.json", damaged(data, form))), None, None)


@pytest.mark.parametrize("which", ["layers", "scopes"])
@given(data=st.data())
def test_damaged_layers_and_scopes_are_read_or_named(which: str, data: st.DataObject) -> None:
    """Beside a profile that is right."""
    with TemporaryDirectory() as folder, contextlib.suppress(ConfigError):
        layers = written(folder, "layers.json", damaged(data, LAYERS) if which == "layers" else LAYERS)
        scopes = written(folder, "scopes.json", damaged(data, SCOPES) if which == "scopes" else SCOPES)
        flame_graph(read_profile(TRTEXEC), read_layers(layers), read_scopes(scopes))


def test_a_trace_event_without_a_name_is_named() -> None:
    """By its number."""
    with pytest.raises(ConfigError, match=r"event 1 \('None'\): expected a name"):
        read_profile({"traceEvents": [{"ph": "X", "name": "k", "ts": 1, "dur": 3}, {"ph": "X", "ts": 5, "dur": 3}]})
