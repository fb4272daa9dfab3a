"""What ``trtbuild gc`` finds in a workspace, its cache and the user's toolchains that nobody needs, and how it goes."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trtbuild import toolchains
from trtbuild.base import claim
from trtbuild.base.errors import ConfigError, WorkspaceError
from trtbuild.base.packaged import packaged_conf
from trtbuild.base.workspace import Workspace
from trtbuild.building.strays import strays
from trtbuild.building.superseded import superseded
from trtbuild.core.record import MD5, Record
from trtbuild.core.step import KEY_LENGTH
from trtbuild.documents import reading
from trtbuild.documents.garbage import Kind, ReportIdentity
from trtbuild.remote.transferresult import amount
from trtbuild.store import tracking, usage
from trtbuild.store.dvclock import repository_lock
from trtbuild.store.history import committed
from trtbuild.store.objects import DAMAGED_FOLDER
from trtbuild.store.references import References, digests_in, references

WHY: Mapping[Kind, str] = {
    "reports": "a newer one of the same name has superseded them",
    "unrecorded": "they are named as steps' folders, and have no record",
    "objects": "no branch, tag, stash, working tree or baseline refers to them",
    "runs": "they remember actions whose results are gone",
    "temporaries": "killed commands left them half-written",
    "damaged": "they were set aside, because their bytes are not what their names say",
    "sandboxes": "killed commands left them",
    "locks": "nobody holds them",
    "toolchains": "no config names their version",
}
_OURS = "trtbuild step "
_WRITING_S = 3600.0  # a page or an answer that another command is writing is younger


@dataclass(frozen=True)
class Waste:
    """A file or folder that nobody needs."""

    kind: Kind
    path: Path
    bytes: int


@dataclass(frozen=True)
class Garbage:
    wastes: tuple[Waste, ...]
    notes: tuple[str, ...]


def find(workspace: Workspace, others: Sequence[Path] | None) -> Garbage:
    """All that nobody needs.

    Args:
        others: every other workspace that uses the cache; None: not known.  Unless the cache is the workspace's own,
            and no other has used it, nothing in it is garbage then.

    Raises:
        WorkspaceError: it cannot be known what is needed.  ConfigError: one of ``others`` is not what it should be.
    """
    folders = superseded(workspace)
    found = references(workspace, folders)
    wastes = [Waste("reports", folder, _size(folder)) for folder in folders]
    unrecorded, notes = _unrecorded(workspace)
    wastes += unrecorded
    found.notes += notes
    if refusal := _shared(workspace, others):
        found.notes.append(refusal)
    else:
        for root in others or ():
            there = references(Workspace(root))
            for name in ("digests", "reports", "versions"):
                getattr(found, name).update(getattr(there, name))
            found.notes += [f"{root}: {note}" for note in there.notes]
        wastes += _in_cache(workspace, found)
    wastes += _private(workspace)
    wastes += _toolchains(found)
    return Garbage(tuple(wastes), tuple(found.notes))


def free(
    workspace: Workspace, others: Sequence[Path] | None, *, with_toolchains: bool
) -> tuple[Garbage, dict[Path, str]]:
    """Remove all that nobody needs, while no build runs; returns it, and why some of it could not be removed.

    Raises:
        WorkspaceError: a build runs, or as :func:`find`.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(usage.alone(workspace))
        for root in (workspace.root, *(others or ())):
            held.enter_context(repository_lock(root / ".dvc"))
        garbage, failed = find(workspace, others), dict[Path, str]()
        for waste in garbage.wastes:
            try:
                if waste.kind == "toolchains" and not waste.path.name.startswith("."):
                    if with_toolchains:
                        toolchains.remove_folder(waste.path, waste.path.name)
                else:
                    _remove(waste)
            except WorkspaceError as error:
                failed[waste.path] = error.what
            except OSError as error:
                failed[waste.path] = error.strerror or str(error)
    return garbage, failed


def check_others(workspace: Workspace, given: Iterable[Path]) -> list[Path]:
    """The other ones of the workspaces that a user names.

    Raises:
        ConfigError: one is not a workspace, or uses another cache.
    """
    found = []
    for path in given:
        root = Path(os.path.realpath(path))
        if not (root / ".dvc").is_dir():
            raise ConfigError("not a workspace: it has no .dvc folder", where=str(path))
        if not usage.uses(root, workspace.cache):
            raise ConfigError(f"it uses another cache than {workspace.root}", where=str(path))
        if root != Path(os.path.realpath(workspace.root)):
            found.append(root)
    return found


def _shared(workspace: Workspace, others: Sequence[Path] | None) -> str:
    """Why nothing in the cache may be called garbage; "" if it may."""
    known = {os.path.realpath(root) for root in others or ()}
    lacking = {file: root for file, root in usage.marks(workspace).items() if os.path.realpath(root) not in known}
    if gone := [file for file, root in lacking.items() if not root.exists()]:
        return (
            f"the cache is left alone: {lacking[gone[0]]} has used it and is not on this machine; "
            f"if it is no more, remove {gone[0]}"
        )
    if lacking:
        return f"the cache is left alone: {next(iter(lacking.values()))} uses it, too; name it with --workspaces"
    if others is None and not usage.is_own(workspace):
        return (
            f"the cache is left alone: {workspace.cache} is not in this workspace, and others may need what is in it; "
            "name all that use it with --workspaces (only this one: --workspaces .)"
        )
    return ""


