"""Tests of what a deployment's own failures look like on the terminal."""

from __future__ import annotations

import logging

from trtbuild.workers.cluster import _OneLine


def test_what_a_deployment_says_is_one_line() -> None:
    """As tornado logs it: with an exception, whose text has lines and escapes."""
    said: list[str] = []
    logger = logging.Logger("any")
    logger.addHandler(_OneLine(said.append))
    try:
        raise RuntimeError("Command exited with code 1\nsbatch: error: \x1b[31minvalid partition")
    except RuntimeError:
        logger.error("Exception in callback", exc_info=True)
    logger.error("no exception")

    assert said[1] == "dask   no exception" and len(said) == 2
    assert said[0].startswith("dask   Command exited with code 1 sbatch: error: ") and "\x1b" not in said[0]
