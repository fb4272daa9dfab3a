"""An interpreter for tests: a few lines of Python in the place of a toolchain's, which get the worker's words."""

from __future__ import annotations

import sys
from pathlib import Path

# What run.py does for a job, in the standard library of the interpreter that runs the tests.
PROLOGUE = """
import json, os, signal, subprocess, sys, time
sandbox = sys.argv[3]
job = json.load(open(os.path.join(sandbox, "job.json")))
channel = job["params"]["channel"]
def answer(value): os.write(channel, json.dumps(value).encode() + b"\\n")
def stage(name): open(os.path.join(sandbox, "stage"), "w").write(name)
def result(**more):
    with open(os.path.join(sandbox, "result.json"), "w") as file:
        json.dump({"ok": True, "failure": None, "facts": {}, **more}, file)
questions = map(json.loads, open(channel, closefd=False))
"""


def interpreter(folder: Path, body: str) -> Path:
    """A program in ``folder`` that runs ``body`` for a worker's command line."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "body.py"
    script.write_text(PROLOGUE + body, "utf-8")
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n', "utf-8")
    python.chmod(0o755)
    return python
