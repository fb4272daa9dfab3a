"""The incompatible graphs: small TensorFlow graphs known to trouble TensorRT, each with what is expected of it.

What a file of cases needs: the decorator, input specs and values, and TensorFlow by a name that loads it at first use.
"""

from __future__ import annotations

from trtbuild.suite.authoring import T, built, keras, np, tf, weights
from trtbuild.suite.case import case, f32, grid, i32, onnx_case, tensor
from trtbuild.suite.values import exactly, integers, normal, uniform

__all__ = ["T", "built", "case", "exactly", "f32", "grid", "i32", "integers", "keras", "normal", "np", "onnx_case",
           "tensor", "tf", "uniform", "weights"]  # fmt: skip
