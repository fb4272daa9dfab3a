"""How the end of a step in its sandbox (core/job.py) is read, and what is kept of one that failed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from trtbuild.base.environment import LEAST_SECRET
from trtbuild.base.errors import TrtbuildError, WorkerDied, system_error
from trtbuild.base.signatures import everything
from trtbuild.base.workspace import Workspace
from trtbuild.core.job import read_result
from trtbuild.core.step import Step
from trtbuild.workers.child import error_of
from trtbuild.workers.executors import Completion, Interpreter
from trtbuild.workers.executors.local import LocalExecutor
from trtbuild.workers.process import Death, full_disk


def check(step: Step, ended: Completion) -> None:
    """Raise the error in a finished step's result, or the meaning of its absence; a missing output is a bug."""
    if ended.error is not None:
        raise ended.error
    if ended.recorded:
        return
    result = read_result(ended.sandbox)
    if ended.exceeded:
        hint = "allow more, or see the log for what it was about"
        raise WorkerDied(str(Death.of_limit(ended.exceeded, ended.sandbox)), where=step.folder, hint=hint)
    if result is None:
        raise died(step, ended)
    if result.failure is not None:
        raise error_of(result.failure, step.kind, step.folder)
    missing = [out.name for out in step.outs if not (ended.sandbox / "out" / out.name).is_file()]
    if missing:
        raise TrtbuildError(f"{step.kind} did not write {missing[0]}", where=step.folder)


def run_alone(step: Step, folder: Path, interpreter: Interpreter, watch: Callable[[LocalExecutor], Completion]) -> None:
    """Run one prepared step outside any plan; ``watch`` waits for its end (and can show its log)."""
    executor = LocalExecutor(1)
    try:
        executor.start(step, folder, interpreter)
        check(step, watch(executor))
    finally:
        executor.stop()


def died(step: Step, ended: Completion) -> TrtbuildError:
    """The error for a worker without a result: full disk, out of memory, or a crash in what it called."""
    return full_disk(ended.sandbox) or Death.of(ended.returncode, ended.sandbox, log=False).error(step.folder)


def as_error(error: TrtbuildError | OSError, root: Path) -> TrtbuildError:
    """An operating system error as an environment error."""
    return error if isinstance(error, TrtbuildError) else system_error(error, str(root))


_FROM_ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:\s*([A-Za-z_]\w*)")


def environment_values(conf: Path, words: Iterable[str]) -> list[bytes]:
    """Values of the environment that configs or words name, as text and as JSON has it; the longest first."""
    texts = list(words)
    for path in everything([str(conf)]):
        if path.endswith(".yaml"):
            with contextlib.suppress(OSError):
                texts.append(Path(path).read_text("utf-8", "replace"))
    values = {os.environ.get(name, "") for text in texts for name in _FROM_ENVIRONMENT.findall(text)}
    forms = {form for value in values if len(value) >= LEAST_SECRET for form in (value, json.dumps(value)[1:-1])}
    return sorted((form.encode("utf-8", "surrogateescape") for form in forms), key=len, reverse=True)


def keep_log(workspace: Workspace, step: Step, sandbox: Path) -> str:
    """Keep a failed step's job and log until it fails again; returns the log's path, "" if it cannot be kept.

    Values that configs take from the environment (``${oc.env:TOKEN}``) are replaced: they are often secrets.
    """
    folder, secrets = workspace.private / "failed", environment_values(workspace.conf, sys.argv)
    target = folder / f"{step.model}.{Path(step.folder).name}"
    try:
        shutil.rmtree(target, ignore_errors=True)  # nothing from an older failure stays beside a newer one
        target.mkdir(parents=True, exist_ok=True)
        for name in ("job.json", "log.txt", "result.json", "out/build.log"):
            if (sandbox / name).exists():
                content = (sandbox / name).read_bytes()
                for secret in secrets:
                    content = content.replace(secret, b"***")
                (target / Path(name).name).write_bytes(content)
        return str(target / "log.txt")
    except OSError:
        return ""
