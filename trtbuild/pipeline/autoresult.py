"""``precision=auto`` in a build's words: the searches, their precision files and pages, and what builds the results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trtbuild import config
from trtbuild.base import packaged
from trtbuild.base.errors import ConfigError, TrtbuildError
from trtbuild.base.files import write_atomic
from trtbuild.base.workspace import SEARCHES, Workspace
from trtbuild.building.planned import Planned, plan_combinations
from trtbuild.building.states import Outcome
from trtbuild.config import sweep
from trtbuild.core.plan import Plan, post_order
from trtbuild.core.spec import Variant
from trtbuild.core.step import Step
from trtbuild.documents.auto import AutoDocument
from trtbuild.pipeline.auto import Build, Search
from trtbuild.pipeline.autobase import load_base
from trtbuild.pipeline.autodocument import document, precision_file, sentence
from trtbuild.store import Store

WORD = "precision=auto"
Combination = tuple[str, ...]


@dataclass(frozen=True)
class SearchResult:
    """A finished search; ``file``: the text of its precision file, "" where nothing is within the budget."""

    name: str
    document: AutoDocument
    file: str
    page: str

    @property
    def words(self) -> str:
        return f"precision={self.name}"


def is_wanted(overrides: Sequence[str]) -> bool:
    """Whether any word asks for a search.

    >>> is_wanted(["model=m", "precision=fp16,auto"]), is_wanted(["precision=auto-m"])
    (True, False)
    """
    chosen = (word.partition("=")[2] for word in overrides if word.startswith("precision="))
    return any("auto" in value.split(",") for value in chosen)


def combinations(root: Path, overrides: Sequence[str], *, multirun: bool) -> list[Combination]:
    """Every combination of words; without ``multirun`` the only one."""
    if not multirun:
        sweep.check_none(root, overrides)
        return [tuple(overrides)]
    return sweep.expand(root, overrides)


@dataclass(frozen=True)
class Resolution:
    """``words``: what builds the results, and what needs no search; ``invalid``: words -> why their search failed."""

    words: list[Combination]
    searched: list[SearchResult]
    invalid: Mapping[str, TrtbuildError]


def resolve(
    workspace: Workspace, found: Sequence[Combination], build: Build, note: Callable[[str], None], *, dry_run: bool
) -> Resolution:
    """Search for every combination that asks for it; a combination whose budget nothing meets is left out.

    Raises:
        TrtbuildError: of the first search that failed, if there is nothing else to do.
    """
    names = result_names([c for c in found if WORD in c])
    results: dict[Combination, SearchResult] = {}
    invalid: dict[Combination, TrtbuildError] = {}
    for combination, name in names.items():
        try:
            results[combination] = search(workspace, combination, name, build, note, dry_run=dry_run)
        except TrtbuildError as error:
            invalid[combination] = error
    if invalid and len(invalid) == len(found):
        raise next(iter(invalid.values()))
    words: list[Combination] = []
    for combination in found:
        if combination not in names:
            words.append(combination)
        elif combination in results and results[combination].file and not dry_run:
            new = results[combination].words
            words.append(tuple(new if word == WORD else word for word in combination))
    return Resolution(words, list(results.values()), {" ".join(c): error for c, error in invalid.items()})


def first_round(workspace: Workspace, found: Sequence[Combination]) -> Planned:
    """What a build would start with: the first plan of every search, and everything that needs no search."""
    variants: dict[str, Mapping[str, Step]] = {}
    specs: dict[str, Variant] = {}
    for combination, name in result_names([c for c in found if WORD in c]).items():
        words = [word for word in combination if word != WORD]
        plan = Search(
            workspace, load_base(workspace, words), words, lambda p: Outcome(), lambda line: None
        ).first_plan()
        variants |= {f"{name}: {variant}": roles for variant, roles in plan.variants.items()}
        specs |= {f"{name}: {variant}": spec for variant, spec in plan.specs.items()}
    if others := [combination for combination in found if WORD not in combination]:
        plan = plan_combinations(workspace, others).plan
        variants, specs = {**variants, **plan.variants}, {**specs, **plan.specs}
    steps = post_order(step for roles in variants.values() for step in roles.values())
    return Planned(workspace, Store(workspace), Plan(steps, variants, specs))


def result_names(wanted: Sequence[Combination]) -> dict[Combination, str]:
    """``auto-<model>``; with the words that differ where one model is searched for several times.

    >>> list(result_names([("model=m", "precision=auto", f"target=sm{target}") for target in (89, 120)]).values())
    ['auto-m-sm89', 'auto-m-sm120']
    """
    by_model: dict[str, list[Combination]] = {}
    for combination in wanted:
        model = next((word.partition("=")[2] for word in combination if word.startswith("model=")), "")
        if not model:
            raise ConfigError("no model chosen", where=WORD, hint="write model=NAME")
        by_model.setdefault(model, []).append(combination)
    names = {}
    for model, several in by_model.items():
        for combination in several:
            own = [word for word in combination if any(word not in other for other in several)]
            names[combination] = "-".join(["auto", model, *(word.partition("=")[2] for word in own)])
    return names


def search(
    workspace: Workspace, combination: Combination, name: str, build: Build, note: Callable[[str], None], *,
    dry_run: bool,
) -> SearchResult:  # fmt: skip
    """One search; its precision file is written unless ``dry_run``, its page always."""
    words = [word for word in combination if word != WORD]
    found = Search(workspace, load_base(workspace, words), words, build, note)
    chosen = found.run()
    says = sentence(found, chosen)
    path = workspace.root / "conf" / "precision" / f"{name}.yaml"
    text = "" if chosen is None else precision_file(found, chosen, says, name)
    shown = path.relative_to(workspace.root).as_posix() if text and not dry_run else None
    if shown:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())
    made = document(found, chosen, says, shown)
    return SearchResult(name, made, text, _write_page(workspace, name, made))


def _write_page(workspace: Workspace, name: str, made: AutoDocument) -> str:
    from trtbuild.reports import auto

    folder = workspace.page_folder(SEARCHES, name)
    page = auto.render_page(made, packaged.templates(workspace.root))
    write_atomic(folder / "auto.json", (json.dumps(made, indent=1, allow_nan=False) + "\n").encode())
    write_atomic(folder / "auto.html", page.encode())
    return (folder / "auto.html").relative_to(workspace.root).as_posix()


def options_row(root: Path) -> tuple[str, str]:
    """How ``auto`` is listed beside the options of conf/precision."""
    done = [name for name in config.options(root, "precision") if name.startswith("auto-")]
    found = f"; found so far: {', '.join(done)}" if done else ""
    return "auto", f"The cheapest mix within the budget of accuracy, found by a search (docs/auto.md){found}"
