"""What is expected of every case, by TensorRT version: how the reviewed files are read, applied and proposed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trtbuild.base.errors import ConfigError, WorkspaceError
from trtbuild.store.tracking import read_yaml
from trtbuild.suite.stage import STAGES, Stage, Stages

PACKAGED = Path(__file__).resolve().parent / "expected"
CLASSES = ("no-gpu", "gpu")
RESULTS = ("no", "crash", "timeout", "untested")
Outcome = Literal["pass", "expected failure", "unexpected pass", "unexpected failure", "new"]
UNEXPECTED: tuple[Outcome, ...] = ("unexpected pass", "unexpected failure")
LONGEST_PART = 100  # of a message: enough to tell reasons apart, little enough to read in a diff
Expectation = dict[str, str]  # stage -> "result" or "result: part of the message"; {} is all yes


@dataclass(frozen=True)
class Judgement:
    outcome: Outcome
    news: str = ""  # what is said of an unexpected one
    expected: Expectation | None = None


def file_of(folder: Path, version: str) -> Path:
    return folder / f"{version}.yaml"


def _entries(path: Path) -> dict[str, object]:
    """What the file says of each case; {} where there is no file."""
    try:
        content: object = read_yaml(path)
    except WorkspaceError as error:  # people write this file: a mistake in it is a wrong word
        raise ConfigError(error.what, where=error.where, hint=error.hint) from None
    if content is None:
        return {}
    cases = content.get("cases") if isinstance(content, dict) else None
    if not isinstance(cases, dict):
        raise ConfigError("no mapping 'cases'", where=str(path), hint="restore it with git")
    return {str(name): entry for name, entry in cases.items()}


def read(path: Path, machine: str) -> dict[str, Expectation]:
    """Expectations of one file for one class of machines; a case that is recorded for the other class only is absent.

    Raises:
        ConfigError: the file is not in this format.
    """
    found = {}
    for name, entry in _entries(path).items():
        if isinstance(entry, dict) and set(entry) & set(CLASSES):
            if machine not in entry:
                continue
            entry = entry[machine]
        found[name] = _parse(entry, f"{path}: {name}")
    return found


def _parse(entry: object, where: str) -> Expectation:
    if entry == "ok":
        return {}
    if not isinstance(entry, dict) or not set(entry) <= set(STAGES) or not entry:
        raise ConfigError("expected 'ok' or {STAGE: VERDICT, …}", where=where, hint=f"stages: {', '.join(STAGES)}")
    parsed = {}
    for stage, value in entry.items():
        text = {True: "yes", False: "no"}.get(value, str(value))  # YAML reads a bare no as false
        result = text.partition(":")[0]
        if result not in (*RESULTS, "yes"):
            raise ConfigError(
                f"unknown result '{result}'", where=f"{where}.{stage}", hint=f"one of {', '.join(RESULTS)}"
            )
        if result != "yes":
            parsed[stage] = text
    return parsed


def judge(stages: Stages, expectation: Expectation | None, version: str) -> Judgement:
    """Strictly: every stage as expected, and a failure for the expected reason."""
    if expectation is None:
        return Judgement("new", "no expectation is recorded")
    better: list[str] = []
    worse: list[str] = []
    for stage in STAGES:
        have, want = stages.get(stage), expectation.get(stage)
        wanted, part = _split(want or "yes")
        if have is None:
            if want is not None:  # an earlier stage failed, and is reported itself
                worse.append(f"{stage}: not reached, {want} was expected")
        elif have.result != wanted:
            line = f"{stage}: {have.result}, {wanted} was expected" + (f": {have.says}" if have.says else "")
            (better if have.result == "yes" else worse).append(line)
        elif part and part not in have.says:
            worse.append(f"{stage}: {have.result} for another reason: {have.says}")
    if worse:
        how = "changed" if better else "regressed"
        return Judgement("unexpected failure", f"{how} in {version}: {'; '.join((*better, *worse))}", expectation)
    if better:
        return Judgement("unexpected pass", f"fixed in {version}: {'; '.join(better)}", expectation)
    failing = any(_split(text)[0] != "untested" for text in describe(stages).values())
    return Judgement("expected failure" if failing else "pass", "", expectation)


def _split(text: str) -> tuple[str, str]:
    result, _, part = text.partition(": ")
    return result, part


def describe(stages: Stages) -> Expectation:
    """The expectation that these stages meet."""
    return {name: _with_part(stages[name]) for name in STAGES if name in stages and stages[name].result != "yes"}


def _with_part(stage: Stage) -> str:
    part = part_of(stage.says)
    return f"{stage.result}: {part}" if part else stage.result


def part_of(says: str) -> str:
    """A part of a message that is the same on every machine: no values, no paths.

    >>> part_of("y: 3 of 6 values differ; -2 instead of -3 at [1]")
    'values differ'
    """
    for known in ("values differ", "other texts"):
        if known in says:
            return known
    says = re.sub(r"^((export|IBuilder::\w+|\w+Error): |\[[\w.]+::\w+::\d+\] )+", "", says)
    # Up to a path, a line number, an address or the second sentence: they move with every version and machine.
    cut = re.split(r" In \w+ at /| at /|/_?\w+/|::\d+\]|0x[0-9a-f]{4,}|; |: IBuilder", says)[0][:LONGEST_PART]
    return cut.strip().rstrip(":,")


def needs_device(stages: Stages) -> bool:
    """Whether something fails for lack of a GPU, and so on machines without one only."""
    return any(re.search(r"on a GPU only|where there is no GPU", stage.says) for stage in stages.values())


def propose(path: Path, version: str, machine: str, found: Mapping[str, Stages], known: Iterable[str]) -> str:
    """The whole file with these results in it; entries of cases that are not ``known`` any more are dropped."""
    entries = _entries(path)
    for name, stages in found.items():
        new = describe(stages) or "ok"
        old = entries.get(name)
        by_class = old if isinstance(old, dict) and set(old) & set(CLASSES) else {}
        entries[name] = {**by_class, machine: new} if needs_device(stages) or by_class else new
    wanted = set(known)
    lines = [
        f"# What is expected of each case with {version}; written by: trtbuild suite tensorrt={path.stem} --update"
    ]
    lines += [f"tensorrt: {version}", "cases:"]
    lines += [f"  {name}: {_line(entries[name])}" for name in sorted(entries) if name in wanted]
    return "\n".join(lines) + "\n"


def _line(entry: object) -> str:
    """ "ok", or a mapping in one line, its texts quoted: a bare no would be false in YAML."""
    if not isinstance(entry, dict):
        return str(entry)
    inner = []
    for key, value in entry.items():
        text = _line(value) if isinstance(value, dict) or value == "ok" else json.dumps(
            {True: "yes", False: "no"}.get(value, value), ensure_ascii=False)  # fmt: skip
        inner.append(f"{key}: {text}")
    return "{" + ", ".join(inner) + "}"
