"""One file for each runtime: ``open_session(...)`` gives something that maps feeds to named outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Session(Protocol):
    """``about`` says which runtime computes, for every page that shows a number of its."""

    about: Mapping[str, Any]

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]: ...
