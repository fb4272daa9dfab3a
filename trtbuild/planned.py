"""Words of a command line -> workspace, store, variants and plan: what every verb but the by-hand ones starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild import config
from trtbuild.core.plan import Plan, make_plan
from trtbuild.core.spec import Variant
from trtbuild.errors import ConfigError
from trtbuild.steps import Declarations
from trtbuild.store import Store
from trtbuild.workspace import Workspace, find_workspace

if TYPE_CHECKING:
    from trtbuild.cli import Words

WANTED = ("report",)


@dataclass(frozen=True)
class Planned:
    workspace: Workspace
    store: Store
    variants: tuple[Variant, ...]
    plan: Plan


def planned(words: Words) -> Planned:
    """Find the workspace, compose the variant, plan it."""
    if words.arguments:
        raise ConfigError(
            f"unexpected word '{words.arguments[0]}'", where="command line", hint="overrides look like key=value"
        )
    workspace = find_workspace(Path.cwd())
    variants = (config.load_variant(workspace.root, words.overrides),)
    return Planned(workspace, Store(workspace), variants, make_plan(variants, WANTED, Declarations()))
