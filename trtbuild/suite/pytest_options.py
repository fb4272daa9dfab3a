"""A pytest plugin with the suite's one option: ``pytest -p trtbuild.suite.pytest_options --tensorrt A,B --pyargs …``.

It is not a conftest, because pytest reads options from those beside its rootdir only.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tensorrt", help="TensorRT versions of the suite, separated by commas (default: the config's)")
