"""What the axes of an output stand for, as far as its shape, its dtype and the model's task reveal it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Classes:
    """``axis`` holds class scores (None: the elements are classes themselves); ``by`` says how that is known."""

    axis: int | None
    by: Literal["shape", "task", "integers"]


@dataclass(frozen=True)
class NoClasses:
    why: str


def channel_axis(shape: tuple[int, ...]) -> int:
    """The shorter of the two conventional axes, 1 and the last; TensorFlow's, the last, when they are equal."""
    return 1 if shape[1] < shape[-1] else len(shape) - 1


def classes_of(shape: tuple[int, ...], dtype: Any, metric: str | None) -> Classes | NoClasses:
    """Whether an output holds class scores, according to its task, else to its shape.

    Args:
        metric: the metric of the config's ``validation.task``, when that task is about this output.
    """
    if len(shape) < 2 and dtype.kind == "f":
        return NoClasses("a single number for each entry has no classes")
    if metric == "mse":
        return NoClasses("the task is a regression")
    if dtype.kind in "iub":
        return Classes(None, "integers")
    axis = channel_axis(shape)
    if shape[axis] < 2:
        return NoClasses(f"one value along axis {axis} leaves nothing to choose from")
    if metric in ("top1", "mean_iou"):
        return Classes(axis, "task")
    if len(shape) == 3:
        return NoClasses(f"no axis of {list(shape)} can be told to hold classes; a task on this output would say so")
    return Classes(axis, "shape")
