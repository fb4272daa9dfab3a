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
    if output.size != labels.size:
        raise _misfit(output, labels)
    return float(np.square(output.astype(np.float64).reshape(labels.shape) - labels.astype(np.float64)).mean())


def _classes(output: Array, labels: Array) -> Array:
    """Predicted class of every label; labels that no class of the output can match are an error, not a miss."""
    if output.shape == labels.shape:
        predicted, classes = output.astype(np.int64), None
    elif output.shape[:-1] == labels.shape:
        predicted, classes = np.asarray(output.argmax(-1)), output.shape[-1]
    elif output.ndim > 1 and (output.shape[0], *output.shape[2:]) == labels.shape:
        predicted, classes = np.asarray(output.argmax(1)), output.shape[1]
    else:
        raise _misfit(output, labels)
    if labels.min() < 0 or (classes is not None and labels.max() >= classes):
        what = f"labels reach from {labels.min()} to {labels.max()}, the output has {classes or 'no negative'} classes"
        hint = "model.validation.task.ignore_label leaves one value out"
        raise DataError(what, where="model.validation.task.labels", hint=hint)
    return predicted


def _misfit(output: Array, labels: Array) -> DataError:
    what = f"labels of shape {list(labels.shape)} do not fit an output of shape {list(output.shape)}"
    return DataError(what, where="model.validation.task.labels")


BUILT_IN: dict[str, tuple[Callable[[Array, Array], float], bool]] = {
    "mean_iou": (mean_iou, True),
    "top1": (top1, True),
    "mse": (mse, False),
}


def score(task: Mapping[str, Any], outputs: Mapping[str, Array], labels: Array) -> float:
    """The task's metric of ``outputs``; an importable callable gets all outputs by name, and the labels."""
    name = task["metric"]
    if name not in BUILT_IN:
        metric = load_callable(name, "model.validation.task.metric")
        where = f"model.validation.task.metric: {name}"
        try:
            value = float(metric(dict(outputs), labels))
        except MemoryError:
            raise
        except Exception as error:  # the user's own code
            raise ConfigError(f"the metric failed: {type(error).__name__}: {error}", where=where) from error
        if not np.isfinite(value):
            raise ConfigError(f"the metric returned {value}", where=where)
        return value
    chosen: str = task["output"] or (next(iter(outputs)) if len(outputs) == 1 else "")
    if chosen not in outputs:
        have = ", ".join(sorted(outputs))
        what = f"no output '{chosen}'" if chosen else "several outputs, so name one"
        raise ConfigError(what, where="model.validation.task.output", hint=f"the model has {have}")
    built_in, output = BUILT_IN[name][0], outputs[chosen]
    ignored = task.get("ignore_label")
    if ignored is None:
        return built_in(output, labels)
    kept = labels != ignored
    if not kept.any():
        raise DataError(f"every label is {ignored}, which does not count", where="model.validation.task.ignore_label")
    if built_in is not mse:
        return built_in(_classes(output, np.where(kept, labels, 0))[kept], labels[kept])
    if output.size != labels.size:
        raise _misfit(output, labels)
    return mse(output.reshape(labels.shape)[kept], labels[kept])


def higher_is_better(task: Mapping[str, Any]) -> bool:
    name = task["metric"]
    return BUILT_IN[name][1] if name in BUILT_IN else bool(task["higher_is_better"])
