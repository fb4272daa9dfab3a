"""The verb bisect: the TensorRT version at which a variant's verdict, output, build or engine layers changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from trtbuild.base.errors import ConfigError, PlaceError, TrtbuildError
from trtbuild.base.text import did_you_mean, printable
from trtbuild.base.workspace import find_workspace
from trtbuild.building.planned import Planned, only, plan_combinations
from trtbuild.building.run import build_planned
from trtbuild.building.states import Outcome, VariantState, variant_states
from trtbuild.config import sweep
from trtbuild.documents.compiled import CompiledEngine
from trtbuild.documents.report import Report
from trtbuild.documents.sweep import SweepEntry
from trtbuild.engine.comparison import recorded
from trtbuild.engine.units import inside, layers_of
from trtbuild.pipeline import sweeppage
from trtbuild.pipeline.versionsearch import BisectionResult, bisect
from trtbuild.reports.changes import output_changes
from trtbuild.reports.compare import compare
from trtbuild.reports.compareengine import layer_changes
from trtbuild.workers import cluster
from trtbuild.workers.forks import one_nursery

FUSION = "fusion"
WHAT = ("verdict", "output", "built", FUSION)
HINT = "trtbuild bisect model=M precision=P tensorrt=A,B,C"
Build = Callable[[Planned], Outcome]


class VersionRow(TypedDict):
    """``value`` is None if the version could not be tried here, or was not looked at."""

    version: str
    value: str | None
    looked_at: bool
    built_now: bool
    reason: str


class BisectDocument(TypedDict):
    """What ``bisect --json`` prints (docs/upgrade.md)."""

    schema_version: int
    what: str
    scope: str
    versions: list[VersionRow]
    before: str | None
    first: str | None
    between: list[str]
    monotonic: bool
    ends_agree: bool
    unseen: list[str]
    builds: int
    changes: list[str]


@cluster.held()
@one_nursery()
def run(
    overrides: Sequence[str], what: str = WHAT[0], *, scope: str = "", install: bool = True, as_json: bool = False,
    build: Build | None = None,
) -> int:  # fmt: skip
    """0 whatever the result; the status of the error if an end could not be tried on this machine.

    Raises:
        ConfigError: not one variant in two or more versions, or no layer of any engine is in ``scope``.
    """
    search = Search(overrides, what, build or (lambda p: build_planned(p, install=install)), scope)
    result = search.run()
    document = search.document(result)
    print(json.dumps(document, indent=1) if as_json else "\n".join(printable(line) for line in lines(document)))
    ends = (search.errors.get(version) for version in (result.versions[0], result.versions[-1]))
    return max((error.exit_status for error in ends if isinstance(error, PlaceError)), default=0)


class Search:
    """One variant in several versions, planned together and built one by one, as the search needs them."""

    def __init__(self, overrides: Sequence[str], what: str, build: Build, scope: str = "") -> None:
        workspace = find_workspace(Path.cwd())
        combinations = sweep.expand(workspace.root, overrides)
        chosen = {c: [word.partition("=")[2] for word in c if word.startswith("tensorrt=")] for c in combinations}
        self.versions = tuple(versions[0] for versions in chosen.values() if versions)
        others = {tuple(word for word in c if not word.startswith("tensorrt=")) for c in combinations}
        if len(others) > 1:
            raise ConfigError("expects one variant: only tensorrt may have several values", where="bisect", hint=HINT)
        if len(self.versions) < 2:
            raise ConfigError("expects two or more versions, in order", where="bisect", hint=HINT)
        self.p = plan_combinations(workspace, combinations)
        self.words = {versions[0]: " ".join(c) for c, versions in chosen.items()}
        self.what, self.build, self.scope = what, build, scope
        self.entries: dict[str, SweepEntry] = {}
        self.errors: dict[str, TrtbuildError] = {
            v: self.p.invalid[w] for v, w in self.words.items() if w in self.p.invalid
        }
        self.unrecorded: set[str] = set()
        self.built: list[str] = []  # in the order of their builds

    def run(self) -> BisectionResult:
        recorded = variant_states(self.p)
        self._look([v for v in self.versions if not self._invalid(v) and recorded[self._name(v)].built], recorded)
        ends = (self.versions[0], self.versions[-1])
        self._try([version for version in ends if version not in self.entries])
        self._check_scope()
        known = {version: self._value(version) for version in self.entries}
        return bisect(self.versions, self._observe, known)

    def _check_scope(self) -> None:
        engines = [engine for version in self.versions if (engine := self._engine(version)) is not None]
        scopes = {row["scope"] for engine in engines for row in engine["rows"]}
        if engines and not any(inside(scope, self.scope) for scope in scopes):
            parents = {"/".join(parts[: i + 1]) for scope in scopes for parts in [scope.split("/")] for i in range(2)}
            what = f"no layer of the engine is in the scope '{self.scope}'"
            raise ConfigError(what, where="--scope", hint=did_you_mean(self.scope, (parents | scopes) - {""}))

    def _observe(self, versions: Sequence[str]) -> Mapping[str, str | None]:
        self._try(versions)
        return {version: self._value(version) for version in versions}

    def _invalid(self, version: str) -> bool:
        return self.words[version] in self.p.invalid

    def _name(self, version: str) -> str:
        """The id of its variant, or its words if they are invalid."""
        return self.p.named.get(self.words[version], self.words[version])

    def _try(self, versions: Sequence[str]) -> None:
        """Build these versions as one plan; an invalid one needs no build."""
        wanted = [version for version in versions if not self._invalid(version)]
        outcome = Outcome()
        if wanted:
            outcome = self.build(only(self.p, [self._name(version) for version in wanted]))
        states = variant_states(self.p, outcome)
        self.built += [version for version in wanted if states[self._name(version)].made_anew]
        self._look(versions, states)

    def _look(self, versions: Sequence[str], states: Mapping[str, VariantState]) -> None:
        entries = {e["id"]: e for e in sweeppage.entries(self.p, states, self.p.workspace.root)} if versions else {}
        for version in versions:
            self.entries[version] = entries[self._name(version)]
            if not self._invalid(version) and (failure := states[self._name(version)].failure) is not None:
                self.errors[version] = failure

    def _value(self, version: str) -> str | None:
        """The value to compare; None if this machine, not the version, is the reason for a failure."""
        entry = self.entries[version]
        if isinstance(self.errors.get(version), PlaceError) and not self._invalid(version):
            return None
        if entry["report"] is None:
            return "not built"
        if self.what == "built":
            return "built"
        if self.what == FUSION:
            return self._fusion(version)
        return entry["state"] if self.what == "verdict" else self._output(entry["report"])

    def _engine(self, version: str) -> CompiledEngine | None:
        """The layers of its engine; None where they are not known."""
        report = self.entries[version]["report"] if version in self.entries else None
        return None if report is None else recorded(report.get("compiled"))

    def _fusion(self, version: str) -> str | None:
        """The layers compared with those of the first end whose layers are known."""
        engine = self._engine(version)
        if engine is None:
            self.unrecorded.add(version)
            return None
        for end in (self.versions[0], self.versions[-1], version):
            if (first := self._engine(end)) is not None:
                equal = layers_of(engine, self.scope) == layers_of(first, self.scope)
                return f"as in {end}" if equal else f"other than in {end}"
        return None

    def _output(self, report: Report) -> str:
        """The outputs compared with those of the first end that is built: "as in X", or "other than in X"."""
        for end in (self.versions[0], self.versions[-1]):
            if (first := self.entries[end]["report"]) is not None:
                return f"other than in {end}" if output_changes(compare(report, first)) else f"as in {end}"
        return "built"

    def document(self, found: BisectionResult) -> BisectDocument:
        """What ``--json`` prints."""
        rows: list[VersionRow] = [
            {
                "version": version, "value": found.values.get(version), "looked_at": version in found.values,
                "built_now": version in self.built,
                "reason": self._why(version),
            }
            for version in self.versions
        ]  # fmt: skip
        changes: list[str] = []
        if found.before is not None and found.after is not None:
            changes = self._changes(found.after, found.before)
        return {
            "schema_version": 1, "what": self.what, "scope": self.scope, "versions": rows,
            "before": found.before, "first": found.after,
            "between": list(found.between), "monotonic": len(found.changes) < 2,
            "ends_agree": found.values[self.versions[0]] == found.values[self.versions[-1]],
            "unseen": list(found.unseen), "builds": len(self.built), "changes": changes,
        }  # fmt: skip

    def _why(self, version: str) -> str:
        if version in self.errors:
            return str(self.errors[version])
        return "the layers of its engine are not recorded" if version in self.unrecorded else ""

    def _changes(self, after: str, before: str) -> list[str]:
        new, old = self.entries[after]["report"], self.entries[before]["report"]
        if new is None or old is None:
            return []
        if self.what != FUSION:
            return output_changes(compare(new, old))
        engines = self._engine(after), self._engine(before)
        return layer_changes(engines[0], engines[1], self.scope) if engines[0] and engines[1] else []


def _subject(document: BisectDocument) -> str:
    """What changed or did not, as a line begins with it."""
    if document["what"] != FUSION:
        return document["what"]
    return f"the layers of scope {document['scope']}" if document["scope"] else "the layers of the engine"


def lines(document: BisectDocument) -> list[str]:
    """The document for a terminal: a line for each version, then the result."""
    shown = []
    for row in document["versions"]:
        unknown = "not known" if document["what"] == FUSION else "could not be tried here"
        value = (row["value"] or unknown) if row["looked_at"] else "not looked at"
        how = " (built now)" if row["built_now"] else ""
        shown.append(f"{row['version']}: {value}{how}{': ' + row['reason'] if row['reason'] else ''}")
    ends = [document["versions"][0], document["versions"][-1]]
    if any(row["value"] is None for row in ends):
        shown.append("nothing is known: both ends have to be tried")
    elif document["first"] is None:
        rest = f"; not looked at: {', '.join(document['unseen'])}" if document["unseen"] else ""
        shown.append(f"the ends agree: no change of {_subject(document)} was found{rest}")
    else:
        where = f"first changed in {document['first']}, after {document['before']}"
        if document["between"]:
            where = f"changed after {document['before']} and by {document['first']}"
            where += f"; not tried: {', '.join(document['between'])}"
        shown.append(f"{_subject(document)} {where}")
        shown += [f"  {change}" for change in document["changes"]]
        if document["ends_agree"]:
            shown.append("the ends agree: it changed there and back")
        if not document["monotonic"]:
            shown.append("it changed more than once; this is the first change among the versions that were looked at")
    builds = document["builds"]
    return [*shown, f"{builds} of {len(document['versions'])} versions built now"]
