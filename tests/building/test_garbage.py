"""Tests of what gc removes: nothing that a branch, a tag, a stash, a working tree, a baseline or a build needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading

import pytest

from tests.support.fakes import FakeExecutor, build, chain, ended, plan, step
from tests.support.publishing import plant
from trtbuild.base.errors import ConfigError, WorkspaceError
from trtbuild.base.workspace import Workspace
from trtbuild.building.garbage import Garbage, check_others, find, free
from trtbuild.cli.main import run
from trtbuild.core.job import Job
from trtbuild.core.step import Out, Step
from trtbuild.store import Store, usage


@pytest.fixture(autouse=True)
def no_toolchains(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def store(dvc_store: Store) -> Store:
    """In a real git repository, which ignores what those of trtbuild ignore."""
    plant(dvc_store.root, {".gitignore": "/models\n/.trtbuild\n/.dvc/cache\n/.dvc/tmp\n*.bin\n"})
    git(dvc_store, "config", "user.name", "x")
    git(dvc_store, "config", "user.email", "x@x")
    return dvc_store


def git(store: Store, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=store.root, check=True, capture_output=True, text=True).stdout


def built(store: Store, content: str) -> Step:
    """A step, built from a source with this content."""
    (one,) = chain("a")
    plant(store.root / "models", {"source": content})
    assert not build(store, plan(one)).failures
    return one


def committed(store: Store, content: str) -> Step:
    one = built(store, content)
    git(store, "add", "-A")
    git(store, "commit", "-qm", content)
    return one


def kinds(garbage: Garbage) -> dict[str, int]:
    found = [waste.kind for waste in garbage.wastes if waste.kind != "locks"]
    return {kind: found.count(kind) for kind in sorted(set(found))}


def freed(store: Store) -> dict[str, int]:
    garbage, failed = free(store.workspace, None, with_toolchains=False)
    assert not failed
    assert kinds(find(store.workspace, None)) == {}, "a second time there is nothing"
    return kinds(garbage)


def test_every_branch_tag_and_stash_is_restored_afterwards(store: Store) -> None:
    """Without running anything; what none of them refers to is gone."""
    committed(store, "tagged")
    git(store, "tag", "-a", "-m", "x", "old")
    committed(store, "branch")
    git(store, "checkout", "-q", "-b", "other")
    committed(store, "other")
    built(store, "stashed")
    git(store, "stash", "-q")
    built(store, "dropped")
    git(store, "checkout", "-q", ".")
    assert freed(store) == {"objects": 1, "runs": 1}

    (one,) = chain("a")
    for name, content in (("old", "tagged"), ("other~1", "branch"), ("other", "other"), ("stash", "stashed")):
        git(store, "checkout", "-q", "-f", "other") if name == "stash" else git(store, "checkout", "-q", name)
        if name == "stash":
            git(store, "stash", "pop", "-q")
        plant(store.root / "models", {"source": content})
        assert ended(build(store, plan(one)), one) == ["restored"], name
        assert (store.root / one.folder / "out.bin").read_text("utf-8") == f"a({content})"


def test_work_that_is_in_no_commit_is_kept(store: Store) -> None:
    """Records of the working tree, of the index, and of another working tree of the repository."""
    committed(store, "1")
    git(store, "worktree", "add", "-q", "--detach", str(store.root / "tree"))
    built(store, "2")
    shutil.copytree(store.root / "build", store.root / "tree" / "build", dirs_exist_ok=True)
    built(store, "3")
    git(store, "add", "-A", "build")
    built(store, "4")

    assert freed(store) == {}


def test_a_dry_run_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And says what would be freed, why, and how."""
    committed(store, "1")
    built(store, "2")
    git(store, "checkout", "-q", ".")
    monkeypatch.chdir(store.root)
    before = sorted(store.root.rglob("*"))
    assert run(["gc", "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert run(["gc"]) == 0

    assert sorted(store.root.rglob("*")) == before
    assert [(kind["kind"], kind["count"], kind["freed"]) for kind in page["kinds"]][:2] == [
        ("objects", 1, 0), ("runs", 1, 0),
    ]  # fmt: skip
    shown = capsys.readouterr().out
    assert "no branch, tag, stash, working tree or baseline refers to them" in shown and "trtbuild gc --yes" in shown
    assert run(["gc", "--yes"]) == 0 and "freed" in capsys.readouterr().out


def test_a_tracked_folder_keeps_its_files(store: Store) -> None:
    """Those that its listing names, of a models.dvc in a commit only."""
    files = [store.objects.adopt(plant(store.root, {name: name}) / name) for name in ("a", "b")]
    listing = json.dumps([{"md5": file.md5, "relpath": f"{i}"} for i, file in enumerate(files)])
    md5 = store.objects.adopt(plant(store.root, {"l": listing}) / "l").md5
    store.objects.path(md5).rename(store.objects.path(f"{md5}.dir"))
    store.objects.adopt(plant(store.root, {"c": "c"}) / "c")
    plant(store.root, {"models.dvc": f"outs:\n- {{md5: {md5}.dir, path: models/m}}\n"})
    git(store, "add", "models.dvc")
    git(store, "commit", "-qm", "x")
    (store.root / "models.dvc").unlink()

    assert freed(store) == {"objects": 1}
    assert all(store.objects.has(file) for file in files)


def test_a_damaged_record_keeps_what_it_names(store: Store) -> None:
    """As one in the middle of a merge is."""
    one = built(store, "1")
    lock = store.root / one.folder / "dvc.lock"
    lock.write_text("<<<<<<< HEAD\n" + lock.read_text("utf-8"), "utf-8")

    assert freed(store) == {}


def test_a_baseline_keeps_the_report_that_was_accepted(store: Store) -> None:
    """And all that it was made from, though no record is left of them; not that of another engine."""
    for i, sha in enumerate(("1" * 64, "2" * 64)):
        page = {"variant": {"id": "v"}, "engine": {"sha256": sha, "onnx_sha256": sha}}
        source = step("a", files=("models/source",))
        report = step("report", source, outs=(Out("report.json"),))
        plant(store.root / "models", {"source": str(i)})
        work = {"report": lambda job, page=page: job.output("report.json").write_text(json.dumps(page), "utf-8")}
        assert not build(store, plan(report), FakeExecutor(work)).failures
        plant(store.root, {"baselines/m/v.json": json.dumps(page)} if i == 0 else {})
    shutil.rmtree(store.root / "build")

    assert freed(store) == {"objects": 2, "runs": 2}
    plant(store.root / "models", {"source": "0"})
    assert ended(build(store, plan(report)), source, report) == ["restored", "restored"]


@pytest.mark.parametrize("kind", ["report", "validate"])
def test_the_newest_of_a_name_stays(store: Store, kind: str) -> None:
    """And one that a sweep's page links to."""

    def judge(job: Job) -> None:
        job.write_json("verdict.json", {"passed": True, "checks": {}})

    made = []
    for i in range(3):
        one = step(kind, files=("models/source",), outs=(Out("verdict.json"),), number=i)
        plant(store.root / "models", {"source": "1"})
        build(store, plan(one), FakeExecutor({kind: judge}))
        os.utime(store.root / one.folder / "dvc.lock", (i, i))
        made.append(store.root / one.folder)
    plant(store.root, {"build/sweeps/1/sweep.json": f'"../../m/{made[0].name}/overview.html"'})

    assert freed(store)["reports"] == 1
    assert [folder.exists() for folder in made] == [True, False, True]


def test_the_newest_of_a_clone_is_the_one_committed_last(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout gives every file its own time, in any order."""
    made = []
    for i in range(3):
        one = step("report", files=("models/source",), number=i)
        plant(store.root / "models", {"source": "1"})
        build(store, plan(one))
        made.append(store.root / one.folder)
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{10**9 + i} +0000")
        git(store, "add", "-A")
        git(store, "commit", "-qm", "x")
    for i, folder in enumerate(made):
        os.utime(folder / "dvc.lock", (5000 - i, 5000 - i))

    assert freed(store)["reports"] == 2
    assert [folder.exists() for folder in made] == [False, False, True]


def test_leftovers_of_killed_commands_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sandboxes, locks and half-written files, but not what another command holds."""
    monkeypatch.setattr("trtbuild.building.garbage._WRITING_S", -1.0)
    built(store, "1")
    plant(store.workspace.private, {"state/.a.tmp": "", "records/.a.tmp": "", "noop/a.tmp": "", "composed.1.tmp": ""})
    plant(store.workspace.work, {"build-1.lock": "", "build-1/job.json": "{}", "older/job.json": "{}"})
    plant(store.workspace.cache / "files" / "md5" / "00", {".x.tmp": "half"})
    with store.workspace.scratch("check") as held:
        plant(store.workspace.work, {"build-2.lock": "", "build-2/job.json": "{}"})
        plant(store.workspace.cache / "damaged", {"log.txt": ""})
        assert freed(store) == {"sandboxes": 2, "temporaries": 5, "damaged": 1}
        assert held.is_dir()
    assert list((store.workspace.cache / "locks").iterdir()) == []


def test_nothing_goes_while_a_build_runs(store: Store) -> None:
    """Its results have objects before they have a record."""
    started, go_on = threading.Event(), threading.Event()

    def waiting(job: object) -> None:
        started.set()
        assert go_on.wait(20)

    (one,) = chain("a")
    plant(store.root / "models", {"source": "1"})
    builder = threading.Thread(target=build, args=(store, plan(one), FakeExecutor({"a": waiting})))
    builder.start()
    assert started.wait(20)
    with pytest.raises(WorkspaceError, match="a build uses the cache"):
        free(store.workspace, None, with_toolchains=False)
    go_on.set()
    builder.join()
    free(store.workspace, None, with_toolchains=False)


def sharing(store: Store, name: str) -> Store:
    """Another workspace, on the same cache."""
    other = Workspace(store.root.parent / f"{store.root.name}-{name}")
    for folder in (other.dvc, other.root / "models", other.root / ".git"):
        folder.mkdir(parents=True)
    plant(other.dvc, {"config": f"[core]\nno_scm = true\n[cache]\ndir = {store.workspace.cache}\n"})
    (other.root / ".git").rmdir()
    return Store(Workspace(other.root))


def test_the_cache_of_several_workspaces_is_left_alone(store: Store) -> None:
    """Until all of them are named, and then what each needs stays."""
    committed(store, "1")
    built(store, "dropped")
    git(store, "checkout", "-q", ".")
    other = sharing(store, "other")
    one = built(other, "2")
    for each in (store, other):
        garbage = find(each.workspace, None)
        assert kinds(garbage) == {} and "the cache is left alone" in " ".join(garbage.notes)
    with pytest.raises(ConfigError, match="another cache"):
        check_others(
            store.workspace,
            [sharing(Store(other.workspace), "none").root, plant(store.root / "x", {".dvc/config": ""})],
        )
    named = check_others(store.workspace, [store.root, other.root])
    garbage, _ = free(store.workspace, named, with_toolchains=False)

    assert kinds(garbage) == {"objects": 1, "runs": 1}
    (other.root / one.folder / "out.bin").unlink()
    assert ended(build(other, plan(one)), one) == ["restored"]


def test_a_workspace_that_is_gone_is_named(store: Store) -> None:
    """It may be on another machine: its mark says what to do."""
    other = sharing(store, "other")
    built(other, "2")
    shutil.rmtree(other.root)
    (note,) = find(store.workspace, []).notes
    (mark,) = usage.marks(store.workspace)
    assert str(other.root) in note and str(mark) in note
    mark.unlink()
    assert kinds(find(store.workspace, None)) == {"objects": 1, "runs": 1}


def test_what_cannot_be_known_is_said(store: Store) -> None:
    """A shallow clone, and no git at all; a repository that git cannot read stops everything."""
    committed(store, "1")
    committed(store, "2")
    there = store.root.parent / f"{store.root.name}-clone"
    subprocess.run(["git", "clone", "-q", "--depth", "1", store.root.as_uri(), there], check=True)
    (there / ".dvc").mkdir(exist_ok=True)
    assert "a shallow clone" in " ".join(find(Workspace(there), None).notes)
    shutil.rmtree(there / ".git")
    assert "no git repository" in " ".join(find(Workspace(there), None).notes)
    (store.root / ".git" / "HEAD").write_text("broken", "utf-8")
    with pytest.raises(WorkspaceError, match="git"):
        find(store.workspace, None)
