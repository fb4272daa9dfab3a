"""Tests of the user's line among the frames of an operation."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import trtbuild.checker
from trtbuild.checker.places import caller, is_library, place_of

SITE = "/venv/lib/python3.11/site-packages"
OURS = os.path.dirname(trtbuild.checker.__file__)


def frames(*files: str) -> list[Any]:
    return [SimpleNamespace(filename=f, lineno=i, name="f", line="") for i, f in enumerate(files, 1)]


def test_the_innermost_frame_of_the_user_is_the_place() -> None:
    """Whatever TensorFlow and Keras do further in."""
    place = place_of(
        frames("/home/train.py", "/home/net.py", f"{SITE}/keras/src/layer.py", f"{SITE}/tensorflow/ops.py")
    )

    assert place is not None and (place.file, place.line) == ("/home/net.py", 2)


def test_a_package_of_the_users_own_counts() -> None:
    """Also when it is installed."""
    place = place_of(frames(f"{SITE}/mynets/head.py", f"{SITE}/tensorflow/ops.py"))

    assert place is not None and place.file.endswith("mynets/head.py")


def test_what_led_to_the_check_is_no_place() -> None:
    """Of a model that the checker traces, only what comes after its own frames made the operation."""
    assert place_of(frames("/home/train.py", f"{OURS}/capture.py", f"{SITE}/keras/src/layer.py")) is None


def test_generated_code_and_python_itself_are_no_place() -> None:
    """``<string>`` has no line to show; a notebook's cell has."""
    assert is_library("<string>") and is_library(os.__file__)
    assert not is_library("<ipython-input-3-abc>")


def test_the_caller_is_outside_of_the_package() -> None:
    """This line."""
    file, line = caller()

    assert file == __file__ and line > 1
