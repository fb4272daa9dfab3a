"""Tests of signed attestations: what a pull that requires them takes, and what it refuses by name."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.support.bundles import write_keys
from tests.support.fakes import FakeExecutor, build, plan
from tests.support.transfers import copy_records, remote_object, states, workspace
from tests.support.versions import OFF
from tests.support.versions import workspace as configured
from trtbuild.base.errors import ConfigError
from trtbuild.base.workspace import Workspace
from trtbuild.building.planned import Planned, plan_overrides
from trtbuild.core.job import Job
from trtbuild.core.step import Step
from trtbuild.loader.signature import PrivateKey, PublicKey
from trtbuild.pipeline import transfer
from trtbuild.remote.pull import pull
from trtbuild.remote.push import push
from trtbuild.remote.remotes import open_remote
from trtbuild.remote.transferresult import TransferResult
from trtbuild.store import Store


@pytest.fixture
def keys(tmp_path: Path) -> tuple[PrivateKey, PublicKey]:
    private, public = write_keys(tmp_path)
    return PrivateKey(private), PublicKey(public)


def pushed_with(store: Store, steps: list[Step], key: PrivateKey | None) -> TransferResult:
    store = Store(store.workspace)
    return push(steps, store, open_remote(store.workspace), lambda name: open_remote(store.workspace, name), key)


def pulled_with(store: Store, steps: list[Step], key: PublicKey | None) -> TransferResult:
    store = Store(store.workspace)
    return pull(steps, store, open_remote(store.workspace), lambda name: open_remote(store.workspace, name), key)


def attestations(store: Store) -> list[Path]:
    return sorted((store.root.parent / "remote" / "attestations").glob("*/*/*.dsse.json"))


def test_what_was_pushed_with_the_key_is_taken(
    pushed: Store, there: Store, steps: list[Step], keys: tuple[PrivateKey, PublicKey]
) -> None:
    """One attestation for each step, in DSSE, about its outputs by sha256; a second push writes the same bytes."""
    assert pushed_with(pushed, steps, keys[0]).notes == []
    before = {path: path.read_bytes() for path in attestations(pushed)}
    assert states(pushed_with(pushed, steps, keys[0])) == ["here"] * 3
    envelope = json.loads(next(iter(before.values())))
    statement = json.loads(base64.b64decode(envelope["payload"]))

    assert {path: path.read_bytes() for path in attestations(pushed)} == before and len(before) == 3
    assert statement["_type"] == "https://in-toto.io/Statement/v1" and len(statement["subject"][0]["digest"]) == 1
    assert states(pulled_with(there, steps, keys[1])) == ["moved"] * 3


def test_what_is_not_attested_is_refused_and_leaves_nothing(
    pushed: Store, there: Store, steps: list[Step], keys: tuple[PrivateKey, PublicKey]
) -> None:
    """Neither in the workspace nor in the cache; without the option it is taken."""
    result = pulled_with(there, steps, keys[1])

    assert states(result) == ["failed"] * 3 and result.failures[0].exit_status == 3
    assert f"{steps[0].folder} is not attested; push it with --key" in str(result.failures[0])
    assert not list(there.root.glob("build/*/*/out.bin")) and not list(there.root.glob("build/*/*/engine.plan"))
    assert not [path for path in (there.workspace.cache / "files").rglob("*") if path.is_file()]
    assert states(pulled_with(there, steps, None)) == ["moved"] * 3


@pytest.mark.parametrize("damage", ["another key", "another step's", "a changed byte", "not an envelope"])
def test_an_attestation_that_is_not_this_steps_is_refused(
    pushed: Store, there: Store, steps: list[Step], keys: tuple[PrivateKey, PublicKey], tmp_path: Path, damage: str
) -> None:
    """Whoever can write to the remote can write attestations, too."""
    key, public = keys
    if damage == "another key":
        other = tmp_path / "other.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", other], check=True)
        key = PrivateKey(other)
    pushed_with(pushed, steps, key)
    files = attestations(pushed)
    contents = [path.read_bytes() for path in files]
    for path, other_content in zip(files, contents[1:] + contents[:1], strict=True):
        if damage == "another step's":
            path.write_bytes(other_content)
        elif damage == "a changed byte":
            path.write_bytes(path.read_bytes().replace(b'"payload": "e', b'"payload": "f'))
            path.write_bytes(path.read_bytes().replace(b'"payload":"e', b'"payload":"f'))
        elif damage == "not an envelope":
            path.write_bytes(b"[]")
    result = pulled_with(there, steps, public)

    assert states(result) == ["failed"] * 3
    assert all(steps[i].folder in str(error) and "attest" in str(error) for i, error in enumerate(result.failures))


def test_a_forged_engine_is_refused_though_record_passport_and_remote_agree(
    pushed: Store, there: Store, steps: list[Step], keys: tuple[PrivateKey, PublicKey]
) -> None:
    """Git and the remote can both be somebody else's; the key is not."""
    pushed_with(pushed, steps, keys[0])
    forger = workspace(there.root.parent / "forger", there.root.parent / "elsewhere")

    def forge(job: Job) -> None:
        job.output("engine.plan").write_bytes(b"forged")
        job.write_json("passport.json", {"sha256": hashlib.sha256(b"forged").hexdigest()})

    build(forger, plan(steps[-1]), FakeExecutor({"engine": forge}))
    copy_records(forger, there)
    for step in steps:
        record = Store(forger.workspace).record(step)
        assert record is not None
        for name in record.outs:
            target = remote_object(forger, step, name)
            target.parent.mkdir(exist_ok=True)
            if not target.exists():
                target.write_bytes((forger.root / step.folder / name).read_bytes())
    result = pulled_with(there, steps, keys[1])

    assert states(result) == ["moved", "failed", "failed"]
    assert not (there.root / steps[1].folder / "engine.plan").exists()
    assert states(pulled_with(there, steps, None)) == ["moved" if step in steps[1:] else "here" for step in steps]


def test_the_config_names_the_key(tmp_path: Path, keys: tuple[PrivateKey, PublicKey]) -> None:
    """And a private key whose other half it is not cannot sign."""
    root = configured(tmp_path / "ws", ("m",))
    config = root / "conf" / "config.yaml"

    def planned(line: str) -> Planned:
        config.write_text(config.read_text("utf-8").split("\npublic_key")[0] + line, "utf-8")
        return plan_overrides(Workspace(root), ["model=m", *OFF], sweep=False)

    with pytest.raises(ConfigError, match="--require-signed: needs the key"):
        transfer.required_key(planned("\n"))
    (root / "keys").mkdir()
    (root / "keys" / "k.pem").write_bytes((tmp_path / "key.pub.pem").read_bytes())
    named = planned("\npublic_key: keys/k.pem\n")
    assert transfer.required_key(named).id == keys[1].id
    assert transfer.signing_key(named, tmp_path / "key.pem").id == keys[1].id
    with pytest.raises(ConfigError, match="the key cannot be read"):
        transfer.required_key(planned("\npublic_key: keys/none.pem\n"))
    with pytest.raises(ConfigError, match="public_key: expected the path of a file in the workspace"):
        planned("\npublic_key: /etc/key.pem\n")
    with pytest.raises(ConfigError, match="did you mean 'public_key'"):
        planned("\npublic_keys: k\n")
