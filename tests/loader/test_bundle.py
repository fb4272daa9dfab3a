"""Tests of what a reader of bundles refuses, each by its reason, before anything is deserialised."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.bundles import CONTENTS, PLAN, FakeRuntime, contents, write, write_keys
from trtbuild.base.errors import BundleError, ConfigError
from trtbuild.bundle.writing import write_archive
from trtbuild.loader import load, open_bundle
from trtbuild.loader.bundle import check_statement

Damage = Callable[[Path], object]
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


DAMAGE: dict[str, tuple[str, str, Damage]] = {
    "no manifest": ("missing", "manifest.json", lambda b: (b / "manifest.json").unlink()),
    "no file": ("missing", "report/report.md", lambda b: (b / "report" / "report.md").unlink()),
    "a changed engine": ("digest", "engine.plan", lambda b: (b / "engine.plan").write_bytes(PLAN[:-1] + b"x")),
    "a longer engine": ("size", "engine.plan", lambda b: (b / "engine.plan").write_bytes(PLAN + b"x")),
    "an empty engine": ("size", "engine.plan", lambda b: (b / "engine.plan").write_bytes(b"")),
    "a further file": ("unlisted", "x", lambda b: (b / "x").write_bytes(b"")),
    "a hidden file": ("unlisted", "report/.x", lambda b: (b / "report" / ".x").write_bytes(b"")),
    "a further folder": ("unlisted", "golden/x", lambda b: (b / "golden" / "x").mkdir()),
    "a link in a file's place": ("link", "engine.plan", lambda b: _linked(b, "engine.plan")),
    "a link in a folder's place": ("link", "golden", lambda b: _linked(b, "golden")),
    "a link as the manifest": ("link", "manifest.json", lambda b: _linked(b, "manifest.json")),
    "a dangling link": ("link", "x", lambda b: (b / "x").symlink_to("nowhere")),
    "a pipe": ("kind", "x", lambda b: os.mkfifo(b / "x")),
    "a pipe as the manifest": ("kind", "manifest.json", lambda b: _pipe(b / "manifest.json")),
    "a folder as the manifest": ("kind", "manifest.json", lambda b: _folder(b / "manifest.json")),
    "a huge manifest": ("limit", "manifest.json", lambda b: os.truncate(b / "manifest.json", 1 << 21)),
    "no JSON": ("json", "manifest.json", lambda b: (b / "manifest.json").write_bytes(b"{")),
    "a stray signature": ("unlisted", "manifest.sig", lambda b: (b / "manifest.sig").write_bytes(bytes(64))),
}  # fmt: skip


def _linked(bundle: Path, name: str) -> None:
    (bundle / name).rename(bundle.parent / "elsewhere")
    (bundle / name).symlink_to(bundle.parent / "elsewhere")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_bundle_is_refused_by_reason_and_file(tmp_path: Path, kind: str) -> None:
    """What a disk, a tool or a hand does to a folder."""
    reason, where, damage = DAMAGE[kind]
    bundle = write(tmp_path / "bundle", contents(tmp_path))
    damage(bundle)
    error = refusal(bundle)

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
    with pytest.raises(ConfigError, match="cannot be read"):
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


MANIFESTS: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "another format": ("format", lambda m: m.update(format="zip")),
    "a later format": ("format", lambda m: m.update(format_version=2)),
    "a version that is true": ("format", lambda m: m.update(format_version=True)),
    "no engine": ("manifest", lambda m: m.pop("engine")),
    "no golden": ("manifest", lambda m: m.pop("golden")),
    "a fraction for a size": ("manifest", lambda m: m["files"]["engine.plan"].update(size=21.0)),
    "a short digest": ("manifest", lambda m: m["files"]["engine.plan"].update(sha256="ab")),
    "an engine that is not listed": ("manifest", lambda m: m["engine"].update(file="other.plan")),
    "no device": ("manifest", lambda m: m["engine"].update(compute_capabilities=[])),
    "a device that is none": ("manifest", lambda m: m["engine"].update(compute_capabilities=["sm_89"])),
    "an unknown flavour": ("manifest", lambda m: m["engine"].update(flavour="openvino")),
    "an unknown dtype": ("manifest", lambda m: m["inputs"][0].update(dtype="string")),
    "a profile of another rank": ("manifest", lambda m: m["inputs"][0]["profile"].update(max=[4])),
    "one name twice": ("manifest", lambda m: m["outputs"][0].update(name="x")),
    "an unknown metric": ("manifest", lambda m: m["golden"]["limits"]["y"].update(p99_abs=1.0)),
    "a limit that is text": ("manifest", lambda m: m["golden"]["limits"]["y"].update(max_abs="0.1")),
    "no limit": ("manifest", lambda m: m["golden"]["limits"].update(y={})),
    "an input without an array": ("manifest", lambda m: m["golden"].update(inputs={})),
    "a path that goes up": ("name", lambda m: _file(m, "../engine.plan")),
    "an absolute path": ("name", lambda m: _file(m, "/etc/passwd")),
    "a path with a backslash": ("name", lambda m: _file(m, "a\\b")),
    "a hidden path": ("name", lambda m: _file(m, ".git/config")),
    "an empty part": ("name", lambda m: _file(m, "a//b")),
    "a path with a newline": ("name", lambda m: _file(m, "a\n")),
    "the manifest itself": ("name", lambda m: _file(m, "manifest.json")),
    "a path of many parts": ("name", lambda m: _file(m, "/".join("abcdefghi"))),
    "two of one case": ("duplicate", lambda m: _file(m, "Engine.plan")),
    "a file that is a folder": ("duplicate", lambda m: _file(m, "engine.plan/x")),
    "many files": ("limit", lambda m: [_file(m, f"f{i}") for i in range(1001)]),
    "a huge file": ("limit", lambda m: m["files"]["engine.plan"].update(size=1 << 35)),
}  # fmt: skip


def _file(manifest: dict[str, Any], name: str) -> None:
    manifest["files"][name] = {"sha256": "0" * 64, "size": 0}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_manifest_that_is_not_one_is_refused(tmp_path: Path, kind: str) -> None:
    """Also where it is signed: a signer can be wrong."""
    reason, change = MANIFESTS[kind]
    bundle = write(tmp_path / "bundle", contents(tmp_path, signed=True, change=change))
    error = refusal(bundle, tmp_path / "key.pub.pem")

    assert (error.reason, error.where) == (reason, "manifest.json")


@pytest.mark.parametrize(
    "text",
    ["", "[]x", '{"a": 1, "a": 1}', '{"format": NaN}', '{"a": 1e999}', '{"a": Infinity}', '{"a": "\\ud800"}',
     "{'a': 1}", '{"a": 99999999999999999999}', "[" * 40 + "]" * 40, "[" * 100_000, '\ufeff{"a": 1}',
     '{"a": "\t"}', "9" * 5000],
)  # fmt: skip
def test_json_beyond_the_rules_is_refused(tmp_path: Path, text: str) -> None:
    """What parsers take in different ways."""
    bundle = write(tmp_path / "bundle", {**CONTENTS, "manifest.json": text.encode()})
    assert refusal(bundle).reason == "json"


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """Python's own parser would guess UTF-16."""
    bundle = write(tmp_path / "bundle", {**CONTENTS, "manifest.json": json.dumps({"a": 1}).encode("utf-16")})
    assert refusal(bundle).reason == "json"


def test_a_statement_about_another_engine_is_refused(tmp_path: Path) -> None:
    """And one whose envelope holds another text; a loader does not need either."""
    other = json.dumps({"_type": "https://in-toto.io/Statement/v1", "subject": []}).encode()
    wrong = write(tmp_path / "wrong", contents(tmp_path, signed=True, files={**CONTENTS, "statement.json": other}))
    with pytest.raises(BundleError, match=r"statement\.json: statement: it is not an in-toto statement about this"):
        check_statement(open_bundle(wrong), None)
    swapped = write(tmp_path / "swapped", contents(tmp_path, files={**CONTENTS, "statement.dsse.json": b"{}"}))
    with pytest.raises(BundleError, match=r"statement\.dsse\.json: statement: not a DSSE envelope"):
        check_statement(open_bundle(swapped), None)
