"""The C++ loader refuses what the Python loader refuses, by the same reason and file, and loads what it loads."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import bundlecases
from tests.support.bundles import CONTENTS, FakeEngine, FakeRuntime, X, contents, npy, write, write_keys
from tests.support.cpploader import SANITIZERS, SOURCES, Answer, Probe, compiled
from trtbuild.base.errors import BundleError, ConfigError
from trtbuild.loader import load

pytestmark = pytest.mark.slow
CHANGES, TEXTS, SEED = 100, 300, 11
JSON = ["", "[]x", '{"a": 1, "a": 1}', '{"format": NaN}', '{"a": 1e999}', '{"a": Infinity}', '{"a": "\\ud800"}',
        "{'a': 1}", '{"a": 99999999999999999999}', "[" * 40 + "]" * 40, "[" * 100_000, '\ufeff{"a": 1}',
        '{"a": "\t"}', "9" * 5000, '{"a": 01}', '{"a": .5}', '{"a": 1.}', '{"a": +1}', '{"a": 1e}', '{"a": -}', "nul",
        '{"a": "\\ud800\\u0041"}', '{"a": "\\x41"}', '{"a": 1,}', "[1,]", '{"a" 1}',
        '{"a": 9007199254740993}']  # fmt: skip


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cpp")


@pytest.fixture(scope="module")
def probe(objects: Path) -> Iterator[Probe]:
    program = compiled(objects, Path(__file__).with_name("probe.cpp"), *SANITIZERS)
    with Probe(program) as made:
        yield made


def in_python(bundle: Path, key: Path | None = None, runtime: FakeRuntime | None = None) -> Answer:
    used = runtime or FakeRuntime()
    try:
        load(bundle, key=key, runtime=used)
    except BundleError as error:
        return Answer(error.reason, error.where, bool(used.plans))
    except ConfigError:
        return Answer("key", str(key), bool(used.plans))
    return Answer("", "", bool(used.plans))


def test_both_load_a_good_bundle(tmp_path: Path, probe: Probe) -> None:
    bundle = write(tmp_path / "b", contents(tmp_path, signed=True))
    assert probe.ask(bundle, tmp_path / "key.pub.pem") == probe.ask(bundle) == Answer("", "", True)


def test_both_refuse_every_case(tmp_path: Path, probe: Probe) -> None:
    """Of tests/support/bundlecases.py, by the reason and the file that it names."""
    for i, name in enumerate(bundlecases.names()):
        folder = tmp_path / str(i)
        folder.mkdir()
        place, key, reason, where = bundlecases.case(folder, name)
        assert probe.ask(place, key) == Answer(reason, where, False), name


def test_both_read_the_same_json(tmp_path: Path, probe: Probe) -> None:
    """Texts beyond the rules, and random changes of a good one: what one refuses, the other refuses for that reason."""
    good = json.dumps(json.loads(contents(tmp_path)["manifest.json"]))
    chance = random.Random(SEED)
    tokens = ["{", "}", "[", "]", ",", ":", '"', "\\", "0", "-", "e9", ".", "null", "true", "\\u00e9", "\\ud83d\\ude00",
              "\x1f", "é", " ", "9007199254740992", "1e-400", "\\udc00"]  # fmt: skip
    texts = [*(text.encode() for text in JSON), *bundlecases.TEXTS]
    for _ in range(TEXTS):
        at, width = chance.randrange(len(good)), chance.choice([0, 0, 1, 1, 5])
        texts.append((good[:at] + chance.choice(tokens) + good[at + width :]).encode())
    texts += [
        good.encode("utf-16"),
        b'{"a": "\xff"}',
        b'{"a": "\xc0\x80"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xf5\x80\x80\x80"}',
    ]
    bundle = write(tmp_path / "b", CONTENTS)
    for text in texts:
        (bundle / "manifest.json").write_bytes(text)
        assert probe.ask(bundle) == in_python(bundle), text


def test_both_notice_every_changed_byte(tmp_path: Path, probe: Probe) -> None:
    files = contents(tmp_path, signed=True)
    bundle, key = write(tmp_path / "b", files), tmp_path / "key.pub.pem"
    chance = random.Random(SEED)
    for _ in range(CHANGES):
        path = bundle / chance.choice(sorted(files))
        good = path.read_bytes()
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ chance.randrange(1, 256)]) + good[at + 1 :])
        answer = probe.ask(bundle, key)
        assert answer == in_python(bundle, key) and answer.reason and not answer.deserialised
        assert probe.ask(bundle) == in_python(bundle)
        path.write_bytes(good)


def test_both_ask_for_the_keys_own_signature(tmp_path: Path, probe: Probe) -> None:
    bundle = write(tmp_path / "signed", contents(tmp_path, signed=True))
    private, public = write_keys(tmp_path)
    signature = (bundle / "manifest.sig").read_bytes()
    plain = write(tmp_path / "plain", contents(tmp_path))
    rsa = tmp_path / "rsa.pem"
    made = ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", tmp_path / "rsa"]
    subprocess.run(made, check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", tmp_path / "rsa", "-pubout", "-out", rsa], check=True)
    assert probe.ask(plain, public) == in_python(plain, public) == Answer("unsigned", "manifest.sig", False)
    for wrong in (signature[:-1], signature + b"\n", bytes(64), b"", signature[32:] + signature[:32]):
        (bundle / "manifest.sig").write_bytes(wrong)
        assert probe.ask(bundle, public) == in_python(bundle, public) == Answer("signature", "manifest.sig", False)
    for key in (private, rsa, tmp_path / "nothing"):
        assert probe.ask(bundle, key).reason == in_python(bundle, key).reason == "key"


PLACES: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({}, {}, ""),
    ({}, {"flavour": "tensorrt"}, "flavour"),
    ({}, {"version": "1.7.1.117"}, "version"),
    ({}, {"capability": "9.0"}, "device"),
    ({"or_later": True}, {"capability": "12.0"}, ""),
    ({"or_later": True}, {"capability": "8.0"}, "device"),
    ({"version_compatible": True}, {"version": "1.10.0.1"}, ""),
    ({"version_compatible": True}, {"version": "1.6.9.9"}, "version"),
    ({"version_compatible": True}, {"version": "2.0.0.0"}, "version"),
]


def test_both_know_where_an_engine_belongs(tmp_path: Path, probe: Probe) -> None:
    for i, (engine, here, reason) in enumerate(PLACES):
        folder = tmp_path / str(i)
        folder.mkdir()
        bundle = write(folder / "b", contents(folder, change=lambda m, e=engine: m["engine"].update(e)))
        answer = probe.ask(bundle, **here)  # type: ignore[arg-type]
        assert (answer.reason, answer.deserialised) == (reason, not reason)


@pytest.mark.parametrize(
    "tensors",
    [
        ("x float16 -1 6", "y float32 -1 6"),
        ("image float32 -1 6", "y float32 -1 6"),
        ("x float32 -1 6", "y float32 -1 7"),
        ("x float32 -1 6", "y float32 -1 6 1"),
    ],
)
def test_another_contract_is_refused(tmp_path: Path, probe: Probe, tensors: tuple[str, str]) -> None:
    bundle = write(tmp_path / "b", contents(tmp_path))
    assert probe.ask(bundle, tensors=tensors).reason == "contract"


ARRAYS = {
    "short": npy(X)[:-1],
    "long": npy(X) + b"x",
    "big-endian": npy(X.astype(">f4")),
    "Fortran": npy(np.asfortranarray(X)),
    "no array": b"PK",
    "beyond the profile": npy(np.zeros((9, 6), "f4")),
    "float64": npy(X.astype(np.float64)),
    "text": npy(np.array(["a"])),
    "empty": npy(np.zeros((0, 6), "f4")),
    "scalar": npy(np.float32(1)),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_both_refuse_golden_arrays_that_are_none(tmp_path: Path, probe: Probe, kind: str) -> None:
    bundle = write(tmp_path / "b", contents(tmp_path, files={**CONTENTS, "golden/input-0.npy": ARRAYS[kind]}))
    assert probe.ask(bundle) == in_python(bundle)


LIMITS: dict[str, Callable[[dict[str, float]], object]] = {
    name: lambda limits, n=name, v=value: limits.update({n: v})  # type: ignore[misc]
    for name, value in {
        "max_abs": 1e-3,
        "mean_abs": 1e-3,
        "rmse": 1e-3,
        "cosine": 0.99999,
        "sqnr_db": 40.0,
        "exact_share": 0.5,
    }.items()
}


@pytest.mark.parametrize("metric", LIMITS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_both_compare_alike(tmp_path: Path, probe: Probe, metric: str, dtype: str) -> None:
    """Factors on both sides of every limit; an expected array of any dtype."""
    files = {**CONTENTS, "golden/output-0.npy": npy((2 * X).astype(dtype))}

    def change(m: dict[str, Any]) -> None:
        m["golden"]["limits"]["y"] = {}
        LIMITS[metric](m["golden"]["limits"]["y"])

    bundle = write(tmp_path / "b", contents(tmp_path, files=files, change=change))
    for factor in (2.0, 2.0001, 2.001, 2.01, 2.2, -2.0, 0.0, float("nan"), float("inf")):
        mine = in_python(bundle, runtime=FakeRuntime(engine=FakeEngine(factor)))
        assert probe.ask(bundle, factor=factor) == mine, factor


def test_the_program_for_devices_says_one_line(tmp_path: Path, objects: Path, probe: Probe) -> None:
    program = compiled(objects, SOURCES / "verify.cpp", *SANITIZERS)
    bundle = write(tmp_path / "b", contents(tmp_path, signed=True))
    good = subprocess.run([program, bundle, tmp_path / "key.pub.pem"], capture_output=True, text=True)
    assert (good.returncode, good.stdout) == (0, "m-fp16-rtx-1.7-onnxruntime: signed and whole\n")
    (bundle / "engine.plan").write_bytes(b"x")
    bad = subprocess.run([program, bundle], capture_output=True, text=True)
    assert bad.returncode == 3 and bad.stderr.startswith("engine.plan: ") and bad.stderr.count("\n") == 1
