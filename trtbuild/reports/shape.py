"""Whether a document that somebody hands in is what it should be: the first place where it is not."""

from __future__ import annotations

from typing import Any

from trtbuild.base.printable import printable
from trtbuild.reports.compare import METRICS

TEXT, NUMBER, WHOLE, YES_NO = "text", "number", "whole number", "true or false"
MAYBE = "or null"
_TYPES: dict[str, tuple[type, ...]] = {TEXT: (str,), NUMBER: (int, float), WHOLE: (int,), YES_NO: (bool,)}


def fault(value: Any, shape: Any, place: str = "") -> str:
    """The first place that does not fit, and what was expected there; empty when all of it does.

    A shape is a name of a type; ``(shape, MAYBE)``; ``[shape]`` of every item; or a mapping of keys, where "*" is every
    key and a key that ends in "?" may be missing.  Keys that the shape does not name are free.

    >>> fault({"a": [1, "x"]}, {"a": [NUMBER], "b?": TEXT})
    'a[1]: expected number'
    """
    if isinstance(shape, tuple):
        return "" if value is None else fault(value, shape[0], place)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{place or 'document'}: expected a list"
        return next((found for i, v in enumerate(value) if (found := fault(v, shape[0], f"{place}[{i}]"))), "")
    if isinstance(shape, dict):
        return _fault_of_keys(value, shape, place)
    fits = isinstance(value, _TYPES[shape]) and (shape == YES_NO or not isinstance(value, bool))
    return "" if fits else f"{place or 'document'}: expected {shape}"


def _fault_of_keys(value: Any, shape: dict[str, Any], place: str) -> str:
    if not isinstance(value, dict):
        return f"{place or 'document'}: expected an object"
    for key, inner in shape.items():
        name = key.removesuffix("?")
        names = list(value) if name == "*" else [name]
        for found in names:
            here = f"{place}.{printable(found)}" if place else printable(found)
            if found in value:
                if said := fault(value[found], inner, here):
                    return said
            elif not key.endswith("?"):
                return f"{here}: missing"
    return ""


_NUMBERS = dict.fromkeys(("value", "low", "high"), (NUMBER, MAYBE))
_LAYER = {"name": TEXT, "path": TEXT, "index": WHOLE, "type": TEXT, "dtype": TEXT,
          "cumulative": {"total?": {"nrmse": (NUMBER, MAYBE), "nonfinite": WHOLE}}}  # fmt: skip
# What comparing reads of a report.json (reports/report.schema.json has all of it).
REPORT: dict[str, Any] = {
    "schema_version": WHOLE,
    "variant": {**dict.fromkeys(("id", "model", "precision", "tensorrt", "runtime", "target", "calibration"), TEXT),
                "source": TEXT, "opset": WHOLE},
    "verdict": {
        "passed": YES_NO, "word?": TEXT, "unjudged?": (TEXT, MAYBE), "thresholds?": WHOLE,
        "checks": {"*": {"observed": (NUMBER, MAYBE), "limit": NUMBER, "passed": YES_NO, "score?": NUMBER,
                         "higher_is_better?": YES_NO}},
    },
    "runtimes": {"*": {"runtime": TEXT, "version": TEXT, "executes": TEXT, "emulated": (TEXT, MAYBE),
                       "providers?": [TEXT]}},
    "samples": WHOLE,
    "outputs": {"*": {"hops": {"total": dict.fromkeys((f"{m}?" for m in METRICS), (NUMBER, MAYBE))}}},
    "engine": {"flavour": TEXT, "version": TEXT, "bytes": WHOLE, "sha256": TEXT, "onnx_sha256": TEXT, "tf32": YES_NO,
               "work_share": {"*": NUMBER}},
    "precision": {"calibration": ({"algorithm": TEXT, "samples": WHOLE, "sha256": TEXT}, MAYBE)},
    "latency?": ({"batch": WHOLE, "environment": {}, "sides": [{"name": TEXT, "measured": YES_NO,
                                                               "p50_ms?": (_NUMBERS, MAYBE)}]}, MAYBE),
    "layers?": ({"rows": [_LAYER], "jumps": {"*": [{"path": TEXT}]}}, MAYBE),
}  # fmt: skip
