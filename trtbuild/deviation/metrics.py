"""Task metrics: how well outputs agree with labels.  A config may name any importable callable instead.

Labels are checked before anything is computed from them (``class_labels``): a score from labels that mean something
else looks like any other score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from trtbuild.arrays.arrayfile import Array
from trtbuild.base.callables import calling, load_callable
from trtbuild.base.errors import ConfigError, DataError
from trtbuild.core.spec.validation import BUILT_IN as NAMES

WHERE = "model.validation.task.labels"
GUESSES = 1.645  # standard deviations: 95 % of random guesses score less


def mean_iou(output: Array, labels: Array) -> float:
    """Mean intersection over union, averaged over the classes that labels or predictions contain.

    ``output``: [..., classes] or [n, classes, ...] scores, or class indices of the labels' shape.
    """
    return _mean_iou(*_classes(output, labels))


def top1(output: Array, labels: Array) -> float:
    """Share of samples whose highest score is at the label; ``output`` [n, classes], ``labels`` [n]."""
    return _top1(*_classes(output, labels))


def mse(output: Array, labels: Array) -> float:
    """Mean squared error; lower is better."""
    return _mse(*_values(output, labels))


def _mean_iou(predicted: Array, labels: Array) -> float:
    classes = int(max(predicted.max(), labels.max())) + 1
    pairs = np.bincount(labels.ravel() * classes + predicted.ravel(), minlength=classes * classes)
    confusion = pairs.reshape(classes, classes)
    hit = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hit
    return float((hit[union > 0] / union[union > 0]).mean())


def _top1(predicted: Array, labels: Array) -> float:
    return float((predicted == labels).mean())


def _mse(output: Array, labels: Array) -> float:
    return float(np.square(output.astype(np.float64) - labels.astype(np.float64)).mean())


def _classes(output: Array, labels: Array, ignored: int | None = None) -> tuple[Array, Array]:
    """Predicted class and label of every element that counts, as arrays of the same shape.

    Raises:
        DataError: a label is not a class of this output; each would count as a miss.
    """
    labels, axis = class_labels(output, labels)
    if axis is not None:
        predicted, classes = np.asarray(output.argmax(axis)), output.shape[axis]
    elif output.dtype.kind in "iub" or _whole(output):
        predicted, classes = output.astype(np.int64), None
    else:
        hint = "give an output with a score for each class, or a metric of your own for a single score"
        what = f"an output of the labels' shape {list(labels.shape)} holds classes, but this one has fractions"
        raise DataError(what, where="model.validation.task.output", hint=hint)
    if ignored is not None:
        kept = labels != ignored
        if not kept.any():
            raise DataError(
                f"every label is {ignored}, which does not count", where="model.validation.task.ignore_label"
            )
        predicted, labels = predicted[kept], labels[kept]
    if not labels.size:
        raise DataError("there are no labels", where=WHERE)
    if labels.min() < 0 or (classes is not None and labels.max() >= classes):
        what = f"labels range from {labels.min()} to {labels.max()}, the output has {classes or 'no negative'} classes"
        hint = "model.validation.task.ignore_label leaves one value out"
        raise DataError(what, where=WHERE, hint=hint)
    return predicted, labels


def class_labels(output: Array, labels: Array) -> tuple[Array, int | None]:
    """Labels as class indices, and the axis of the output's scores: None where it holds classes itself.

    Class indices may be stored as floats that are whole numbers; one-hot labels (in the scores' shape, with a single 1
    along the class axis and 0 elsewhere) are read as the class of their 1.

    Raises:
        DataError: NaN, fractions (soft labels), or a shape that fits neither form.
    """
    if labels.dtype.kind == "f":
        _refuse_nonfinite(labels)
    if output.shape == labels.shape and output.dtype.kind == "f" and output.ndim > 1:
        axes = [axis for axis in dict.fromkeys((output.ndim - 1, 1)) if _one_hot(labels, axis)]
        if axes:
            return labels.argmax(axes[0]).astype(np.int64), axes[0]
    _refuse_fractions(labels)
    if output.shape == labels.shape:
        return labels.astype(np.int64), None
    if output.shape[:-1] == labels.shape:
        return labels.astype(np.int64), output.ndim - 1
    if output.ndim > 1 and (output.shape[0], *output.shape[2:]) == labels.shape:
        return labels.astype(np.int64), 1
    raise _misfit(output, labels)


def _one_hot(labels: Array, axis: int) -> bool:
    return labels.shape[axis] > 1 and bool(
        np.isin(labels, (0, 1)).all() and (np.count_nonzero(labels, axis=axis) == 1).all()
    )


def _whole(values: Array) -> bool:
    return bool(np.isfinite(values).all() and (values == np.round(values)).all())


def _refuse_nonfinite(labels: Array) -> None:
    bad = labels.size - int(np.isfinite(labels).sum())
    if bad:
        what = f"{bad} of {labels.size} labels are NaN or infinite"
        raise DataError(
            what, where=WHERE, hint="mark elements that do not count with a number: model.validation.task.ignore_label"
        )


def _refuse_fractions(labels: Array) -> None:
    if labels.dtype.kind == "f" and not _whole(labels):
        odd = labels[labels != np.round(labels)].ravel()[0]
        hint = "give class indices, such as numpy.argmax(labels, axis=-1), or one-hot labels"
        raise DataError(f"labels are not classes: one of them is {odd:g}", where=WHERE, hint=hint)


def _values(output: Array, labels: Array, ignored: float | None = None) -> tuple[Array, Array]:
    """Both sides of a regression in the same shape; axes of length 1 do not count."""
    if labels.dtype.kind == "f":
        _refuse_nonfinite(labels)
    if [n for n in output.shape if n != 1] != [n for n in labels.shape if n != 1]:
        raise _misfit(output, labels)
    output = output.reshape(labels.shape)
    if ignored is None:
        return output, labels
    kept = labels != ignored
    if not kept.any():
        raise DataError(f"every label is {ignored}, which does not count", where="model.validation.task.ignore_label")
    return output[kept], labels[kept]


def _misfit(output: Array, labels: Array) -> DataError:
    what = f"labels of shape {list(labels.shape)} do not fit an output of shape {list(output.shape)}"
    return DataError(what, where=WHERE)


Pair = Callable[[Array, Array], float]
_BY_CLASSES: Mapping[str, Pair] = {"mean_iou": _mean_iou, "top1": _top1}


def score(task: Mapping[str, Any], outputs: Mapping[str, Array], labels: Array) -> float:
    """The task's metric of ``outputs``, NaN where it is undefined; a callable gets all outputs by name, and the labels.

    Raises:
        DataError: the metric cannot read the labels.  ConfigError: there is no such output, or the callable failed.
    """
    name = task["metric"]
    if name not in NAMES:
        metric = load_callable(name, "model.validation.task.metric")
        where = f"model.validation.task.metric: {name}"
        try:
            with calling(name):
                return float(metric(dict(outputs), labels))
        except MemoryError:
            raise
        except Exception as error:  # the user's own code
            raise ConfigError(f"the metric failed: {type(error).__name__}: {error}", where=where) from error
    output = outputs[chosen(task, outputs)]
    if name in _BY_CLASSES:
        return _BY_CLASSES[name](*_classes(output, labels, task.get("ignore_label")))
    return _mse(*_values(output, labels, task.get("ignore_label")))


def chosen(task: Mapping[str, Any], outputs: Mapping[str, Array]) -> str:
    """The output that the task scores; raises ConfigError if there is none, or several and none is named."""
    name: str = task["output"] or (next(iter(outputs)) if len(outputs) == 1 else "")
    if name not in outputs:
        have = ", ".join(sorted(outputs))
        what = f"no output '{name}'" if name else "the model has several outputs, so name one"
        raise ConfigError(what, where="model.validation.task.output", hint=f"the model has {have}")
    return name


def doubt(task: Mapping[str, Any], outputs: Mapping[str, Array], labels: Array, found: float) -> str:
    """Why the source model's own score ``found`` looks wrong; empty where it does not.

    It is 0 where higher is better, or one that needs no model: always answering the most frequent class or the mean,
    or guessing (95 % of guesses on as many labels score less).
    """
    name = task["metric"]
    if higher_is_better(task) and found == 0:
        return "nothing is right"
    if name not in NAMES:
        return ""
    output = outputs[chosen(task, outputs)]
    if name == "mse":
        _, kept = _values(output, labels, task.get("ignore_label"))
        spread = float(np.var(kept.astype(np.float64)))
        return f"no better than always saying the labels' mean ({spread:.4g})" if found >= spread > 0 else ""
    _, axis = class_labels(output, labels)
    kept = _classes(output, labels, task.get("ignore_label"))[1]
    frequent = np.bincount(kept.ravel()).argmax()
    constant = _BY_CLASSES[name](np.full_like(kept, frequent), kept)
    if found <= constant:
        return f"no better than always saying class {frequent} ({constant:.4g})"
    if name == "top1" and axis is not None:
        chance, count = 1 / output.shape[axis], kept.size
        guess = chance + GUESSES * float(np.sqrt(chance * (1 - chance) / count))
        if found <= guess:
            return f"a guess among {output.shape[axis]} classes may score {guess:.2g} on {count} labels"
    return ""


def higher_is_better(task: Mapping[str, Any]) -> bool:
    name = task["metric"]
    return NAMES[name] if name in NAMES else bool(task["higher_is_better"])
