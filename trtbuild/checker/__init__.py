"""trt_checker: does this network convert to TensorRT?  Asked before training; all problems at once, in seconds.

trt_checker.register_input(x); trt_checker.register_output(y); if trt_checker.check_conversion(): train()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trtbuild.checker.functions import (
    assert_converts,
    check,
    check_conversion,
    clear,
    register_input,
    register_output,
)
from trtbuild.checker.problem import Problem
from trtbuild.checker.result import Result

if TYPE_CHECKING:
    import keras

__all__ = [
    "Problem", "Result", "TrtCheck", "assert_converts", "check", "check_conversion", "clear", "register_input",
    "register_output",
]  # fmt: skip


def __getattr__(name: str) -> type[keras.callbacks.Callback]:
    if name == "TrtCheck":  # it needs Keras, which is not loaded here
        from trtbuild.checker.callback import make

        return make()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
