"""The assertion for tests: a model converts, or the test fails with every problem."""

from __future__ import annotations

from typing import Any

from trtbuild.checker.result import Result


def assert_converts(model: Any, input_signature: Any = None, **arguments: Any) -> Result:
    """Fail with the whole report unless the model converts; arguments are those of ``trt_checker.check``.

    Raises:
        AssertionError: it does not convert, or could not be checked.
    """
    __tracebackhide__ = True  # pytest: show the line of the test
    from trtbuild.checker import check

    result = check(model, input_signature, **arguments)
    if not result:
        raise AssertionError(str(result))
    return result
