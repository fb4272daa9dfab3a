"""Logging while the exporter works: nothing of it reaches the user's handlers, and these are afterwards as they were.

tf2onnx calls ``logging.warning``, which gives a root logger without handlers one.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

_LOGGER = "tf2onnx"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    root, exporter = logging.getLogger(), logging.getLogger(_LOGGER)
    handlers, propagate = list(root.handlers), exporter.propagate
    exporter.propagate = False
    if not handlers:
        root.addHandler(logging.NullHandler())
    try:
        yield
    finally:
        exporter.propagate = propagate
        root.handlers[:] = handlers
