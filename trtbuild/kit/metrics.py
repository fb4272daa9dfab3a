"""Task metrics: how well outputs agree with labels.  A config may name any importable callable instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trtbuild.errors import ConfigError, DataError
from trtbuild.kit.callables import load_callable

Array = np.ndarray[Any, Any]


def mean_iou(output: Array, labels: Array) -> float:
    """Mean intersection over union over the classes that labels or predictions contain.

    ``output``: [..., classes] or [n, classes, ...] scores, or class indices of the labels' shape.
    """
    predicted = _classes(output, labels)
    classes = int(max(predicted.max(), labels.max())) + 1
    pairs = np.bincount(labels.ravel().astype(np.int64) * classes + predicted.ravel(), minlength=classes * classes)
    confusion = pairs.reshape(classes, classes)
    hit = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hit
    return float((hit[union > 0] / union[union > 0]).mean())


def top1(output: Array, labels: Array) -> float:
    """Share of samples whose highest score is at the label; ``output`` [n, classes], ``labels`` [n]."""
    return float((_classes(output, labels) == labels).mean())


def mse(output: Array, labels: Array) -> float:
    """Mean squared error; lower is better."""
    return float(np.square(output.astype(np.float64).reshape(labels.shape) - labels.astype(np.float64)).mean())


def _classes(output: Array, labels: Array) -> Array:
    if output.shape == labels.shape:
        return output.astype(np.int64)
    if output.shape[:-1] == labels.shape:
        return np.asarray(output.argmax(-1))
    if output.ndim > 1 and (output.shape[0], *output.shape[2:]) == labels.shape:
        return np.asarray(output.argmax(1))
    what = f"labels of shape {list(labels.shape)} do not fit an output of shape {list(output.shape)}"
    raise DataError(what, where="model.validation.task.labels")


BUILT_IN: dict[str, tuple[Callable[[Array, Array], float], bool]] = {
    "mean_iou": (mean_iou, True),
    "top1": (top1, True),
    "mse": (mse, False),
}


def score(task: Mapping[str, Any], outputs: Mapping[str, Array], labels: Array) -> float:
    """The task's metric of ``outputs``; an importable callable gets all outputs by name, and the labels."""
    name = task["metric"]
    if name not in BUILT_IN:
        value = load_callable(name, "model.validation.task.metric")(dict(outputs), labels)
        return float(value)
    chosen: str = task["output"] or (next(iter(outputs)) if len(outputs) == 1 else "")
    if chosen not in outputs:
        have = ", ".join(sorted(outputs))
        what = f"no output '{chosen}'" if chosen else "several outputs, so name one"
        raise ConfigError(what, where="model.validation.task.output", hint=f"the model has {have}")
    return BUILT_IN[name][0](outputs[chosen], labels)


def higher_is_better(task: Mapping[str, Any]) -> bool:
    name = task["metric"]
    return BUILT_IN[name][1] if name in BUILT_IN else bool(task["higher_is_better"])
