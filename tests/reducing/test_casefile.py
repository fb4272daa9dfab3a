"""Tests of the case that a reduction writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from trtbuild.base.errors import ConfigError
from trtbuild.reducing.casefile import check_free


@pytest.mark.parametrize("name", ["Foo Bar", "1x;import os", "Ü"])
def test_a_name_that_no_case_can_have_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    """Or every later run of the suite would end there."""
    with pytest.raises(ConfigError, match="not an id of a case"):
        check_free(tmp_path, name)
