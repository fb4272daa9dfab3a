"""A layer in TensorRT's one-line text -> the same record as the inspector's JSON (``trtexec --exportLayerInfo``).

``Name: …, LayerType: …, Inputs: [ { Name: …, Dimensions: […], … }], Constants: […], Outputs: […], KEY: VALUE, …``
"""

from __future__ import annotations

import json
import re
from typing import Any

TENSORS = ("Inputs", "Constants", "Outputs")
_HEAD = re.compile(r"Name: (?P<name>.*?), LayerType: (?P<type>[^,\[\]{}]+)(?=, Inputs: \[)", re.DOTALL)
_FIELD = re.compile(r", (?P<key>[A-Za-z][\w/]*): ?")
_OBJECT = re.compile(r"\{ (?P<body>.*?) \}(?=, \{|\])", re.DOTALL)
_INTEGERS = re.compile(r"\[(?P<items>(?:-?\d+(?:, ?-?\d+)*)?)\]")
_INTEGER = re.compile(r"-?\d+")
# Layer(Kind): name, Tactic: 0x1, in[Float(1,3,8,8)] -> out[Int8(1,3,8,8)] up to 8.x; in (Float[1,3,8,8]) since;
# 32:8 are 32 channels in vectors of 8.
_SHORT = re.compile(
    r"Layer\((?P<type>\w+)\): (?P<name>.*), Tactic: (?P<tactic>[^,\s]*), ?(?P<ins>.*?) ?-> (?P<outs>.*)$"
)
_DIMS = r"(?:-?\d+(?::\d+)?(?:,-?\d+(?::\d+)?)*)?"
_SHORT_TENSOR = re.compile(
    rf"(?P<name>.+?)(?:\[(?P<type>\w+)[(\[](?P<dims>{_DIMS})[)\]]\]| \((?P<since>\w+)\[(?P<sizes>{_DIMS})\]\))(?:, |$)"
)


class NotUnderstood(ValueError):
    """The text has another form; the message says where it stops being understood."""


def layer(text: str) -> dict[str, Any]:
    """The record of one layer's text; raises NotUnderstood."""
    head = _HEAD.match(text)
    if head is None:
        raise NotUnderstood("it does not begin with Name, LayerType and Inputs")
    found: dict[str, Any] = {"Name": head["name"], "LayerType": head["type"]}
    at = head.end()
    while at < len(text):
        field = _FIELD.match(text, at)
        if field is None:
            raise NotUnderstood(f"unexpected {text[at : at + 30]!r}")
        key, at = field["key"], field.end()
        if key in found:
            raise NotUnderstood(f"{key} stands twice")
        if key == "Metadata":  # names of nodes, free text to the end
            return {**found, key: text[at:]}
        found[key], at = _tensors(text, at, key) if key in TENSORS else _value(text, at)
    return found


def _tensors(text: str, at: int, key: str) -> tuple[list[dict[str, Any]], int]:
    if not text.startswith("[", at):
        raise NotUnderstood(f"{key} is not a list")
    at += 1
    made: list[dict[str, Any]] = []
    while True:
        while text.startswith((" ", ","), at):
            at += 1
        if text.startswith("]", at):
            return made, at + 1
        found = _OBJECT.match(text, at)
        if found is None:
            raise NotUnderstood(f"{key} has an entry without an end")
        made.append(record(found["body"]))
        at = found.end()


def record(body: str) -> dict[str, Any]:
    """``Name: a, Dimensions: [1,2], Datatype: Half`` as a mapping; raises NotUnderstood."""
    fields: dict[str, Any] = {}
    at, text = 0, f", {body}"
    while at < len(text):
        field = _FIELD.match(text, at)
        if field is None or field["key"] in fields:
            raise NotUnderstood(f"unexpected {text[at : at + 30]!r} in a tensor")
        fields[field["key"]], at = (_text if field["key"] == "Name" else _value)(text, field.end())
    if "Name" not in fields:
        raise NotUnderstood("a tensor without a name")
    return fields


def _value(text: str, at: int) -> tuple[Any, int]:
    """A value: integers, JSON, or text up to the next key."""
    numbers = _INTEGERS.match(text, at)
    if numbers is not None and _ends(text, numbers.end()):
        return [int(number) for number in _INTEGER.findall(numbers["items"])], numbers.end()
    if text.startswith('{"', at):
        try:
            made, end = json.JSONDecoder().raw_decode(text, at)
        except ValueError:
            raise NotUnderstood(f"unexpected {text[at : at + 30]!r}") from None
        return made, end
    value, end = _text(text, at)
    return int(value) if _INTEGER.fullmatch(value) else value, end


def _text(text: str, at: int) -> tuple[str, int]:
    following = _FIELD.search(text, at)
    end = len(text) if following is None else following.start()
    return text[at:end], end


def _ends(text: str, at: int) -> bool:
    return at == len(text) or _FIELD.match(text, at) is not None


def short_layer(text: str) -> dict[str, Any]:
    """The short form, which has types and shapes but neither layouts nor nodes.

    Raises:
        NotUnderstood: the text has another form.
    """
    found = _SHORT.search(text)
    if found is None:
        raise NotUnderstood("it is not 'Layer(KIND): NAME, Tactic: …, INPUTS -> OUTPUTS'")
    return {
        "Name": found["name"],
        "LayerType": found["type"],
        "Inputs": _short_tensors(found["ins"]),
        "Outputs": _short_tensors(found["outs"]),
        "TacticValue": found["tactic"],
    }


def _short_tensors(text: str) -> list[dict[str, Any]]:
    made, at = [], 0
    text = text.strip()
    while at < len(text):
        found = _SHORT_TENSOR.match(text, at)
        if found is None:
            raise NotUnderstood(f"unexpected {text[at : at + 30]!r} among the tensors")
        dims = found["dims"] or found["sizes"] or ""
        sizes = [max(int(size.partition(":")[0]), -1) for size in dims.split(",") if size]
        made.append({"Name": found["name"], "Dimensions": sizes, "Format/Datatype": found["type"] or found["since"]})
        at = found.end()
    return made
