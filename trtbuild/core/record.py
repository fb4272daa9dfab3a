"""A step's record in dvc.lock: the digests it read and wrote, as plain values; tracking.py reads and writes them."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass

from trtbuild.core.step import Step

PARAMS_FILE = "params.yaml"
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True, slots=True)
class Digest:
    """DVC's md5 of a file or folder (folders end in ``.dir``), its size in bytes, and its number of files."""

    md5: str
    size: int | None = None
    files: int | None = None


def digest_of(entry: object) -> Digest:
    """The digest in an entry of dvc.lock, models.dvc, the run cache or a folder's listing.

    All digests are checked here: one becomes the path of an object, so a forged one could name any file.

    Raises:
        ValueError: there is none, or it is not 32 lowercase hex digits (with ``.dir`` for a folder).
    """
    if not isinstance(entry, Mapping) or "md5" not in entry:
        raise ValueError("an entry has no md5")
    md5, size, files = entry["md5"], entry.get("size"), entry.get("nfiles")
    if not isinstance(md5, str) or not MD5.fullmatch(md5):
        raise ValueError(f"{md5!r:.80} is not an md5")
    return Digest(md5, size if type(size) is int else None, files if type(files) is int else None)


@dataclass(frozen=True)
class Record:
    """One stage of a dvc.lock; paths of ``deps`` are relative to the step's folder.

    Sorted, wherever it was read: what is made from it (a bundle, an attestation) must not depend on that.
    """

    cmd: str
    deps: Mapping[str, Digest]
    params: Mapping[str, object]
    outs: Mapping[str, Digest]

    def __post_init__(self) -> None:
        object.__setattr__(self, "deps", dict(sorted(self.deps.items())))
        object.__setattr__(self, "outs", dict(sorted(self.outs.items())))


def command(step: Step) -> str:
    """The stage's command: short and constant, since DVC makes it part of its key."""
    return f"trtbuild step {step.kind}"


def dep_path(step: Step, path: str) -> str:
    """A workspace path as seen from the step's folder; posixpath.relpath, which reads the current one, takes longer."""
    there, here = posixpath.normpath(path).split("/"), step.folder.split("/")
    same = 0
    while same < min(len(there), len(here)) and there[same] == here[same]:
        same += 1
    return "/".join([".."] * (len(here) - same) + there[same:])


def params(step: Step) -> dict[str, object]:
    """The content of params.yaml: the whole request, enough to run the step again from its folder alone."""
    return {
        "kind": step.kind,
        "version": step.version,
        "environment": step.environment,
        "inputs": {name: dep_path(step, source.path) for name, source in step.inputs.items()},
        "outs": [out.name for out in step.outs],
        "params": dict(step.params),
        "recipe": step.key,  # distinguishes what DVC's hash does not (see without_sizes)
    }


def new_record(step: Step, digests: Mapping[str, Digest], outs: Mapping[str, Digest]) -> Record:
    """What is recorded of a step that read these inputs, by workspace path, and made these outputs, by name."""
    return Record(command(step), {dep_path(step, path): digest for path, digest in digests.items()}, params(step), outs)


def action_key(step: Step, digests: Mapping[str, Digest]) -> str:
    """DVC's run-cache key of the step with these inputs (sha256, 64 hex digits).

    ``digests`` maps workspace paths of the inputs.  The format is that of ``dvc/stage/cache.py`` in DVC 3: the
    sha256 of the stage's lock entry as sorted JSON, with outputs by path only, sizes left out, all lists sorted
    by path.
    """
    entry = {
        "cmd": command(step),
        "deps": sorted(
            ({"path": dep_path(step, p), "hash": "md5", "md5": d.md5} for p, d in digests.items()), key=_path
        ),
        "params": {PARAMS_FILE: params(step)},
        "outs": sorted(out.name for out in step.outs),
    }
    return sorted_sha256(without_sizes(entry))


def without_sizes(value: object) -> object:
    """DVC leaves these names out of a hash at every depth, also inside parameters."""
    if isinstance(value, Mapping):
        return {k: without_sizes(v) for k, v in value.items() if k not in ("size", "nfiles")}
    return [without_sizes(item) for item in value] if isinstance(value, list) else value


def _path(entry: Mapping[str, str]) -> str:
    return entry["path"]


def sorted_sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def same(a: Digest | None, b: Digest | None) -> bool:
    """Whether the content is equal; sizes and file counts are only hints."""
    return a is not None and b is not None and a.md5 == b.md5
