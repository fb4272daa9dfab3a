"""Logs and warnings while we work: none of ours reach the user's handlers, and these are afterwards as they were.

tf2onnx calls ``logging.warning``, which gives a root logger without handlers one.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.propagate = propagate
        root.handlers[:] = handlers
