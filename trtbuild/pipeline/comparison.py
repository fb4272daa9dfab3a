"""The verbs accept and diff: which reports a person means, and how they are compared."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from trtbuild.base.errors import ConfigError, ThresholdError, TrtbuildError, WorkspaceError, worst_status
from trtbuild.base.text import did_you_mean
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import Planned
from trtbuild.building.states import VariantState, variant_states
from trtbuild.core.step import KEY
from trtbuild.core.verdict import why_unjudged, word_of
from trtbuild.documents.comparison import Comparison
from trtbuild.documents.report import Report
from trtbuild.documents.verdict import Verdict
from trtbuild.pipeline import baseline
from trtbuild.reports.compare import compare
from trtbuild.reports.comparetable import SCOPES, table

_REPORT_FOLDER = re.compile(rf"report-(.*)-{KEY}")
MOST_NAMES = 12  # in a hint that lists what exists


def accept(p: Planned, *, force: bool, as_json: bool) -> int:
    """Record every planned variant that is up to date and passes (with ``force``, every one that is built).

    A variant that cannot be accepted gets a line, and does not hold up the others.  Returns the highest exit status:
    1 for a failed threshold or an unjudged verdict, 2 for a variant that is not built.
    """
    done, errors = list[dict[str, str]](), list[TrtbuildError](p.invalid.values())
    for name, state in variant_states(p).items():
        try:
            page = _built(p, state)
            if not force:
                _check_passed(name, page["verdict"])
        except (ConfigError, ThresholdError) as error:
            errors.append(error)
            continue
        path, how = baseline.accept(p.workspace.root, page)
        place = path.relative_to(p.workspace.root).as_posix()
        done.append({"id": name, "path": place, "state": how})
        changes = {"new": "accepted", "same": "is already accepted", "replaced": "accepted in place of an earlier one"}
        print(f"{name}: {changes[how]}: {place}", file=sys.stderr)
    _say(errors)
    if as_json:
        print(json.dumps(_document("accepted", done, errors), indent=1))
    return worst_status(errors)


def _say(errors: Iterable[TrtbuildError]) -> None:
    for error in errors:
        print(f"trtbuild: {error}", file=sys.stderr)


def _check_passed(name: str, verdict: Verdict) -> None:
    """Raises ThresholdError: the verdict is another one."""
    word = word_of(verdict)
    if word == "pass":
        return
    failed = [check for check, c in sorted(verdict["checks"].items()) if not c["passed"]]
    why = f"fails its thresholds ({', '.join(failed) or 'as its verdict says'})"
    if word == "unjudged":
        why = f"is unjudged ({why_unjudged(verdict)})"
    raise ThresholdError(f"{why}: not accepted", where=name, hint="--force accepts it anyway")


def _document(key: str, done: Sequence[object], errors: Sequence[TrtbuildError]) -> dict[str, object]:
    """What was done, and the errors of the variants that were left out; of one variant alone, its error."""
    if errors and not done and len(errors) == 1:
        return {"schema_version": 1, "error": errors[0].document()}
    return {key: list(done), "errors": [error.document() for error in errors]}


def _built(p: Planned, state: VariantState) -> Report:
    """The report of a variant that is up to date.

    Raises:
        ConfigError: it is not, or another variant of this plan has the same name (they differ in an override).
    """
    if "#" in state.id:
        hint = "name one variant at a time"
        raise ConfigError("several variants of this name differ in an override", where=state.id, hint=hint)
    if state.error is not None:
        raise state.error
    return baseline.read_report(state.root / state.roles["report"].folder / "report.json")


def diff_sides(words: Sequence[str], here: Path) -> list[Mapping[str, object]]:
    """Compare two named reports, the old one first."""
    if len(words) != 2:
        hint = "trtbuild diff OLD NEW, or trtbuild diff model=… precision=… against the accepted baseline"
        raise ConfigError(f"expects two reports, found {len(words)}", where="diff", hint=hint)
    old, new = (side(word, here) for word in words)
    return [compare(new, old)]


def diff_accepted(p: Planned) -> tuple[list[Mapping[str, object]], list[TrtbuildError]]:
    """Compare every planned variant with its accepted baseline; returns the comparisons, and why others cannot be."""
    made: list[Mapping[str, object]] = []
    errors = list[TrtbuildError](p.invalid.values())
    for name, state in variant_states(p).items():
        try:
            made.append(_against_baseline(p.workspace.root, name, _built(p, state)))
        except ConfigError as error:
            errors.append(error)
    return made, errors


def _against_baseline(root: Path, name: str, new: Report) -> Mapping[str, object]:
    old = baseline.find(root, new["variant"]["model"], new["variant"]["id"])
    if old is None:
        hint = f"record one with: trtbuild accept; {_there_is(baseline.known(root), 'accepted')}"
        raise ConfigError("has no accepted baseline", where=name, hint=hint)
    return compare(new, old)


def say(
    comparisons: Sequence[Mapping[str, object]], errors: Sequence[TrtbuildError] = (), *, as_json: bool,
    several: bool = False, whole: bool = False,
) -> None:  # fmt: skip
    """Print errors, and tables or one JSON document: the comparison, or for a sweep (``several``) "comparisons".

    A table has every scope in which the engines differ if it is to be ``whole``.
    """
    _say(errors)
    if as_json:
        alone = bool(comparisons) and not several
        document = comparisons[0] if alone else _document("comparisons", comparisons, errors)
        print(json.dumps(document, indent=1, allow_nan=False))
        return
    if comparisons:
        print("\n\n".join("\n".join(table(comparison, None if whole else SCOPES)) for comparison in comparisons))


def write_page(comparisons: Sequence[Mapping[str, object]], path: Path, root: Path) -> None:
    """Write one HTML page of all comparisons, drawn with the templates of the workspace ``root``."""
    from trtbuild.base import packaged
    from trtbuild.base.files import check_output, write_atomic
    from trtbuild.reports import diffpage

    check_output(path)
    text = diffpage.page([cast("Comparison", one) for one in comparisons], packaged.templates(root))
    write_atomic(path, text.encode())
    print(f"written: {path}", file=sys.stderr)


def side(word: str, here: Path) -> Report:
    """The report that a word means: a report.json or baseline, a folder with one, or the id of a built variant.

    Raises:
        ConfigError: nothing has that name, or several builds have that id.
    """
    path = here / word
    if path.is_file():
        return baseline.read_report(path)
    if path.is_dir():
        if (path / "report.json").is_file():
            return baseline.read_report(path / "report.json")
        inside = sorted(p.parent.name for p in path.glob("report-*/report.json"))
        hint = _there_is(inside, "in it") if inside else "name a folder of a report step"
        raise ConfigError("has no report.json", where=word, hint=hint)
    root, found = _reports_of_ids(here)
    folders = found.get(word, [])
    if not folders:
        near = did_you_mean(word, found) if found else ""
        hint = near if near.startswith("did you mean") else _there_is(sorted(found), "built")
        raise ConfigError("no such file, folder or built variant", where=word, hint=hint)
    if len({(folder / "report.json").read_bytes() for folder in folders}) > 1:  # equal ones differ in their pages only
        names = ", ".join(folder.relative_to(root).as_posix() for folder in folders)
        raise ConfigError(f"{len(folders)} builds have this id", where=word, hint=f"name a folder: {names}")
    return baseline.read_report(folders[0] / "report.json")


def _reports_of_ids(here: Path) -> tuple[Path, dict[str, list[Path]]]:
    """The workspace, and the folders of built reports by variant id; none outside a workspace."""
    try:
        root = find_workspace(here).root
    except WorkspaceError:
        return here, {}
    found: dict[str, list[Path]] = {}
    for path in sorted((root / "build").rglob("report-*/report.json")):
        match = _REPORT_FOLDER.fullmatch(path.parent.name)
        if match:
            model = path.parent.parent.relative_to(root / "build").as_posix()
            found.setdefault(f"{model}-{match[1]}", []).append(path.parent)
    return root, found


def _there_is(names: Sequence[str], how: str) -> str:
    if not names:
        return f"nothing is {how}"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{how}: {', '.join(names[:MOST_NAMES])}{more}"
