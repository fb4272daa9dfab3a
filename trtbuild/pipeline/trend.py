"""The verb trend: what the records in git's history say of a model's variants, commit by commit, and the worktree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trtbuild.base.errors import ConfigError
from trtbuild.base.text import did_you_mean, printable
from trtbuild.base.workspace import Workspace
from trtbuild.documents.report import Axes
from trtbuild.documents.trend import VERSION, WORKTREE, Trend, TrendPoint, TrendVariant, VariantAxes
from trtbuild.pipeline.trendrecords import DamagedRecord, Source, numbers, variant_of
from trtbuild.store import history
from trtbuild.store.history import Commit, git_blob

AXES = tuple(Axes.__annotations__)
FOLDER = "build"
LOCK = "dvc.lock"


@dataclass
class _Walk:
    """What is known while commits pass: the blob of every path, and every variant's points."""

    blobs: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[TrendPoint]] = field(default_factory=dict)
    variants: dict[str, VariantAxes] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    commits: int = 0


def wanted(words: Sequence[str]) -> dict[str, str]:
    """The axes that overrides name, ``model`` among them.

    Raises:
        ConfigError: no model, or a word that names no axis.
    """
    chosen: dict[str, str] = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in AXES:
            raise ConfigError(f"'{key}' does not name a variant in a record", where=word, hint=did_you_mean(key, AXES))
        if key in chosen:
            raise ConfigError("is given twice", where=word)
        chosen[key] = value
    if "model" not in chosen:
        raise ConfigError("no model", where="trend", hint="trtbuild trend model=NAME [precision=NAME …]")
    return chosen


def trend(workspace: Workspace, chosen: Mapping[str, str]) -> Trend:
    """Raises ConfigError: there is no record of such a variant.  WorkspaceError: git's history cannot be read."""
    root, model = workspace.root, chosen["model"]
    commits = history.commits(root, FOLDER)
    names = _names(commits, model)
    found = _Walk()
    source = Source(workspace, history.blobs(root, _needed(commits, names)))
    for commit in commits:
        _pass(found, commit, names, source)
    _worktree(found, model, source)
    options = {axis: value for axis, value in chosen.items() if axis != "model"}
    matching: list[TrendVariant] = [
        {"variant": about, "points": found.points[key]}
        for key, about in sorted(found.variants.items())
        if all(about[axis] == value for axis, value in options.items())  # type: ignore[literal-required]
    ]
    if not matching:
        raise _nothing(found, commits, chosen)
    return {
        "schema_version": VERSION, "model": model, "renamed_from": names[1:], "shallow": history.is_shallow(root),
        "commits": found.commits,
        "gaps": sum(point["numbers"] is None for one in matching for point in one["points"]),
        "skipped": found.skipped, "variants": matching,
    }  # fmt: skip


def _model_of(path: str) -> str:
    """``build/<model>/<step>/<file>``; a model's name may have slashes."""
    return "/".join(path.split("/")[1:-2])


def _names(commits: Sequence[Commit], model: str) -> list[str]:
    """The model's name, and its earlier ones, newest first.

    It was renamed in the commit in which its first record appears and the last record of another model is gone.
    """
    reports: dict[str, set[str]] = {}
    before: dict[str, str] = {}
    for commit in commits:
        had = {name for name, paths in reports.items() if paths}
        for path, blob in commit.changes.items():
            if _is_report(path):
                known = reports.setdefault(_model_of(path), set())
                (known.discard if blob is None else known.add)(path)
        have = {name for name, paths in reports.items() if paths}
        if len(gone := had - have) == 1 and len(new := have - had) == 1:
            before[next(iter(new))] = next(iter(gone))
    names = [model]
    while (older := before.get(names[-1])) is not None and older not in names:
        names.append(older)
    return names


def _is_report(path: str) -> bool:
    parts = path.split("/")
    return len(parts) > 3 and parts[-1] == LOCK and parts[-2].startswith("report-")


def _needed(commits: Sequence[Commit], names: Sequence[str]) -> list[str]:
    files = {LOCK, "summary.json", "verdict.json", "deviation.json", "latency.json"}
    return [
        blob
        for commit in commits
        for path, blob in commit.changes.items()
        if blob is not None and path.rsplit("/", 1)[-1] in files and _model_of(path) in names
        and (path.rsplit("/", 1)[-1] != LOCK or path.split("/")[-2].startswith(("report-", "engine-")))
    ]  # fmt: skip


def _pass(found: _Walk, commit: Commit, names: Sequence[str], source: Source) -> None:
    """Take a commit's changes, and add a point for every variant whose report changed."""
    for path, blob in commit.changes.items():
        if blob is None:
            found.blobs.pop(path, None)
        else:
            found.blobs[path] = blob
    written = [path for path, blob in commit.changes.items() if blob is not None and _is_report(path)]
    changed = [path for path in written if _model_of(path) in names]
    found.commits += bool(changed)
    of_variant: dict[str, TrendPoint] = {}
    for path in changed:
        try:
            about = variant_of(path, found.blobs, source)
            made = numbers(path, found.blobs, source)
        except DamagedRecord as error:
            found.skipped.append(f"{commit.hash[:8]} {printable(error.path)}: {printable(error.why)}")
            continue
        key = _key(about)
        found.variants[key] = about
        of_variant[key] = {"commit": commit.hash, "time": commit.time, "subject": commit.subject, "numbers": made}
    for key, point in of_variant.items():
        found.points.setdefault(key, []).append(point)


def _key(about: VariantAxes) -> str:
    """Equal for the same variant of a model that was renamed."""
    return "-".join(about[axis] for axis in AXES if axis != "model")  # type: ignore[literal-required]


def _worktree(found: _Walk, model: str, source: Source) -> None:
    """The reports that lie in the worktree and differ from what the last commit has of them."""
    folder = source.workspace.root / FOLDER / model
    locks = sorted(folder.glob(f"report-*/{LOCK}"), key=lambda path: path.stat().st_mtime_ns)
    for lock in locks:
        path = lock.relative_to(source.workspace.root).as_posix()
        if found.blobs.get(path) == git_blob(lock.read_bytes()):
            continue
        files = source.worktree()
        try:
            about, made = variant_of(path, {}, files), numbers(path, {}, files)
        except DamagedRecord as error:
            found.skipped.append(f"{WORKTREE} {printable(error.path)}: {printable(error.why)}")
            continue
        key = _key(about)
        found.variants[key] = about
        points = found.points.setdefault(key, [])
        if points and points[-1]["commit"] == WORKTREE:
            points.pop()
        points.append({"commit": WORKTREE, "time": None, "subject": "not committed", "numbers": made})


def _nothing(found: _Walk, commits: Sequence[Commit], chosen: Mapping[str, str]) -> ConfigError:
    where = " ".join(f"{key}={value}" for key, value in chosen.items())
    if found.variants:
        there = ", ".join(sorted(about["id"] for about in found.variants.values()))
        return ConfigError("no record of such a variant", where=where, hint=f"recorded: {there}")
    models = sorted({_model_of(path) for commit in commits for path in commit.changes if _is_report(path)})
    hint = did_you_mean(chosen["model"], models) if models else "build it, and commit build/"
    if found.skipped:
        return ConfigError(
            f"all its records are damaged: {found.skipped[0]}", where=where, hint="restore them with git"
        )
    return ConfigError("no commit has a record of this model", where=where, hint=hint)
