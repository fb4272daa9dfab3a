"""Tests of push: what is sent, what is not, and why."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import pytest

from tests.support.fakes import FakeExecutor, build, plan, step
from tests.support.transfers import damage, move, remote_object, seal, states
from trtbuild.base.errors import RemoteError, WorkspaceError
from trtbuild.base.workspace import Workspace
from trtbuild.core.job import Job
from trtbuild.core.step import Step
from trtbuild.remote.push import push
from trtbuild.remote.resolve import object_file
from trtbuild.store import Store


def test_only_the_asked_steps_and_their_entries_are_pushed(here: Store, steps: list[Step]) -> None:
    """What else was built stays."""
    other = step("other", files=("models/source",))
    build(here, plan(steps[-1], other), FakeExecutor({"engine": seal}))
    move(push, here, steps)
    remote = here.root.parent / "remote"

    assert len(list((remote / "runs").glob("*/*/*"))) == 3
    assert not remote_object(here, other, "out.bin").exists()


def test_what_is_not_built_cannot_be_pushed(here: Store, steps: list[Step]) -> None:
    """The rest goes."""
    build(here, plan(steps[0]))
    result = move(push, here, steps)

    assert states(result) == ["moved", "failed", "blocked"]
    assert "cannot be pushed: never built here" in str(result.failures[0])


def test_another_users_workspace_is_pushed_from(
    here: Store, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without writing in it."""
    build(here, plan(steps[-1]), FakeExecutor({"engine": seal}))

    def refused(workspace: Workspace) -> None:
        raise WorkspaceError("the workspace cannot be written", where=str(workspace.root))

    monkeypatch.setattr(Workspace, "prepare", refused)
    assert states(move(push, here, steps)) == ["moved"] * len(steps)


def test_a_full_remote_says_so_and_keeps_no_half_file(
    here: Store, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What had arrived before is kept; with space again, the rest goes."""
    build(here, plan(steps[-1]), FakeExecutor({"engine": seal}))

    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfile", full)
        with pytest.raises(RemoteError, match=r"^remote 'r' .*: no space left on the device; free space there"):
            move(push, here, steps)
    assert [path for path in (here.root.parent / "remote").rglob("*") if path.is_file()] == []
    assert states(move(push, here, steps)) == ["moved"] * len(steps)


def test_the_first_writer_wins(pushed: Store, there: Store, steps: list[Step]) -> None:
    """A second result of the same action goes over for its own records, and is not what others find."""
    config = there.root / ".dvc" / "config"
    text = config.read_text("utf-8")
    config.write_text(text.replace("remote = r", "analytics = false"), "utf-8")  # so that it does not find the first
    work = {"a": lambda job: job.output("out.bin").write_text("other", "utf-8")}
    build(Store(Workspace(there.root)), plan(steps[0]), FakeExecutor(work))
    config.write_text(text, "utf-8")
    result = move(push, there, steps[:1])
    key_folders = [
        path for path in (there.root.parent / "remote" / "runs").glob("*/*") if len(list(path.iterdir())) > 1
    ]

    assert (states(result), key_folders) == (["moved"], [])
    assert "has another result" in result.notes[0]


def test_a_damaged_object_is_not_pushed(here: Store, steps: list[Step]) -> None:
    """The workspace's copy goes in its place, as long as that is what the record says."""
    build(here, plan(steps[0]))
    record = here.record(steps[0])
    assert record is not None
    good = (here.root / steps[0].folder / "out.bin").read_bytes()
    damage(here.objects.path(record.outs["out.bin"].md5))

    assert states(move(push, here, steps[:1])) == ["moved"]
    assert remote_object(here, steps[0], "out.bin").read_bytes() == good
    assert [path.name for path in (here.workspace.cache / "damaged").iterdir()].count(record.outs["out.bin"].md5) == 1


def test_what_is_damaged_in_cache_and_workspace_is_not_pushed(here: Store, steps: list[Step]) -> None:
    """Nothing goes, and the output is named."""
    build(here, plan(steps[0]))
    record = here.record(steps[0])
    assert record is not None
    damage(here.objects.path(record.outs["out.bin"].md5))
    damage(here.root / steps[0].folder / "out.bin")
    result = move(push, here, steps[:1])

    assert f"{steps[0].folder}/out.bin is neither here nor on the remote" in str(result.failures[0])
    assert not remote_object(here, steps[0], "out.bin").exists()


def test_an_engine_that_is_not_its_passports_is_not_pushed(here: Store, steps: list[Step]) -> None:
    """Whoever put another engine under the record and its md5 did not make its passport anew."""

    def forge(job: Job) -> None:
        seal(job)
        job.output("engine.plan").write_bytes(b"forged")

    build(here, plan(steps[1]), FakeExecutor({"engine": forge}))
    result = move(push, here, steps[:2])

    assert states(result) == ["moved", "failed"]
    assert "engine.plan is not what its passport.json says (sha256)" in str(result.failures[0])
    assert not remote_object(here, steps[1], "engine.plan").exists()


@pytest.mark.parametrize("damaged", ["listing", "member", "file"])
def test_damaged_objects_of_a_model_are_not_pushed(here: Store, damaged: str) -> None:
    """Files come from the workspace where it has the recorded bytes; nothing wrong goes."""
    contents = {"member": b"data", "file": b"a file"}
    names = {what: hashlib.md5(content).hexdigest() for what, content in contents.items()}
    contents["listing"] = json.dumps([{"md5": names["member"], "relpath": "data"}]).encode()
    names["listing"] = hashlib.md5(contents["listing"]).hexdigest() + ".dir"
    (here.root / "models" / "m").mkdir()
    (here.root / "models" / "m" / "data").write_bytes(b"data")
    (here.root / "models" / "f").write_bytes(b"a file")
    (here.root / "models.dvc").write_text(
        f"outs:\n- {{md5: {names['listing']}, path: models/m}}\n- {{md5: {names['file']}, path: models/f}}\n", "utf-8"
    )
    for what, name in names.items():
        here.objects.path(name).parent.mkdir(parents=True, exist_ok=True)
        here.objects.path(name).write_bytes(contents[what])
    damage(here.objects.path(names[damaged]))
    one = step("a", files=("models/m/data", "models/f"))
    build(here, plan(one))
    result = move(push, here, [one])

    sent = {what: (here.root.parent / "remote" / object_file(name)) for what, name in names.items()}
    assert all(not path.exists() or path.read_bytes() == contents[what] for what, path in sent.items())
    assert {what for what, path in sent.items() if path.exists()} == ({"file"} if damaged == "listing" else set(names))
    assert bool(result.notes) == (damaged == "listing")


def test_a_short_object_of_a_broken_upload_is_sent_again(pushed: Store, steps: list[Step]) -> None:
    """Sizes are compared, not only names."""
    target = remote_object(pushed, steps[2], "out.bin")
    target.chmod(0o644)
    target.write_bytes(target.read_bytes()[:1])

    assert states(move(push, pushed, steps)) == ["here", "here", "moved"]
    assert target.stat().st_size > 1


def test_engines_that_are_there_are_not_read_again(
    pushed: Store, steps: list[Step], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the YAML of run-cache entries: a push of a large plan with nothing to do is a matter of listings."""
    read: list[str] = []
    monkeypatch.setattr("trtbuild.remote.push.broken_seal", lambda step, record, store: read.append(step.kind) or "")
    monkeypatch.setattr("trtbuild.remote.push.remote_record", lambda *words: read.append("entry"))
    assert [entry.state for entry in move(push, pushed, steps).entries] == ["here"] * 3
    assert read == []
