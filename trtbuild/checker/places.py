"""Where in the user's own code an operation was made: the innermost frame of its traceback outside libraries."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import traceback

    from tensorflow.types.experimental import PolymorphicFunction

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # the package
_LIBRARIES = ("tensorflow", "keras", "tf_keras", "tf2onnx", "numpy")
_TRACER = os.path.join("polymorphic_function", "polymorphic_function.py")  # of TensorFlow
_PYTHON = os.path.dirname(os.__file__)  # runpy, contextlib, functools; not site-packages, which is inside it


@dataclass(frozen=True)
class Place:
    """A line of code; ``function`` is the one it stands in, ``code`` its text."""

    file: str
    line: int
    function: str = ""
    code: str = ""


def place_of(frames: Iterable[traceback.FrameSummary]) -> Place | None:
    """The user's innermost frame, outer frames first in ``frames``.

    Frames before one of ours led to a check, not to the operation: None when none of the user's comes after it.
    """
    found: Place | None = None
    for frame in frames:
        file = frame.filename
        if is_ours(file):
            found = None
        elif not is_library(file):
            line = frame.lineno or 0
            found = Place(file, line, frame.name, linecache.getline(file, line).strip())
    return found


def is_ours(file: str) -> bool:
    return file.startswith(tuple(os.path.join(_OURS, folder, "") for folder in ("checker", "sources", "graphs")))


def is_library(file: str) -> bool:
    """A file of TensorFlow, Keras or Python itself, or none at all (``<string>`` of exec has no line to show)."""
    if file.startswith("<") and not file.startswith("<ipython"):
        return True
    if "site-packages" not in file and "dist-packages" not in file:
        return file.startswith(_PYTHON + os.sep)
    parts = file.replace(os.sep, "/").rpartition("-packages/")[2].split("/")
    return parts[0] in _LIBRARIES


def caller() -> tuple[str, int]:
    """The line outside of this package that called it."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(os.path.join(_OURS, "checker")):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def traced_function() -> PolymorphicFunction | None:
    """The tf.function object that is being traced by the calling code, None where none is; knows it by its frame."""
    frame = sys._getframe(1)
    while frame is not None:
        if (
            frame.f_code.co_filename.endswith(_TRACER)
            and type(found := frame.f_locals.get("self")).__name__ == "Function"
        ):
            return found
        frame = frame.f_back  # type: ignore[assignment]
    return None
