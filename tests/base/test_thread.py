"""Tests of calls beside the caller's work."""

from __future__ import annotations

import threading

import pytest

from trtbuild.base.thread import Beside


def test_calls_are_made_in_order_and_waited_for() -> None:
    """Not by whoever asks for them."""
    gate, made = threading.Event(), list[int]()
    beside = Beside()
    beside.call(gate.wait, 60)
    for i in range(3):
        beside.call(made.append, i)
    assert made == []
    gate.set()
    beside.finish()

    assert made == [0, 1, 2]


def test_an_error_comes_when_all_have_been_made() -> None:
    """Once."""
    made = list[int]()
    beside = Beside()
    beside.call(int, "x")
    beside.call(made.append, 1)

    with pytest.raises(ValueError, match="invalid literal"):
        beside.finish()
    assert made == [1]
    beside.finish()
