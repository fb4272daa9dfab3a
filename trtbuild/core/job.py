"""The protocol between driver and worker: job.json in, result.json out, in one sandbox folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """One step to run; paths are relative to the sandbox: ``inputs`` by name, ``out`` the folder to write into."""

    kind: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    out: str
    workspace: str

    def input(self, name: str) -> Path:
        return Path(self.inputs[name])

    def output(self, name: str) -> Path:
        return Path(self.out, name)

    def stage(self, name: str) -> None:
        """Record what the worker is about to do, in case it dies doing it."""
        Path(self.out).with_name("stage").write_text(name, "utf-8")

    def questions(self) -> Iterator[Any]:
        """The driver's requests to a job that it talks to (workers/child.py), until it closes the channel."""
        channel = self.params["channel"]
        os.set_inheritable(channel, False)  # a program started from here would keep it open
        with open(channel, encoding="utf-8", closefd=False) as lines:
            for line in lines:
                yield json.loads(line)

    def answer(self, value: object) -> None:
        with open(self.params["channel"], "w", encoding="utf-8", closefd=False) as channel:
            channel.write(json.dumps(value) + "\n")

    def write_json(self, name: str, value: object) -> None:
        """Write one JSON output: sorted keys and a final newline, so that equal values give equal bytes."""
        text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
        self.output(name).write_text(text + "\n", "utf-8")

    def read_json(self, name: str) -> Any:
        return json.loads(self.input(name).read_text("utf-8"))


@dataclass(frozen=True)
class Failure:
    """An error as data; ``error`` is the name of a class in errors.py, or of a library's exception."""

    error: str
    what: str
    where: str = ""
    hint: str = ""
    details: tuple[str, ...] = ()
    traceback: str = ""

    def changed(self, text: Callable[[str], str]) -> Failure:
        """The same with each of its texts changed."""
        said = (text(self.what), text(self.where), text(self.hint))
        return Failure(self.error, *said, tuple(map(text, self.details)), text(self.traceback))


@dataclass(frozen=True)
class Result:
    ok: bool
    failure: Failure | None = None
    facts: Mapping[str, object] = field(default_factory=dict)  # peak memory, seconds: for people, never for keys


def prepare(sandbox: Path, kind: str, params: Mapping[str, object], inputs: Mapping[str, Path], root: Path) -> None:
    """Make a step's sandbox: ``in/`` links to the inputs, ``out/`` is written to, job.json has relative paths."""
    shutil.rmtree(sandbox, ignore_errors=True)
    (sandbox / "out").mkdir(parents=True)
    (sandbox / "in").mkdir()
    links = {}
    for name, path in inputs.items():
        links[name] = f"in/{name}{path.suffix}"  # Keras distinguishes its formats by suffix
        (sandbox / links[name]).symlink_to(path)
    (sandbox / "in" / "workspace").symlink_to(root)
    write_job(sandbox, Job(kind, params, links, "out", "in/workspace"))


def write_job(folder: Path, job: Job) -> None:
    (folder / "job.json").write_text(json.dumps(asdict(job), indent=1, sort_keys=True), "utf-8")


def read_job(folder: Path) -> Job:
    raw = json.loads((folder / "job.json").read_text("utf-8"))
    inputs = {name: str(folder / path) for name, path in raw["inputs"].items()}
    return Job(raw["kind"], raw["params"], inputs, str(folder / raw["out"]), str(folder / raw["workspace"]))


def write_result(folder: Path, result: Result) -> None:
    partial = folder / "result.json.part"
    partial.write_text(json.dumps(asdict(result), indent=1, sort_keys=True), "utf-8")
    os.replace(partial, folder / "result.json")


def read_result(folder: Path) -> Result | None:
    """The worker's result; None if it died before writing one."""
    try:
        raw = json.loads((folder / "result.json").read_text("utf-8"))
        failure = Failure(**{**raw["failure"], "details": tuple(raw["failure"]["details"])}) if raw["failure"] else None
        return Result(raw["ok"], failure, raw["facts"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
