"""One file for each runtime: ``open_session(model, runtime)`` gives something that maps feeds to named outputs.

``runtime`` is what the recipe says of it (core/recipes.py: session_options).  ``open_timed`` gives a session to
measure; one with ``time_us(feeds)`` has a clock of its own.  ``profile_nodes`` and ``count_kernels`` look inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Session(Protocol):
    """``about`` says which runtime computes, for every page that shows a number of its."""

    about: Mapping[str, Any]

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]: ...