def _unrecorded(workspace: Workspace) -> tuple[list[Waste], list[str]]:
    """Steps' folders that lost their record, and notes on what else lies in ``build/``: it may be the user's own."""
    there = list(strays(workspace.root))
    known = committed(workspace.root, "build") if any(is_step for _, is_step in there) else {}
    wastes, notes = list[Waste](), list[str]()
    for folder, is_step in there:
        path, size = folder.relative_to(workspace.root).as_posix(), _size(folder)
        if is_step and not any(name.startswith(f"{path}/") for name in known):
            wastes.append(Waste("unrecorded", folder, size))
        else:
            notes.append(f"{path} ({amount(size)}) belongs to no record, and is left alone")
    return wastes, notes


def _in_cache(workspace: Workspace, found: References) -> Iterator[Waste]:
    files, runs = list((workspace.cache / "files" / "md5").glob("??/*")), list((workspace.cache / "runs").glob("*/*/*"))
    objects = {md5: path for path in files if MD5.fullmatch(md5 := path.parent.name + path.name)}
    entries = [path for path in runs if not path.name.startswith(".")]
    needed = set(found.digests)
    if found.reports:
        parsed = [run for path in entries if (run := _entry(path)) is not None]
        needed |= _of_baselines(parsed, objects, found.reports)
    for listing in [md5 for md5 in needed if md5.endswith(".dir") and md5 in objects]:
        needed |= digests_in(objects[listing].read_bytes())
    for md5, path in objects.items():
        if md5 not in needed:
            yield Waste("objects", path, _size(path))
    needed &= objects.keys()
    for path in entries:
        if not _is_whole(path, needed):
            yield Waste("runs", path, _size(path))
    for path in (*files, *runs):
        if path.name.startswith(".") and path.suffix == ".tmp":
            yield Waste("temporaries", path, _size(path))
    for path in sorted((workspace.cache / DAMAGED_FOLDER).glob("*")):
        yield Waste("damaged", path, _size(path))
    yield from _locks(workspace.cache / "locks")


def _is_whole(path: Path, kept: set[str]) -> bool:
    """Whether an entry of the run cache is somebody else's, or remembers an action whose results are all kept."""
    if (named := digests_in(path.read_bytes())) and named <= kept:
        return True  # by its text: most name nothing that is gone, and YAML takes a millisecond
    run = _entry(path)
    return run is not None and (
        not run.cmd.startswith(_OURS) or all(digest.md5 in kept for digest in run.outs.values())
    )


def _entry(path: Path) -> Record | None:
    """An entry of the run cache; None if it is damaged."""
    try:
        return tracking.record_of(tracking.parse_yaml(path.read_bytes(), str(path)))
    except (WorkspaceError, ValueError):
        return None


def _of_baselines(runs: Sequence[Record], objects: Mapping[str, Path], accepted: set[str]) -> set[str]:
    """What accepted reports were made from and what was made with them, by what a report says it is about."""
    makers: dict[tuple[str, str], list[Record]] = {}
    for run in runs:
        for digest in run.outs.values():
            makers.setdefault((str(run.params.get("recipe"))[:KEY_LENGTH], digest.md5), []).append(run)
    needed, followed = set[str](), set[tuple[str, str]]()
    pending = [run for run in runs if (about := _about(run, objects)) and about <= accepted]
    while pending:
        run = pending.pop()
        needed |= {digest.md5 for digest in run.outs.values()}
        for path, digest in run.deps.items():
            needed.add(digest.md5)
            if (made := (Path(path).parent.name[-KEY_LENGTH:], digest.md5)) not in followed:
                followed.add(made)
                pending += makers.get(made, ())
    return needed


def _about(run: Record, objects: Mapping[str, Path]) -> set[str]:
    """The variant, the engine and the graph that a report is about."""
    path = objects.get(run.outs["report.json"].md5) if "report.json" in run.outs else None
    if path is None:
        return set()
    try:
        page = reading.read(path, ReportIdentity, error=ConfigError)
    except ConfigError:
        return set()
    return {page["variant"]["id"], page["engine"]["sha256"], page["engine"]["onnx_sha256"]}


def _private(workspace: Workspace) -> Iterator[Waste]:
    for path in claim.stale(workspace.work):
        yield Waste("locks" if path.is_file() else "sandboxes", path, _size(path))
    for path in (workspace.private / "rerun").glob("*"):
        yield Waste("sandboxes", path, _size(path))
    yield from _locks(workspace.private / "locks")
    ours = (f".trtbuild/{folder}*.tmp" for folder in ("", "noop/", "records/", "state/"))
    for pattern in (*ours, "build/**/.*.tmp"):
        for path in workspace.root.glob(pattern):
            if time.time() - path.lstat().st_mtime > _WRITING_S:
                yield Waste("temporaries", path, _size(path))


def _locks(folder: Path) -> Iterator[Waste]:
    """Locks of steps: a build makes one anew for each, and never removes it."""
    for path in sorted(folder.glob("*.lock")):
        if not claim.is_held(path):
            yield Waste("locks", path, _size(path))


def _toolchains(found: References) -> Iterator[Waste]:
    packaged = References()
    for path in (packaged_conf() / "tensorrt").glob("*.yaml"):
        packaged.add_versions(path.read_bytes())
    for folder, version in toolchains.environments().items():
        if version not in found.versions | packaged.versions:
            yield Waste("toolchains", folder, _size(folder))


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(_size(Path(entry.path)) for entry in os.scandir(path))
    return path.lstat().st_size


def _remove(waste: Waste) -> None:
    path = waste.path
    if path.is_dir() and not path.is_symlink():
        (path / tracking.LOCK_FILE).unlink(missing_ok=True)  # first, so that no folder is half a result
        shutil.rmtree(path)
        return
    path.unlink(missing_ok=True)
    if waste.kind in ("objects", "runs"):
        with contextlib.suppress(OSError):  # the folder of its prefix, if that is empty now
            path.parent.rmdir()
