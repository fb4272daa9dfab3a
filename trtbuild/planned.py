"""Words of a command line -> workspace, store, variants and plan: what every verb but the by-hand ones starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild import config, sweep
from trtbuild.core.plan import Plan, make_plan
from trtbuild.core.spec import Variant
from trtbuild.errors import ConfigError, TrtbuildError
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
    plan: Plan
    refused: Mapping[str, TrtbuildError] = field(default_factory=dict)  # overrides -> why they make no variant


def planned(words: Words) -> Planned:
    """Find the workspace, compose the variant, or every variant of a sweep, and plan them as one.

    In a sweep, a variant that cannot be planned (a target that its version does not know, say) is ``refused``, and the
    others go on; when none can, the first error is raised.
    """
    if words.arguments:
        raise ConfigError(
            f"unexpected word '{words.arguments[0]}'", where="command line", hint="overrides look like key=value"
        )
    workspace = find_workspace(Path.cwd())
    declarations, root = Declarations(), workspace.root
    if not words.sweep:
        _refuse_sweep_words(root, words.overrides)
        variant = config.load_variant(root, words.overrides)
        return Planned(workspace, Store(workspace), make_plan([variant], WANTED, declarations))
    combinations = sweep.expand(root, words.overrides)
    for combination in combinations:
        config.check_choices(root, combination)  # a misspelt option is a mistake in the sweep, not in a variant
    variants: list[Variant] = []
    refused: dict[str, TrtbuildError] = {}
    for combination in combinations:
        try:
            variant = config.load_variant(root, combination)
            make_plan([variant], WANTED, declarations)
            variants.append(variant)
        except TrtbuildError as error:
            refused[" ".join(combination)] = error
    if not variants:
        raise next(iter(refused.values()))
    return Planned(workspace, Store(workspace), make_plan(variants, WANTED, declarations), refused)


def _refuse_sweep_words(root: Path, overrides: Sequence[str]) -> None:
    for word in overrides:
        if any(mark in word for mark in (",", "(")) and len(sweep.expand(root, [word])) > 1:
            raise ConfigError("it sweeps over several values", where=word, hint="add -m")
