"""A result that is true when the network converts, and shows itself in a terminal, a notebook and a review tool."""

from __future__ import annotations

import json
from dataclasses import dataclass

from trtbuild.checker import sarif, text
from trtbuild.checker.problem import Findings


@dataclass(frozen=True)
class Result(Findings):
    """True when nothing stands against the conversion."""

    def to_json(self, indent: int | None = 1) -> str:
        return json.dumps(self.document(), indent=indent)

    def to_sarif(self) -> dict[str, object]:
        """SARIF 2.1.0, for code review tools."""
        return sarif.sarif(self)

    def __str__(self) -> str:
        return text.text(self)

    def _repr_html_(self) -> str:
        return text.html(self)
