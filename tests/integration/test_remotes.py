"""Whole pushes and pulls of a tiny variant: a folder, a real openssh server, a real S3 server, failures half way."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.clones import clone, configure, dvc, git, output, verified
from tests.integration.conftest import ROOT, Run, command
from tests.integration.servers import Door, Server, s3_server, ssh_server

pytestmark = pytest.mark.slow
WORDS = ("model=tiny", "precision=int8")
BIG = 3_000_000  # bytes more in an output, so that a transfer has a middle


@pytest.fixture(autouse=True)
def foreign_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/remotes.md says for servers that are not Amazon's; no proxy for loopback."""
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def built(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny variant, built once, its records in git."""
    workspace = tmp_path_factory.mktemp("built") / "ws"
    shutil.copytree(template, workspace, symlinks=True)
    done = command(*WORDS, cwd=workspace)
    assert done.returncode == 0, done.stderr
    git("add", "-A", cwd=workspace)
    git("commit", "-qm", "records", cwd=workspace)
    return workspace


@pytest.fixture
def here(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "ws", symlinks=True)
    return tmp_path / "ws"


@pytest.fixture(params=["ssh", "s3"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    made = {"ssh": ssh_server, "s3": s3_server}[request.param](tmp_path / "server")
    made.start()
    yield made
    made.kill()


def nothing_to_do(trtbuild: Run, workspace: Path) -> bool:
    said = trtbuild(*WORDS, cwd=workspace, check=0).stderr
    return "nothing to do" in said and "run  " not in said


@pytest.mark.parametrize("records", [True, False], ids=["records", "by-key"])
def test_a_fresh_clone_pulls_from_a_folder(here: Path, trtbuild: Run, records: bool) -> None:
    """Engine and report come, byte for byte; a build then runs nothing; plain dvc agrees and can push and pull too."""
    configure(here, {"url": str(here.with_name("store"))})
    trtbuild("push", *WORDS, check=0)
    there = clone(here, records=records)
    said = trtbuild("pull", *WORDS, "--json", cwd=there, check=0)

    assert output(there, "engine.plan").read_bytes() == output(here, "engine.plan").read_bytes()
    assert output(there, "overview.html").is_file()
    assert {step["state"] for step in json.loads(said.stdout)["steps"]} <= {"moved", "here"}
    assert not (there / "models" / "tiny").exists()
    assert nothing_to_do(trtbuild, there)
    dvc("pull", "models.dvc", cwd=there)
    assert "up to date" in dvc("status", cwd=there)
    assert "up to date" in dvc("push", cwd=there)


def test_a_pull_loads_no_model_tools(here: Path, trtbuild: Run) -> None:
    """Neither TensorFlow, ONNX nor TensorRT is imported, in the process or by a child."""
    configure(here, {"url": str(here.with_name("store"))})
    trtbuild("push", *WORDS, check=0)
    there = clone(here, records=False)
    script = (
        "import atexit, sys\n"
        "heavy = {'tensorflow', 'keras', 'tf2onnx', 'onnx', 'onnxruntime', 'tensorrt_rtx', 'polygraphy', 'numpy'}\n"
        "atexit.register(lambda: print('LOADED', *sorted(heavy & set(sys.modules))))\n"
        "def refuse(*a, **k): raise AssertionError('a child process')\n"
        "import subprocess; subprocess.Popen.__init__ = refuse\n"
        "from trtbuild.cli.main import main; main()\n"
    )
    argv = [sys.executable, "-c", script, "pull", *WORDS]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=there, capture_output=True, text=True, env=environment)

    assert (done.returncode, done.stdout.strip()) == (0, "LOADED"), done.stderr


@pytest.mark.parametrize("records", [True, False], ids=["records", "by-key"])
def test_a_fresh_clone_pulls_from_a_server(server: Server, here: Path, trtbuild: Run, records: bool) -> None:
    """The same over a network; what is not asked for is not sent."""
    configure(here, server.settings, server.port)
    trtbuild("push", *WORDS, check=0)
    assert "pushed 0 objects" in trtbuild("push", *WORDS, check=0).stderr
    there = clone(here, records=records)
    trtbuild("pull", *WORDS, cwd=there, check=0)

    assert output(there, "engine.plan").read_bytes() == output(here, "engine.plan").read_bytes()
    assert verified(there)
    assert nothing_to_do(trtbuild, there)


def test_a_server_that_is_down_is_one_line(server: Server, here: Path, trtbuild: Run) -> None:
    """Exit status 3, for push and for pull; a build says it and builds."""
    configure(here, server.settings, server.port)
    there = clone(here)
    server.kill()
    for verb, cwd in (("push", here), ("pull", there)):
        said = trtbuild(verb, *WORDS, cwd=cwd, check=3).stderr
        assert said.count("\n") == 1
        assert said.startswith("trtbuild: remote 'store' (")


def test_a_server_that_refuses_is_one_line(server: Server, here: Path, trtbuild: Run) -> None:
    """Wrong key or secret: exit status 3, and nothing secret is shown."""
    configure(here, server.settings | server.refused, server.port)
    said = trtbuild("push", *WORDS, check=3).stderr

    assert said.count("\n") == 1
    assert "it refuses: " in said
    assert not set(server.refused.values()) & set(said.split())


def enlarge(workspace: Path) -> None:
    """A build log of some megabytes, as if the engine had said much; its record tells."""
    log = output(workspace, "build.log")
    old = hashlib.md5(log.read_bytes()).hexdigest()
    size = log.stat().st_size
    log.write_bytes(hashlib.shake_256(b"x").digest(BIG))
    new = hashlib.md5(log.read_bytes()).hexdigest()
    cached = workspace / ".dvc" / "cache" / "files" / "md5" / new[:2] / new[2:]
    cached.parent.mkdir(exist_ok=True)
    shutil.copy(log, cached)
    lock = log.with_name("dvc.lock")
    text = lock.read_text("utf-8").replace(old, new).replace(f"size: {size}\n", f"size: {BIG}\n")
    lock.write_text(text, "utf-8")
    shutil.rmtree(workspace / ".dvc" / "cache" / "runs")
    git("commit", "-qam", "more", cwd=workspace)


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_a_server_killed_half_way_leaves_nothing_broken(server: Server, here: Path, trtbuild: Run, verb: str) -> None:
    """One line and exit status 3; what has arrived is whole; a rerun completes."""
    enlarge(here)
    if verb == "pull":
        configure(here, server.settings, server.port)
        trtbuild("push", *WORDS, check=0)
    door = Door(server.port, BIG // 2, "in" if verb == "pull" else "out", server.kill)
    configure(here, server.settings, door.port)
    there = clone(here)
    said = trtbuild(verb, *WORDS, cwd=there if verb == "pull" else here, check=3).stderr

    assert door.shut
    assert [line for line in said.splitlines() if line.startswith("trtbuild: remote 'store'")] == said.splitlines()
    verified(here)
    server.start()
    for workspace in (here, there):
        configure(workspace, server.settings, server.port)
    trtbuild("push", *WORDS, check=0)
    trtbuild("pull", *WORDS, cwd=there, check=0)
    assert output(there, "build.log").stat().st_size == BIG
    verified(there)


def test_a_pull_killed_half_way_leaves_nothing_broken(here: Path, trtbuild: Run, tmp_path: Path) -> None:
    """kill -9: every object in the cache is whole, and a rerun completes."""
    server = ssh_server(tmp_path / "server")
    server.start()
    try:
        enlarge(here)
        configure(here, server.settings, server.port)
        trtbuild("push", *WORDS, check=0)
        door = Door(server.port, BIG // 2, "in", lambda: time.sleep(30))
        configure(here, server.settings, door.port)
        there = clone(here)
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        argv = [sys.executable, "-m", "trtbuild", "pull", *WORDS]
        process = subprocess.Popen(argv, cwd=there, env=environment, stderr=subprocess.DEVNULL)
        while not door.shut and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

        configure(there, server.settings, server.port)
        trtbuild("pull", *WORDS, cwd=there, check=0)
        assert nothing_to_do(trtbuild, there)
        verified(there)
    finally:
        server.kill()


@pytest.mark.parametrize("how", ["pull", "build"])
def test_a_changed_engine_on_the_remote_is_refused_by_name(here: Path, trtbuild: Run, how: str) -> None:
    """Exit status 3, step and file; no byte of it in cache or workspace."""
    configure(here, {"url": str(here.with_name("store"))})
    trtbuild("push", *WORDS, check=0)
    plan = output(here, "engine.plan")
    md5 = hashlib.md5(plan.read_bytes()).hexdigest()
    bad = here.with_name("store") / "files" / "md5" / md5[:2] / md5[2:]
    bad.chmod(0o644)
    bad.write_bytes(plan.read_bytes()[:-1] + b"x")
    there = clone(here)
    said = trtbuild(*([how] if how == "pull" else []), *WORDS, cwd=there, check=3).stderr

    assert f"{plan.relative_to(here)} is not what its record says (md5)" in said
    assert not list(there.glob("build/tiny/engine-*/engine.plan"))
    assert not (there / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]).exists()
    assert verified(there)


def test_two_branches_that_each_add_a_variant_merge(here: Path, trtbuild: Run) -> None:
    """Real git, no conflict; both variants can be pulled by a third who has the merge."""
    configure(here, {"url": str(here.with_name("store"))})
    trtbuild("push", *WORDS, check=0)
    for precision in ("fp16", "bf16"):
        branch = clone(here, precision)
        git("checkout", "-qb", precision, cwd=branch)
        trtbuild("model=tiny", f"precision={precision}", cwd=branch, check=0)
        trtbuild("push", "model=tiny", f"precision={precision}", cwd=branch, check=0)
        git("add", "-A", cwd=branch)
        git("commit", "-qm", precision, cwd=branch)
        git("push", "-q", "origin", precision, cwd=branch)
    git("merge", "-q", "-m", "fp16", "fp16", cwd=here)
    git("merge", "-q", "-m", "bf16", "bf16", cwd=here)
    third = clone(here, "third")
    for precision in ("fp16", "bf16", "int8"):
        trtbuild("pull", "model=tiny", f"precision={precision}", cwd=third, check=0)
        assert "nothing to do" in trtbuild("model=tiny", f"precision={precision}", cwd=third, check=0).stderr


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core less is another device; there is one only")
def test_latency_of_another_device_is_left_out(here: Path, trtbuild: Run) -> None:
    """Its step and the report that shows it are named; engine, and the report as measured there, come; status 0."""
    words = (*WORDS, "latency=default", "latency.warmup_s=0", "latency.seconds=0.1", "latency.rounds=2")
    configure(here, {"url": str(here.with_name("store"))})
    trtbuild(*words, check=0)
    trtbuild("push", *words, check=0)
    git("add", "-A", cwd=here)
    git("commit", "-qm", "latency", cwd=here)
    there = clone(here)
    one_core = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
    argv = [*one_core, sys.executable, "-m", "trtbuild", "pull", *words]
    done = subprocess.run(argv, cwd=there, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})

    assert done.returncode == 0, done.stderr
    assert "left   tiny/latency-int8-onnxruntime  (it measures the device it runs on" in done.stderr
    assert "left   tiny/report-int8-rtx-1.7-onnxruntime  (it reads latency" in done.stderr
    assert output(there, "engine.plan").is_file()
    assert len(list(there.glob("build/tiny/report-*/latency.html"))) == 1
    assert done.stderr.count("(measured on ") == 2
