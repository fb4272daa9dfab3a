"""Tests of push and pull over a folder as remote, with made-up steps: what moves, what is refused, what is left out."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.fs import LocalFileSystem

from tests.support.fakes import FakeExecutor, RecordingStatus, build, chain, ended, plan, step
from trtbuild.base.errors import RemoteError
from trtbuild.base.workspace import Workspace
from trtbuild.core.job import Job
from trtbuild.core.step import File, Out, Step
from trtbuild.remote.pull import pull
from trtbuild.remote.push import push
from trtbuild.remote.remotes import Remote, answers, open_remote
from trtbuild.remote.resolve import object_file, resolve, runs_folder
from trtbuild.remote.transferresult import TransferResult, document, lines
from trtbuild.store import Store

ENGINE = (Out("engine.plan"), Out("passport.json"))


def seal(job: Job) -> None:
    """An engine and a passport with its sha256."""
    job.output("engine.plan").write_bytes(b"engine")
    job.write_json("passport.json", {"sha256": hashlib.sha256(b"engine").hexdigest()})


def workspace(folder: Path, remote: Path) -> Store:
    for name in (".git", ".dvc", "models"):
        (folder / name).mkdir(parents=True)
    (folder / ".dvc" / "config").write_text(f"[core]\n    remote = r\n['remote \"r\"']\n    url = {remote}\n", "utf-8")
    (folder / "models" / "source").write_text("1", "utf-8")
    made = Workspace(folder)
    made.prepare()
    return Store(made)


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return workspace(tmp_path / "here", tmp_path / "remote")


@pytest.fixture
def there(tmp_path: Path) -> Store:
    """Another machine: the same source and remote, no record."""
    return workspace(tmp_path / "there", tmp_path / "remote")


@pytest.fixture
def steps() -> list[Step]:
    """source -> a -> engine -> c."""
    a, _ = chain("a", "b")
    engine = step("engine", a, outs=ENGINE)
    return [a, engine, step("c", engine)]


@pytest.fixture
def pushed(here: Store, steps: list[Step]) -> Store:
    build(here, plan(steps[-1]), FakeExecutor({"engine": seal}))
    assert not move(push, here, steps).failures
    return here


def move(verb: Callable[..., TransferResult], store: Store, steps: list[Step]) -> TransferResult:
    store = Store(store.workspace)
    return verb(steps, store, open_remote(store.workspace), lambda name: open_remote(store.workspace, name))


def states(result: TransferResult) -> list[str]:
    return [entry.state for entry in result.entries]


def copy_records(source: Store, target: Store) -> None:
    """What git would bring."""
    shutil.copytree(
        source.root / "build", target.root / "build", ignore=shutil.ignore_patterns("*.bin", "*.plan", "*.json")
    )


def remote_object(store: Store, step: Step, name: str) -> Path:
    record = Store(store.workspace).record(step)
    assert record is not None
    return store.root.parent / "remote" / object_file(record.outs[name].md5)


@pytest.mark.parametrize("records", [True, False])
def test_another_machine_gets_it_by_record_or_by_run_cache(
    pushed: Store, there: Store, steps: list[Step], records: bool
) -> None:
    """And a build there runs nothing."""
    if records:
        copy_records(pushed, there)
    result = move(pull, there, steps)

    assert (states(result), result.objects) == (["moved"] * 3, 4)
    assert ended(build(there, plan(steps[-1])), *steps) == ["fresh"] * 3


def test_a_second_push_or_pull_moves_nothing(pushed: Store, there: Store, steps: list[Step]) -> None:
    """What is there already is neither sent nor fetched."""
    move(pull, there, steps)

    assert [states(move(verb, store, steps)) for verb, store in ((push, pushed), (pull, there))] == [["here"] * 3] * 2


def test_only_the_asked_steps_and_their_entries_are_pushed(here: Store, steps: list[Step]) -> None:
    """What else was built stays."""
    other = step("other", files=("models/source",))
    build(here, plan(steps[-1], other), FakeExecutor({"engine": seal}))
    move(push, here, steps)
    remote = here.root.parent / "remote"

    assert len(list((remote / "runs").glob("*/*/*"))) == 3
    assert not remote_object(here, other, "out.bin").exists()


@pytest.mark.parametrize("records", [True, False])
def test_a_changed_object_is_refused_by_name_and_leaves_nothing(
    pushed: Store, there: Store, steps: list[Step], records: bool
) -> None:
    """Neither in the cache nor in the workspace; the other steps come."""
    if records:
        copy_records(pushed, there)
    bad = remote_object(pushed, steps[1], "engine.plan")
    bad.chmod(0o644)
    bad.write_bytes(b"forged")
    result = move(pull, there, steps)

    assert states(result) == ["moved", "failed", "moved"]
    assert f"{steps[1].folder}/engine.plan is not what its record says (md5)" in str(result.failures[0])
    assert not there.objects.path(bad.parent.name + bad.name).exists()
    assert not (there.root / steps[1].folder / "engine.plan").exists()
    assert b"forged" not in [path.read_bytes() for path in there.root.rglob("*") if path.is_file()]


def test_an_engine_that_is_not_its_passports_is_refused(pushed: Store, there: Store, steps: list[Step]) -> None:
    """Also when record and md5 were changed with it; what was made from the right one no longer fits."""
    copy_records(pushed, there)
    good, forged = remote_object(pushed, steps[1], "engine.plan"), hashlib.md5(b"forged").hexdigest()
    (good.parents[1] / forged[:2]).mkdir(exist_ok=True)
    (good.parents[1] / forged[:2] / forged[2:]).write_bytes(b"forged")
    lock = there.root / steps[1].folder / "dvc.lock"
    lock.write_text(lock.read_text("utf-8").replace(good.parent.name + good.name, forged), "utf-8")
    result = move(pull, there, steps)

    assert states(result) == ["moved", "failed", "failed"]
    assert "engine.plan is not what its passport.json says (sha256)" in str(result.failures[0])
    assert not there.objects.path(forged).exists()
    assert not (there.root / steps[1].folder / "engine.plan").exists()


def test_a_record_cannot_name_a_file_outside_the_remote(
    pushed: Store, there: Store, steps: list[Step], capsys: pytest.CaptureFixture[str]
) -> None:
    """A digest becomes a path, here and there."""
    copy_records(pushed, there)
    (there.root.parent / "remote" / "files" / "md5" / "..").resolve().joinpath("x").write_bytes(b"x")
    lock = there.root / steps[0].folder / "dvc.lock"
    good = remote_object(pushed, steps[0], "out.bin")
    lock.write_text(lock.read_text("utf-8").replace(good.parent.name + good.name, "../../../../x"), "utf-8")
    result = move(pull, there, steps)

    assert states(result) == ["moved"] * 3  # the record is void: the run cache knows the step
    assert "dvc.lock: not a record of a: '../../../../x' is not an md5" in capsys.readouterr().err
    assert (there.root / steps[0].folder / "out.bin").read_bytes() != b"x"
    assert [path for path in there.root.parent.rglob("x") if path.is_file()] == [
        there.root.parent / "remote" / "files" / "x"
    ]


def test_a_changed_run_cache_entry_is_refused_by_name(pushed: Store, there: Store, steps: list[Step]) -> None:
    """Its name is its digest."""
    for entry in (there.root.parent / "remote" / "runs").glob("*/*/*"):
        entry.write_bytes(entry.read_bytes().replace(b"path: out.bin", b"path: out.bim"))

    with pytest.raises(RemoteError, match=f"entry .* of {steps[0].folder} is not what its name says"):
        move(pull, there, steps)


def test_a_dangling_run_cache_entry_is_a_miss(pushed: Store, there: Store, steps: list[Step]) -> None:
    """As ``dvc gc`` leaves them; what follows has no known input."""
    remote_object(pushed, steps[1], "engine.plan").unlink()
    result = move(pull, there, steps)

    assert states(result) == ["moved", "failed", "blocked"]
    assert "not in the remote run cache" in str(result.failures[0])
    assert [line for line in lines(result, "pull", ["a", "engine", "c"]) if line == "skip   c"]


def test_a_lost_object_is_named(pushed: Store, there: Store, steps: list[Step]) -> None:
    """The record says it exists; the remote does not have it."""
    copy_records(pushed, there)
    remote_object(pushed, steps[2], "out.bin").unlink()
    result = move(pull, there, steps)

    assert f"{steps[2].folder}/out.bin is not there" in str(result.failures[0])
    assert result.failures[0].exit_status == 3


def test_a_remote_whose_folder_is_gone_says_so(pushed: Store, there: Store, steps: list[Step]) -> None:
    """An absent mount is not an empty remote."""
    copy_records(pushed, there)
    shutil.rmtree(there.root.parent / "remote")

    with pytest.raises(RemoteError, match=r"remote 'r' .*: its folder is not there"):
        move(pull, there, steps)


def test_what_measures_another_device_is_left_out(pushed: Store, there: Store, steps: list[Step]) -> None:
    """With what reads it; the rest comes, and that is no failure."""
    latency = step("latency", steps[0], device={"cpu": "another"})
    result = move(pull, there, [*steps, latency, step("report", latency)])

    assert states(result) == ["moved"] * 3 + ["left"] * 2
    assert [entry.why for entry in result.entries[3:]] == [
        "it measures the device it runs on, and none was measured that is this one",
        "it reads latency, which is not there",
    ]
    assert not result.failures


def test_what_was_measured_elsewhere_comes_beside(here: Store, there: Store, steps: list[Step]) -> None:
    """By the records of other devices in git; here it stays unmeasured."""
    measured, unmeasured = (step("latency", steps[0], device={"cpu": name, "cores": 2}) for name in ("X", "Y"))
    report, own_report = step("report", measured), step("report", unmeasured)
    build(here, plan(report))
    move(push, here, [steps[0], measured, report])
    copy_records(here, there)
    result = move(pull, there, [steps[0], unmeasured, own_report])

    assert states(result) == ["moved", "left", "left", "moved", "moved"]
    assert [entry.step.folder for entry in result.entries[3:]] == [measured.folder, report.folder]
    assert result.entries[4].why == "measured on X, 2 cores"
    assert (there.root / report.folder / "out.bin").is_file()
    assert not (there.root / own_report.folder).exists()


def test_what_another_gpu_executed_comes_beside(here: Store, there: Store, steps: list[Step]) -> None:
    """An inference names the GPU alone, a measurement the CPU as well: both are found, each by its own part."""
    gpu, none = {"gpu": "a GPU", "driver": "1"}, {"gpu": None, "driver": None}
    infer, own_infer = (step("infer", steps[0], device={"gpu": found["gpu"]}) for found in (gpu, none))
    latency, own_latency = (
        step("latency", steps[0], device={"cpu": "X", "cores": 2, **found}) for found in (gpu, none)
    )
    build(here, plan(infer, latency))
    move(push, here, [steps[0], infer, latency])
    copy_records(here, there)
    result = move(pull, there, [steps[0], own_infer, own_latency])

    assert states(result) == ["moved", "left", "left", "moved", "moved"]
    assert {entry.why for entry in result.entries[3:]} == {"measured on a GPU", "measured on a GPU, X, 2 cores"}


def test_what_is_not_built_cannot_be_pushed(here: Store, steps: list[Step]) -> None:
    """The rest goes."""
    build(here, plan(steps[0]))
    result = move(push, here, steps)

    assert states(result) == ["moved", "failed", "blocked"]
    assert "cannot be pushed: never built here" in str(result.failures[0])


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


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_text("x" * path.stat().st_size, "utf-8")


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


def test_sources_are_known_by_their_listing_alone(here: Store, there: Store) -> None:
    """A folder of models.dvc is not fetched; its listing tells the digests that the key is made of."""
    one = step("a", files=("models/m/data",))
    for store in (here, there):
        listing = json.dumps([{"md5": hashlib.md5(b"data").hexdigest(), "relpath": "data"}]).encode()
        md5 = hashlib.md5(listing).hexdigest() + ".dir"
        (store.root / "models.dvc").write_text(
            f"outs:\n- {{md5: {md5}, size: 4, hash: md5, path: models/m}}\n", "utf-8"
        )
    (here.root / "models" / "m").mkdir()
    (here.root / "models" / "m" / "data").write_bytes(b"data")
    for name, content in ((md5, listing), (hashlib.md5(b"data").hexdigest(), b"data")):
        here.objects.path(name).parent.mkdir(parents=True, exist_ok=True)
        here.objects.path(name).write_bytes(content)
    build(here, plan(one))
    assert move(push, here, [one]).sources == (2, len(listing) + 4)

    assert states(move(pull, there, [one])) == ["moved"]
    assert not (there.root / "models" / "m").exists()
    assert ended(build(there, plan(one)), one) == ["fresh"]


def test_one_of_two_models_pushed_is_built_elsewhere(here: Store, there: Store) -> None:
    """All that a fresh machine needs of it goes over; the other model is not pushed, and not needed."""
    entries = ""
    for name in "ab":
        content = json.dumps([{"md5": hashlib.md5(name.encode()).hexdigest(), "relpath": "data"}]).encode()
        listing = hashlib.md5(content).hexdigest() + ".dir"
        entries += f"- {{md5: {listing}, size: 1, hash: md5, path: models/{name}}}\n"
        (here.root / "models" / name).mkdir()
        (here.root / "models" / name / "data").write_text(name, "utf-8")
        for md5, what in ((listing, content), (hashlib.md5(name.encode()).hexdigest(), name.encode())):
            here.objects.path(md5).parent.mkdir(parents=True, exist_ok=True)
            here.objects.path(md5).write_bytes(what)
    for store in (here, there):
        (store.root / "models.dvc").write_text(f"outs:\n{entries}", "utf-8")
    one, other = step("a", files=("models/a/data",)), step("b", files=("models/b/data",))
    build(here, plan(one, other))
    assert move(push, here, [one]).sources[0] == 2
    status = RecordingStatus()
    another = step("c", files=("models/a/data",))  # what nobody has built yet
    there, failing = Store(there.workspace), plan(other)

    assert ended(build(there, plan(another), status=status), another) == ["ran"]
    assert (there.root / "models" / "a" / "data").read_text("utf-8") == "a"
    assert [line for line in status.lines if line.startswith("note") and line.endswith("nothing here needs it")]
    (error,) = build(Store(there.workspace), failing).failures.values()
    assert str(error).startswith("models.dvc: models/b is not here, and remote 'r' (")
    assert str(error).endswith("does not have it; push it from a machine that has it (trtbuild push, or dvc push)")


def test_a_model_from_a_remote_that_is_gone_names_the_remote(here: Store, there: Store) -> None:
    """Which, and where it should be."""
    (there.root / "models.dvc").write_text(f"outs:\n- {{md5: {'a' * 32}, path: models/f}}\n", "utf-8")
    (error,) = build(Store(there.workspace), plan(step("a", files=("models/f",)))).failures.values()

    assert f"models/f is not here, and remote 'r' ({there.root.parent / 'remote'}): its folder is not there" in str(
        error
    )


def test_the_document_names_every_step(pushed: Store, there: Store, steps: list[Step]) -> None:
    """Folder, state and sums."""
    found = document(move(pull, there, steps), "r")

    assert [entry["folder"] for entry in found["steps"]] == [one.folder for one in steps]
    assert found["bytes"] == sum(entry["bytes"] for entry in found["steps"]) > 0


@pytest.mark.parametrize(
    ("config", "name", "said"),
    [
        ("", "", "no default remote is configured; run: dvc remote add -d NAME URL"),
        ("['remote \"r\"']\nurl = /x\n", "", "run: dvc remote default NAME or name one with --remote (r)"),
        ("['remote \"store\"']\nurl = /x\n", "stor", "there is no remote 'stor'; did you mean 'store'?"),
        ("['remote \"r\"']\nurl = s3://b\nversion_aware = true\n", "r", "trtbuild[s3]|is cloud-versioned"),
        ("['remote \"r\"']\nurl = /x\nnonsense = 1\n", "r", "config file error"),
    ],
)
def test_a_remote_that_is_not_configured_is_one_line(here: Store, config: str, name: str, said: str) -> None:
    """What is wrong, in which file, and what to run."""
    (here.root / ".dvc" / "config").write_text(config, "utf-8")

    with pytest.raises(RemoteError) as raised:
        open_remote(here.workspace, name)
    assert any(part in str(raised.value) for part in said.split("|"))
    assert str(here.root) in str(raised.value)


def test_passwords_in_urls_are_not_shown(here: Store) -> None:
    """Lines of errors end up in logs."""
    url = "https://user:secret@host/path"
    (here.root / ".dvc" / "config").write_text(f"['remote \"r\"']\nurl = {url}\n", "utf-8")

    assert str(open_remote(here.workspace, "r")) == "remote 'r' (https://user@host/path)"


def test_the_first_error_stops_the_rest() -> None:
    """A remote that went away is not asked for every object."""
    done: list[int] = []

    def work(item: int) -> None:
        done.append(item)
        if item == 3:
            raise RemoteError("gone")

    with pytest.raises(RemoteError, match="gone"):
        Remote("r", "/r", LocalFileSystem(jobs=1), "/r").each(range(100), work)
    assert done == [0, 1, 2, 3]


def test_a_transfer_in_which_nothing_moves_is_given_up() -> None:
    """A network that broke without a word."""
    stuck = threading.Event()

    def work(item: int) -> None:
        stuck.wait()

    with pytest.raises(RemoteError, match=r"nothing came or went for 0\.1 s"):
        Remote("r", "/r", LocalFileSystem(jobs=1), "/r").each([1], work, silence_s=0.1)
    stuck.set()


def test_a_key_is_looked_up_without_listing_the_run_cache(pushed: Store, there: Store, steps: list[Step]) -> None:
    """Only the folders of the asked keys are listed."""
    listed: list[str] = []

    class Watched(Remote):
        def files(self, folder: str) -> list[str]:
            listed.append(folder)
            return super().files(folder)

    plain = open_remote(there.workspace)
    found = resolve(steps, there, Watched(plain.name, plain.url, plain.fs, plain.root))

    assert [one.record is not None for one in found.values()] == [True] * 3
    assert len(listed) == 3
    assert all(folder.startswith("runs/") and len(folder) == len(runs_folder("0" * 64)) for folder in listed)
    assert File("models/source") in steps[0].inputs.values()


@pytest.mark.parametrize("records", [True, False])
def test_a_build_takes_from_the_default_remote_what_others_made(
    pushed: Store, there: Store, steps: list[Step], records: bool
) -> None:
    """By record, or by key from the remote's run cache; nothing runs."""
    if records:
        copy_records(pushed, there)

    assert ended(build(there, plan(steps[-1])), *steps) == ["pulled"] * 3


