"""trtbuild: a declarative build system for TensorRT engines made from TensorFlow models.

    conf/*.yaml --compose--> mapping --parse--> BuildSpec --plan--> Plan --build--> artifacts --collect--> report

config/ composes, core/ parses and plans (pure), building/ runs what is stale, store/ records it in DVC's own formats,
steps/ has one file for each step kind, reports/ turns artifacts into pages; docs/architecture.md has the whole map.

From Python: ``from trtbuild import build, plan, load`` (api.py), which are loaded on first use.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's, which takes 6 ms to import
if TYPE_CHECKING:
    from trtbuild.api import build, load, plan

__all__ = ["__version__", "build", "load", "plan"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in ("build", "load", "plan"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from trtbuild import api

    return getattr(api, name)
