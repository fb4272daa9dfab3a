"""What the public functions do: from arguments to options and captures, then the check in its own thread."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild.checker import capture, engine
from trtbuild.checker.options import Options, make
from trtbuild.checker.registry import REGISTRY
from trtbuild.checker.result import Result
from trtbuild.checker.shapes import Profile

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Arguments:
    """As the user gave them, not yet checked."""

    versions: str | Sequence[str] | None
    precision: str
    opset: int
    profiles: Mapping[str, Profile] | None
    limit_s: float
    install: bool
    target: str | None

    def options(self) -> Options:
        return make(
            self.versions, self.precision, self.opset, self.profiles, self.limit_s, self.install, self.target
        )  # fmt: skip


def registered(graph: tf.Graph | None, arguments: Arguments, *, raise_on_error: bool) -> Result:
    """Everything registered, or one graph; the current graph is the calling thread's."""
    current = graph if graph is not None else capture.current_graph()

    def work() -> Result:
        how = arguments.options()
        return engine.check(capture.registered(REGISTRY, current, named=graph is not None), how)

    return engine.guarded(work, str(arguments.precision), raise_on_error=raise_on_error)


def model(model: object, input_signature: object, arguments: Arguments, *, raise_on_error: bool) -> Result:
    """A model, or a path to one."""

    def work() -> Result:
        from trtbuild.checker import models, onnxfile

        how = arguments.options()
        if isinstance(model, (str, os.PathLike)):
            path = Path(model)
            if path.suffix == ".onnx":
                return onnxfile.check(path, how)
            return engine.check([lambda: models.of_path(path)], how)
        return engine.check([lambda: models.of_model(model, input_signature)], how)

    return engine.guarded(work, str(arguments.precision), raise_on_error=raise_on_error)
