"""Tests of the CI jobs in docs/ci: valid YAML, commands that exist, and what their scripts do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from trtbuild.cli import words

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "ci"
LOG = 'echo "$(basename "$0") $*" >> calls; '
# Programs that note how they were called.  The third build fails its thresholds.
FAKES = {
    "python": f'{LOG}if [ "$1" = -c ]; then exec "$PYTHON" "$@"; fi',
    "trtbuild": f'{LOG}if [ "$1" = show ]; then echo "## net: FAIL"; else exit 1; fi',
    "gh": f'{LOG}case "$*" in *--jq*) echo "$KNOWN";; esac',
    "curl": f'{LOG}case "$*" in *per_page*) echo "$KNOWN";; esac',
}


def job(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text("utf-8"))


def scripts(name: str) -> list[str]:
    """One script for each shell that the job starts."""
    if name == "gitlab":
        return ["\n".join(job(name)["trtbuild"]["script"])]
    return [step["run"] for step in job(name)["jobs"]["build"]["steps"] if "run" in step]


def play(folder: Path, name: str, **environment: str) -> tuple[int, list[str]]:
    """Run a job's scripts with fake programs; returns the status of the last one, and the calls."""
    (folder / "bin").mkdir()
    for program, script in FAKES.items():
        (folder / "bin" / program).write_text(f"#!/bin/bash\n{script}\n", "utf-8")
        (folder / "bin" / program).chmod(0o755)
    values = {
        "PATH": f"{folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin", "PYTHON": sys.executable,
        "VARIANTS": "-m model=net precision=fp16", "GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "page",
        "GITHUB_REPOSITORY": "a/b", "NUMBER": "7", "CI_API_V4_URL": "api", "CI_PROJECT_ID": "1", **environment,
    }  # fmt: skip
    status = 0
    for script in scripts(name):
        output = folder / "output"
        said = dict(line.split("=") for line in output.read_text("utf-8").split()) if output.exists() else {}
        ready = script.replace("${{ steps.build.outputs.status }}", said.get("status", ""))
        status = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", ready], cwd=folder, env=values).returncode
    return status, (folder / "calls").read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_a_job_reads_as_yaml_and_calls_what_exists(name: str) -> None:
    """Every trtbuild command in it parses."""
    variants = "-m model=segnet precision=fp16,int8"
    text = (FOLDER / f"{name}.yml").read_text("utf-8")
    assert f"VARIANTS: {variants} #" in text
    commands = re.findall(r"trtbuild ((?:[a-z]+ )?(?:--[a-z]+ )?)\$VARIANTS", "\n".join(scripts(name)))

    assert [words.parse(f"{command}{variants}".split()).verb for command in commands] == ["build", "show"]


@pytest.mark.parametrize(
    ("known", "call"), [("", "POST repos/a/b/issues/7"), ("5", "PATCH repos/a/b/issues/comments/5")]
)
def test_github_gets_one_comment_and_the_status_of_the_build(tmp_path: Path, known: str, call: str) -> None:
    """A second run replaces its text; the job fails after that."""
    status, calls = play(tmp_path, "github", KNOWN=known)

    assert status == 1
    assert calls[-1].startswith(f"gh api --silent -X {call}") and calls[-1].endswith(" -F body=@comment.md")
    assert (tmp_path / "comment.md").read_text("utf-8") == "<!-- trtbuild -->\n## net: FAIL\n"
    assert (tmp_path / "page").exists()


@pytest.mark.parametrize(("known", "end"), [([], "notes"), ([{"id": 9, "body": "<!-- trtbuild -->\nold"}], "notes/9")])
def test_gitlab_gets_one_comment_and_the_status_of_the_build(tmp_path: Path, known: list[object], end: str) -> None:
    """POST for the first one, PUT for the next."""
    told = json.dumps(known)

    status, calls = play(tmp_path, "gitlab", KNOWN=told, TRTBUILD_TOKEN="secret", CI_MERGE_REQUEST_IID="3")

    assert status == 1
    assert calls[-1].startswith(f"curl -fsS -o /dev/null -X {'PUT' if known else 'POST'}") and calls[-1].endswith(end)


def test_gitlab_without_a_token_keeps_the_file(tmp_path: Path) -> None:
    """And talks to nobody."""
    status, calls = play(tmp_path, "gitlab", KNOWN="[]")

    assert status == 1 and not any(call.startswith("curl") for call in calls)
    assert (tmp_path / "trtbuild.md").read_text("utf-8").endswith("## net: FAIL\n")
