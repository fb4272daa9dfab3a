"""Tests of the Keras callback, in trainings."""

from __future__ import annotations

import numpy as np
import pytest

import trt_checker
from tests.checker.results import kinds
from tests.checker.test_models import Sub

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_registered")]
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")


@pytest.mark.parametrize("abort", [False, True])
def test_the_callback_checks_before_the_first_step(abort: bool) -> None:
    """And raises if told to; the network is not trained then."""
    model = Sub(bad=True)
    model.compile("sgd", {"a": "mse", "b": "mse"})
    check = trt_checker.TrtCheck(abort=abort)
    data = (np.ones([4, 4], np.float32), {"a": np.ones([4, 2], np.float32), "b": np.ones([4, 3], np.float32)})

    if abort:
        with pytest.raises(Exception, match="does not convert"):
            model.fit(*data, callbacks=[check], verbose=0)
        assert not model.weights
    else:
        model.fit(*data, callbacks=[check], verbose=0)
    assert kinds(check.result) == ["Lgamma"]


def test_the_callback_refuses_an_unknown_argument_where_it_is_written() -> None:
    """Not at the first step of a training."""
    from trtbuild.base.errors import ConfigError

    with pytest.raises(ConfigError, match=r"unknown argument 'precison'; did you mean 'precision'\?"):
        trt_checker.TrtCheck(precison="fp16")
