"""One recorded report, as a commit or the worktree has it -> its variant and numbers.

``summary.json`` has all of it.  Records of before have it in other files: verdict, deviation and latency in git, the
size of the plan in the engine's ``dvc.lock``, and the rest in ``report.json``, if DVC's cache has that.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from trtbuild.base.workspace import Workspace
from trtbuild.core.verdict import word_of
from trtbuild.documents import reading
from trtbuild.documents.deviation import Deviation
from trtbuild.documents.latency import Latency
from trtbuild.documents.report import Report
from trtbuild.documents.trend import Numbers, Summary, VariantAxes
from trtbuild.documents.verdict import Verdict
from trtbuild.latency.interval import subject
from trtbuild.reports.summary import summary, task_score, worst

T = TypeVar("T")
_ENTRY = re.compile(r"^ *- path: (\S+)\n(?: +hash: md5\n)? +md5: '?([0-9a-f]{32})'?\n(?: +size: (\d+))?", re.M)
_AXIS = re.compile(r"^ +(id|model|precision|tensorrt|runtime|target|calibration): '?([^'\n]+?)'?$", re.M)
_VARIANT = re.compile(r"^( +)variant:\n((?:\1 +.*\n)+)", re.M)


class DamagedRecord(Exception):
    """A record that cannot be read: ``path`` and ``why``."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why = path, why


@dataclass(frozen=True)
class Entry:
    md5: str
    size: int | None


@dataclass(frozen=True)
class Source:
    """Where bytes come from: blobs that were read from git, or with ``files`` the worktree; and DVC's cache."""

    workspace: Workspace
    blobs: Mapping[str, bytes]
    files: bool = False

    def worktree(self) -> Source:
        return replace(self, files=True)

    def read(self, path: str, at: Mapping[str, str], entry: Entry | None = None) -> bytes | None:
        """A file's bytes; ``at``: the blob of every path; ``entry``: its record, by which the cache may have it."""
        if self.files:
            place = self.workspace.root / path
            return place.read_bytes() if place.is_file() else None
        if (blob := at.get(path)) is not None and blob in self.blobs:
            return self.blobs[blob]
        if entry is None:
            return None
        place = self.workspace.cache / "files" / "md5" / entry.md5[:2] / entry.md5[2:]
        return place.read_bytes() if place.is_file() else None


def variant_of(lock: str, at: Mapping[str, str], source: Source) -> VariantAxes:
    found = _summary(lock, at, source)
    if found is not None:
        return found["variant"]
    text = _text(lock, at, source)
    block = _VARIANT.search(text)
    axes = dict(_AXIS.findall(block[2])) if block else {}
    if set(axes) != set(VariantAxes.__annotations__):
        raise DamagedRecord(lock, "it does not name its variant")
    return cast("VariantAxes", axes)


def numbers(lock: str, at: Mapping[str, str], source: Source) -> Numbers | None:
    """None where neither git nor the cache has them.

    Raises:
        DamagedRecord: a record is not of its type.
    """
    found = _summary(lock, at, source)
    if found is None:
        found = _report(lock, at, source)
    if found is not None:
        return {key: value for key, value in found.items() if key in Numbers.__annotations__}  # type: ignore[return-value]
    return _before_summaries(lock, at, source)


def _summary(lock: str, at: Mapping[str, str], source: Source) -> Summary | None:
    path = posixpath.join(posixpath.dirname(lock), "summary.json")
    raw = source.read(path, at)
    if raw is None:
        raw = source.read(path, at, _entries(lock, at, source).get("summary.json"))
    return None if raw is None else _document(raw, Summary, path)


def _report(lock: str, at: Mapping[str, str], source: Source) -> Summary | None:
    path = posixpath.join(posixpath.dirname(lock), "report.json")
    raw = source.read(path, at, _entries(lock, at, source).get("report.json"))
    if raw is None:
        return None
    try:
        return summary(_document(raw, Report, path))
    except DamagedRecord:
        return None  # of an older schema; what git holds can still be read


def _before_summaries(lock: str, at: Mapping[str, str], source: Source) -> Numbers | None:
    folder, entries = posixpath.dirname(lock), _entries(lock, at, source)

    def of(name: str, kind: type[T]) -> T | None:
        for dep, entry in entries.items():
            if dep.startswith("../") and dep.endswith(f"/{name}"):
                path = posixpath.normpath(posixpath.join(folder, dep))
                raw = source.read(path, at, entry)
                return None if raw is None else _document(raw, kind, path)
        return None

    verdict, deviation = of("verdict.json", Verdict), of("deviation.json", Deviation)
    latency = of("latency.json", Latency)
    if verdict is None:
        return None
    side = latency["sides"][subject(list(latency["sides"]))] if latency and latency["sides"] else None
    return {
        "verdict": word_of(verdict), "task": task_score(verdict),
        "deviation": worst(deviation["hops"]["total"].values()) if deviation else {},
        "plan_bytes": _plan_bytes(folder, entries, at, source), "moved_bytes": None, "layers": None,
        "p50_ms": side["p50_ms"]["value"] if side and side["measured"] else None,
    }  # fmt: skip


def _plan_bytes(folder: str, entries: Mapping[str, Entry], at: Mapping[str, str], source: Source) -> int | None:
    for dep in entries:
        if dep.startswith("../") and dep.endswith("/passport.json"):
            lock = posixpath.normpath(posixpath.join(folder, posixpath.dirname(dep), "dvc.lock"))
            plan = _entries(lock, at, source).get("engine.plan")
            return plan.size if plan else None
    return None


def _entries(lock: str, at: Mapping[str, str], source: Source) -> dict[str, Entry]:
    """The deps and outs of a dvc.lock by path, as DVC and trtbuild write them; YAML itself would take milliseconds."""
    found = _ENTRY.findall(_text(lock, at, source))
    return {path: Entry(md5, int(size) if size else None) for path, md5, size in found}


def _text(lock: str, at: Mapping[str, str], source: Source) -> str:
    raw = source.read(lock, at)
    if raw is None:
        return ""
    text = raw.decode("utf-8", "replace")
    if "\nstages:" not in f"\n{text}":
        raise DamagedRecord(lock, "it has no stages")
    return text


def _document(raw: bytes, kind: type[T], path: str) -> T:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise DamagedRecord(path, "not a JSON document") from None
    if fault := reading.fault_of(value, kind):
        raise DamagedRecord(path, fault)
    return cast("T", value)
