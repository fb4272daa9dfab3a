"""Tests of what a reader of bundles refuses, each by its reason, before anything is deserialised."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.support import bundlecases
from tests.support.bundles import CONTENTS, PLAN, FakeRuntime, contents, write, write_keys
from trtbuild.base.errors import BundleError, ConfigError
from trtbuild.bundle.writing import write_archive
from trtbuild.loader import load, open_bundle
from trtbuild.loader.bundle import check_statement

CHANGES, SEED = 30, 7


def refusal(path: Path, key: Path | None = None) -> BundleError:
    """The refusal of a loader; it has deserialised nothing."""
    runtime = FakeRuntime()
    with pytest.raises(BundleError) as caught:
        load(path, key=key, runtime=runtime)
    assert runtime.plans == []
    assert caught.value.exit_status == 3 and "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("archive", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_a_good_bundle_is_loaded(tmp_path: Path, signed: bool, archive: bool) -> None:
    """The very bytes that were hashed are deserialised, and the self-test passes."""
    files = contents(tmp_path, signed=signed)
    place = tmp_path / "bundle"
    (write_archive if archive else write)(place, files)
    runtime, key = FakeRuntime(), tmp_path / "key.pub.pem"
    loaded = load(place, key=key if signed else None, runtime=runtime)

    assert runtime.plans == [PLAN]
    assert loaded.bundle.signature == ("valid" if signed else "none")
    assert open_bundle(place).signature == ("not checked" if signed else "none")
    assert check_statement(loaded.bundle, key if signed else None)


@pytest.mark.parametrize("name", bundlecases.names())
def test_what_is_wrong_is_refused_by_reason_and_file(tmp_path: Path, name: str) -> None:
    """Every case of tests/support/bundlecases.py."""
    place, key, reason, where = bundlecases.case(tmp_path, name)
    error = refusal(place, key)

    assert (error.reason, error.where) == (reason, where)


def test_a_key_asks_for_its_own_signature(tmp_path: Path) -> None:
    """No signature, another length, another key's, another manifest's; and the wrong kinds of key files."""
    bundle = write(tmp_path / "signed", contents(tmp_path, signed=True))
    other = tmp_path / "other"
    other.mkdir()
    private, public = write_keys(tmp_path)
    signature = (bundle / "manifest.sig").read_bytes()

    assert refusal(write(tmp_path / "plain", contents(tmp_path)), public).reason == "unsigned"
    for wrong in (signature[:-1], signature + b"\n", bytes(64), b"", signature[32:] + signature[:32]):
        (bundle / "manifest.sig").write_bytes(wrong)
        assert refusal(bundle, public).reason == "signature"
    (bundle / "manifest.sig").unlink()
    assert refusal(bundle, public).reason == "unsigned"
    assert refusal(bundle).reason == "missing"  # the manifest says that it is signed
    for text in ("-----BEGIN PUBLIC KEY-----\n", "", private.read_text("ascii")):
        (other / "key").write_text(text, "ascii")
        with pytest.raises(ConfigError, match="key"):
            load(bundle, key=other / "key", runtime=FakeRuntime())
    with pytest.raises(ConfigError, match=r"cannot be read: .*; write it with"):
        load(bundle, key=other / "nothing", runtime=FakeRuntime())


@pytest.mark.parametrize("archive", [False, True])
def test_every_single_byte_counts(tmp_path: Path, archive: bool) -> None:
    """A sample of ``python -m benchmarks bundle``: each change is refused by name, with the key."""
    files = contents(tmp_path, signed=True)
    place, key = tmp_path / "bundle", tmp_path / "key.pub.pem"
    (write_archive if archive else write)(place, files)
    chance = random.Random(SEED)
    for _ in range(CHANGES):
        path = place if archive else place / chance.choice(sorted(files))
        good = path.read_bytes()
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ chance.randrange(1, 256)]) + good[at + 1 :])
        error = refusal(place, key)
        assert error.reason and error.where
        path.write_bytes(good)
    load(place, key=key, runtime=FakeRuntime())


def test_a_statement_about_another_engine_is_refused(tmp_path: Path) -> None:
    """And one whose envelope holds another text; a loader does not need either."""
    other = json.dumps({"_type": "https://in-toto.io/Statement/v1", "subject": []}).encode()
    wrong = write(tmp_path / "wrong", contents(tmp_path, signed=True, files={**CONTENTS, "statement.json": other}))
    with pytest.raises(BundleError, match=r"statement\.json: statement: it is not an in-toto statement about this"):
        check_statement(open_bundle(wrong), None)
    swapped = write(tmp_path / "swapped", contents(tmp_path, files={**CONTENTS, "statement.dsse.json": b"{}"}))
    with pytest.raises(BundleError, match=r"statement\.dsse\.json: statement: not a DSSE envelope"):
        check_statement(open_bundle(swapped), None)