def test_a_metric_that_git_brought_need_not_be_on_the_remote(here: Store, there: Store) -> None:
    """Plain ``dvc push`` leaves it out; neither pull nor build runs the step for it."""
    one = step("a", files=("models/source",), outs=(Out("out.bin"), Out("metric.json", cache=False)))
    work = {"a": lambda job: [job.output(name).write_text(name, "utf-8") for name in ("out.bin", "metric.json")]}
    build(here, plan(one), FakeExecutor(work))
    move(push, here, [one])
    remote_object(here, one, "metric.json").unlink()
    copy_records(here, there)
    shutil.copy(here.root / one.folder / "metric.json", there.root / one.folder)

    assert ended(build(there, plan(one)), one) == ["pulled"]
    (there.root / one.folder / "out.bin").unlink()
    assert states(move(pull, there, [one])) == ["here"]
    assert (there.root / one.folder / "out.bin").is_file()


@pytest.mark.parametrize("records", [True, False])
def test_a_build_refuses_a_changed_object(pushed: Store, there: Store, steps: list[Step], records: bool) -> None:
    """It is an error by name, not a reason to build in silence."""
    if records:
        copy_records(pushed, there)
    bad = remote_object(pushed, steps[1], "engine.plan")
    bad.chmod(0o644)
    bad.write_bytes(b"forged")
    outcome = build(there, plan(steps[-1]))

    assert ended(outcome, *steps) == ["pulled", "failed", "blocked"]
    assert "engine.plan is not what its record says" in str(outcome.failures[steps[1].key])
    assert not (there.root / steps[1].folder / "engine.plan").exists()


def test_a_build_goes_on_without_a_remote_that_cannot_be_used(there: Store, steps: list[Step]) -> None:
    """Said once."""
    config = there.root / ".dvc" / "config"
    config.write_text(config.read_text("utf-8").replace("remote = r", "remote = gone"), "utf-8")
    status = RecordingStatus()

    assert ended(build(there, plan(steps[0]), status=status), steps[0]) == ["ran"]
    assert [line for line in status.lines if "there is no remote 'gone'" in line and "going on without" in line]
    assert sum("note" in line for line in status.lines) == 1


def test_a_remote_that_says_nothing_is_not_waited_for(here: Store) -> None:
    """A build asks once, with a limit."""
    asleep = threading.Event()

    class Asleep(Remote):
        def there(self) -> bool:
            return asleep.wait()

    with pytest.raises(RemoteError, match=r"no answer within 0\.05 s"):
        answers(Asleep("r", "ssh://x", None, "/"), 0.05)
    asleep.set()
