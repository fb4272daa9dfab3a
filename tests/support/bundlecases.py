"""What every reader of bundles must refuse, with the reason and the file that it names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.bundles import CONTENTS, PLAN, contents, write

Damage = Callable[[Path], object]
Change = Callable[[dict[str, Any]], object]

# What a disk, a tool or a hand does to a folder: reason, place.
DAMAGE: Mapping[str, tuple[str, str, Damage]] = {
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


# What is wrong in a manifest, although it is signed; the place is manifest.json.
MANIFESTS: Mapping[str, tuple[str, Change]] = {
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


# What is wrong with a signature, where a key is given: reason, place.
SIGNATURES: Mapping[str, tuple[str, str, Damage]] = {
    "no signature": ("unsigned", "manifest.sig", lambda b: (b / "manifest.sig").unlink()),
    "a short signature": ("signature", "manifest.sig", lambda b: os.truncate(b / "manifest.sig", 63)),
    "a long signature": ("signature", "manifest.sig", lambda b: os.truncate(b / "manifest.sig", 65)),
    "an empty signature": ("signature", "manifest.sig", lambda b: os.truncate(b / "manifest.sig", 0)),
    "zeros for a signature": ("signature", "manifest.sig", lambda b: (b / "manifest.sig").write_bytes(bytes(64))),
    "a link as the signature": ("link", "manifest.sig", lambda b: _linked(b, "manifest.sig")),
    "a changed manifest": ("signature", "manifest.sig", lambda b: _replaced(b, b"1.7.1.116", b"1.7.1.117")),
    "white space in the manifest": ("signature", "manifest.sig", lambda b: _replaced(b, b": ", b":")),
    "a signed file that was changed": ("digest", "engine.plan", lambda b: (b / "engine.plan").write_bytes(PLAN[::-1])),
}  # fmt: skip


def _replaced(bundle: Path, old: bytes, new: bytes) -> None:
    path = bundle / "manifest.json"
    path.write_bytes(path.read_bytes().replace(old, new))


# What parsers of JSON take in different ways; the reason is json.
_JSON = (
    "", "[]x", '{"a": 1, "a": 1}', '{"a": {"b": 1, "b": 2}}', '{"format": NaN}', '{"a": 1e999}', '{"a": Infinity}',
    '{"a": "\\ud800"}', '{"a": "\\udc00\\ud800"}', "{'a': 1}", '{"a": 01}', '{"a": .5}', '{"a": 1.}', '{"a": +1}',
    '{"a": 1,}', '{"a" 1}', '{"a": "\\x41"}', '{"a": tru}', '{"a": 1} {}', '{"a": 99999999999999999999}', "9" * 5000,
    "[" * 33 + "]" * 33, "[" * 100_000, '\ufeff{"a": 1}', '{"a": "\t"}', '{"a": "b', '{"a": 1', "/**/{}", '{"a": 1}\0',
)  # fmt: skip
TEXTS: tuple[bytes, ...] = (*(text.encode() for text in _JSON), json.dumps({"a": 1}).encode("utf-16"), b'{"a": "\xff"}')


def names() -> list[str]:
    """Of every case."""
    return [*DAMAGE, *SIGNATURES, *MANIFESTS, *(f"text {i}" for i in range(len(TEXTS)))]


def case(folder: Path, name: str) -> tuple[Path, Path | None, str, str]:
    """A bundle in a folder, the key to read it with, and the reason and the place of the refusal."""
    place = folder / "bundle"
    if name in DAMAGE:
        reason, where, damage = DAMAGE[name]
        damage(write(place, contents(folder)))
        return place, None, reason, where
    if name in SIGNATURES:
        reason, where, damage = SIGNATURES[name]
        damage(write(place, contents(folder, signed=True)))
        return place, folder / "key.pub.pem", reason, where
    if name in MANIFESTS:
        reason, change = MANIFESTS[name]
        write(place, contents(folder, signed=True, change=change))
        return place, folder / "key.pub.pem", reason, "manifest.json"
    write(place, {**CONTENTS, "manifest.json": TEXTS[int(name.removeprefix("text "))]})
    return place, None, "json", "manifest.json"
