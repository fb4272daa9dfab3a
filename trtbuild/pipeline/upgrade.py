"""The verb upgrade: build all recorded models in an old and a new TensorRT version, compare, and decide for each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trtbuild import config
from trtbuild.base import packaged
from trtbuild.base.errors import ConfigError
from trtbuild.base.text import printable
from trtbuild.base.workspace import UPGRADES, find_workspace
from trtbuild.building.planned import Planned, only, plan_combinations
from trtbuild.building.run import build_planned
from trtbuild.building.states import VariantState, exit_status, variant_states
from trtbuild.config import named, sweep
from trtbuild.documents.report import Report
from trtbuild.documents.sweep import SweepEntry
from trtbuild.pipeline import baseline, comparison, sweeppage
from trtbuild.pipeline.upgradedocument import NO_GO, Pair, UpgradeDocument, lines, passed_ids, upgrade_document

if TYPE_CHECKING:
    from trtbuild.building.states import Outcome

Combination = tuple[str, ...]


@dataclass(frozen=True)
class UpgradeRequest:
    """What to build: two versions, and for each pair the overrides without a version."""

    old: str
    new: str
    combinations: tuple[Combination, ...]

    def words(self) -> list[Combination]:
        return [(*c, f"tensorrt={version}") for version in (self.old, self.new) for c in self.combinations]


def run(
    overrides: Sequence[str], *, install: bool = True, accept: bool = False, push_to: str | None = None,
    as_json: bool = False, build: Callable[[Planned], Outcome] | None = None,
) -> int:  # fmt: skip
    """The exit status is a build's, of the new version's variants, and 1 at least for a no-go; of a push or accept,
    where that is higher."""
    workspace = find_workspace(Path.cwd())
    request = ask(workspace.root, overrides)
    if push_to is not None:  # a remote that is not configured fails before anything is built
        from trtbuild.remote import remotes

        remotes.open_remote(workspace, push_to)
    p = plan_combinations(workspace, request.words())
    states = variant_states(p, build(p) if build else build_planned(p, install=install))
    document, pages = write(p, states, request)
    for line in [*lines(document), f"upgrade: {pages}"]:
        print(printable(line), file=sys.stderr)
    new = [" ".join((*c, f"tensorrt={request.new}")) for c in request.combinations]
    code = exit_status(
        [states[p.named[words]] for words in new if words in p.named],
        [p.invalid[words] for words in new if words in p.invalid],
    )
    code = max(code, int(document["counts"][NO_GO] > 0))
    passed = only(p, [name for name in passed_ids(document) if name in p.plan.variants])
    if passed.plan.variants and accept:
        code = max(code, comparison.accept(passed, force=False, as_json=False))
    if passed.plan.variants and push_to is not None:
        from trtbuild.pipeline import transfer

        code = max(code, transfer.move("push", passed, push_to))
    if as_json:
        print(json.dumps(document, indent=1, allow_nan=False))
    return code


def ask(root: Path, overrides: Sequence[str]) -> UpgradeRequest:
    """The words of the command line -> versions and variants.

    Models default to all of ``conf/model``, precisions to those that a model has accepted baselines of, or else the
    config's; ``from`` to the version of the accepted baselines, or else the config's.

    Raises:
        ConfigError: no new version, or not exactly one old version.
    """
    keys = ("tensorrt", "from", "model", "precision")
    given = {key: [word for word in overrides if word.partition("=")[0] == key] for key in keys}
    for found in given.values():
        if len(found) > 1:
            raise ConfigError("is given twice", where=found[1])
    rest = sweep.expand(root, [word for word in overrides if word.partition("=")[0] not in keys])
    new = _version(root, "tensorrt", given["tensorrt"])
    if not new:
        there = ", ".join(config.options(root, "tensorrt"))
        raise ConfigError("no new version", where="upgrade", hint=f"write tensorrt=NAME; available: {there}")
    models = _values(root, given["model"]) or config.options(root, "model")
    if not models:
        raise ConfigError("no model is recorded", where=str(root / "conf" / "model"), hint="run: trtbuild init")
    config.check_choices(root, [f"model={model}" for model in models])
    accepted = [page["variant"] for model in models for page in _accepted(root, model)]
    old = _version(root, "from", given["from"]) or _usual(root, new, sorted({v["tensorrt"] for v in accepted}))
    if old == new:
        raise ConfigError(f"both versions are {new}", where="upgrade", hint="write from=OLD tensorrt=NEW")
    chosen = _values(root, given["precision"])
    combinations: dict[Combination, None] = {}
    for model in models:
        own = sorted({v["precision"] for v in accepted if v["model"] == model})
        precisions = chosen or own or [named.default_option(root, "precision")]
        config.check_choices(root, [f"precision={precision}" for precision in precisions])
        for precision in precisions:
            combinations |= {(f"model={model}", f"precision={precision}", *more): None for more in rest}
    return UpgradeRequest(old, new, tuple(combinations))


def _values(root: Path, found: Sequence[str]) -> list[str]:
    """The options that a word names, a list or glob() too."""
    return [words[0].partition("=")[2] for words in sweep.expand(root, found)] if found else []


def _version(root: Path, key: str, found: Sequence[str]) -> str:
    """The one version in ``tensorrt=`` or ``from=``; "" if the word is not given."""
    words = [f"tensorrt={word.partition('=')[2]}" for word in found]
    values = _values(root, words)
    if len(values) > 1:
        hint = "to find the version that changed something, use: trtbuild bisect"
        raise ConfigError("expects one version", where=found[0], hint=hint)
    try:
        config.check_choices(root, words)
    except ConfigError as error:
        raise ConfigError(error.what, where=found[0], hint=error.hint) from None
    return values[0] if values else ""


def _accepted(root: Path, model: str) -> list[Report]:
    return [baseline.read_report(path) for path in sorted((root / baseline.FOLDER / model).glob("*.json"))]


def _usual(root: Path, new: str, accepted: Sequence[str]) -> str:
    """The old version if none is named."""
    others = [version for version in accepted if version != new]
    if len(others) > 1:
        hint = f"write from=NAME; accepted: {', '.join(others)}"
        raise ConfigError("the accepted baselines are of several versions", where="upgrade", hint=hint)
    if others:
        return others[0]
    default = named.default_option(root, "tensorrt")
    if default == new:
        hint = f"write from=NAME; available: {', '.join(config.options(root, 'tensorrt'))}"
        what = f"no version to come from: no baseline of another one is accepted, and {new} is the config's own"
        raise ConfigError(what, where="upgrade", hint=hint)
    return default


def write(p: Planned, states: Mapping[str, VariantState], request: UpgradeRequest) -> tuple[UpgradeDocument, str]:
    """The document, and the path of the page, which lies beside the sweep's own pages and its upgrade.json and .md."""
    from trtbuild.base.files import write_atomic
    from trtbuild.reports import upgrade as pages

    root = p.workspace.root
    names = [*p.plan.variants, *p.invalid, f"from {request.old} to {request.new}"]
    folder = sweeppage.own_folder(p.workspace, UPGRADES, names)
    entries = {entry["id"]: entry for entry in sweeppage.entries(p, states, folder)}
    found = [_pair(p, entries, request, c) for c in request.combinations]
    pairs = {
        (pair.old["id"], pair.new["id"]): pair for pair in found
    }  # words can differ in values that no recipe holds
    document = upgrade_document(request.old, request.new, pairs.values())
    sweeppage.write_entries(list(entries.values()), folder, root)
    for name, text in pages.render_all(document, packaged.templates(root)).items():
        write_atomic(folder / name, text.encode())
    return document, (folder / "upgrade.html").relative_to(root).as_posix()


def _pair(p: Planned, entries: Mapping[str, SweepEntry], request: UpgradeRequest, combination: Combination) -> Pair:
    both = [" ".join((*combination, f"tensorrt={version}")) for version in (request.old, request.new)]
    old, new = (entries[p.named.get(words, words)] for words in both)
    return Pair(old, new, old["baseline"] or new["baseline"])
