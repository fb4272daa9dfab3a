"""Tests of ``trtbuild bundle`` and ``verify``: the same bytes again, what is refused, and what the manifest says."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.bundled import Recorded
from tests.support.bundles import FakeEngine, FakeRuntime, write_keys
from tests.support.versions import OFF, workspace
from trtbuild.base.errors import BundleError, ConfigError, PlaceError, ThresholdError, TrtbuildError
from trtbuild.base.workspace import Workspace
from trtbuild.building.planned import plan_overrides
from trtbuild.bundle.golden import limits
from trtbuild.cli import words
from trtbuild.documents import reading
from trtbuild.documents.bundle import Manifest
from trtbuild.loader import load
from trtbuild.loader.manifest import Tensor

VARIANT = ["model=m", "precision=fp32", "tensorrt=rtx-1.7", *OFF]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that nobody writes to."""
    root = workspace(tmp_path_factory.mktemp("bundled") / "ws", ("m",))
    build(root, Recorded())
    return root


@pytest.fixture
def built(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(recorded)
    return recorded


@pytest.fixture
def copied(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to be changed."""
    copy = shutil.copytree(built, tmp_path / "copied", symlinks=True)
    monkeypatch.chdir(copy)
    return copy


def build(root: Path, fake: Recorded, *more: str) -> None:
    made = Workspace(root)
    made.prepare()
    fake(plan_overrides(made, [*VARIANT, *more], sweep=False))


def run(*argv: str) -> int:
    args = words.parse(list(argv))
    return words.command(args.verb).run(args)


def bundle(place: Path, *more: str) -> dict[str, Any]:
    assert run("bundle", *VARIANT, "-o", str(place), *more) == 0
    found: dict[str, Any] = json.loads((place / "manifest.json").read_text("ascii")) if place.is_dir() else {}
    return found


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = sorted(path for path in folder.rglob("*"))
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in files
    }


def test_a_bundle_has_the_same_bytes_when_made_again(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """At another path, over itself, from another folder of the workspace, with another umask, as an archive."""
    key = str(write_keys(tmp_path)[0])
    first, second, moved = tmp_path / "a", tmp_path / "deep" / "er" / "b", tmp_path / "c"
    bundle(first, "--key", key)
    before = os.umask(0o077)
    try:
        bundle(second, "--key", key)
        bundle(tmp_path / "a.tar", "--key", key, "--format", "tar")
    finally:
        os.umask(before)
    monkeypatch.chdir(shutil.copytree(built, tmp_path / "other") / "conf")
    bundle(moved, "--key", key)
    bundle(first, "--key", key)
    bundle(tmp_path / "b.tar", "--key", key, "--format", "tar")

    assert tree(first) == tree(second) == tree(moved) and len(tree(first)) > 8
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp")]
    for place in (first, tmp_path / "a.tar"):
        assert run("verify", str(place), "--key", str(tmp_path / "key.pub.pem")) == 0


def test_the_manifest_says_what_was_validated(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its type, the contract, the chain, the thresholds, and that nothing was executed."""
    stated = ("layout=NC", "note='a row of the table'", "preprocessing={mean: [1.5], std: [2.0]}")
    found = bundle(tmp_path / "b", *(f"model.inputs.x.{each}" for each in stated))
    reading.checked(found, Manifest, where="manifest.json")

    assert found["engine"]["compute_capabilities"] == ["8.0", "8.6", "8.9", "12.0"]
    assert found["inputs"][0]["layout"] == "NC" and found["inputs"][0]["preprocessing"]["mean"] == [1.5]
    assert found["inputs"][0]["range"] == [0.0, 1.0] and found["inputs"][0]["profile"]["opt"] == [2, 4]
    assert found["validation"]["executed"] is False and found["validation"]["verdict"]["word"] == "pass"
    assert found["golden"]["limits"] == {"scores": {"max_abs": 0.1}} and found["golden"]["samples"] == 2
    assert [step["kind"] for step in found["chain"]["steps"]][-1] in ("engine", "validate")
    (source,) = found["chain"]["sources"]
    assert source["path"] == "models/m.onnx" and len(source["sha256"]) == 64
    statement = json.loads((tmp_path / "b" / "statement.json").read_text("utf-8"))
    assert statement["subject"][0]["digest"]["sha256"] == found["files"]["engine.plan"]["sha256"]
    assert statement["predicate"]["buildDefinition"]["resolvedDependencies"][0]["name"] == "models/m.onnx"
    assert "executed: no" in capsys.readouterr().err


def test_what_the_loader_takes_is_what_was_bundled(built: Path, tmp_path: Path) -> None:
    """The golden samples are the recorded ones: an engine that computes them passes."""
    import numpy as np

    class Scores(FakeEngine):
        def run(self, feeds):  # type: ignore[no-untyped-def]
            return {"scores": np.arange(6, dtype=np.float32).reshape(2, 3)}

    bundle(tmp_path / "b")
    scores = Scores(inputs=(Tensor("x", "float32", (-1, 4)),), outputs=(Tensor("scores", "float32", (-1, 3)),))

    assert load(tmp_path / "b", runtime=FakeRuntime(engine=scores)).self_test().passed


def test_without_a_threshold_on_outputs_the_limit_is_measured() -> None:
    """Twice the error of the recorded run, and said so; a threshold that does not hold on few samples is left out."""
    import numpy as np

    reference, computed = np.arange(6.0), np.arange(6.0) + 0.25

    assert limits(reference, computed, {"max_abs": 0.3, "p99_abs": 0.1}) == ({"max_abs": 0.3}, "thresholds")
    assert limits(reference, computed, {"mean_abs": 0.2, "cosine": 0.9}) == ({"cosine": 0.9}, "thresholds")
    assert limits(reference, computed, {"mean_abs": 0.2}) == ({"max_abs": 0.5}, "measured")
    assert limits(reference, reference, {})[0]["max_abs"] == pytest.approx(5e-6)


def test_only_what_passes_and_is_fresh_is_bundled(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Unless it is forced, which the manifest records."""
    (copied / "models" / "m.onnx").write_text("another", "utf-8")
    with pytest.raises(ConfigError, match="something it is made from has changed since"):
        run("bundle", *VARIANT, "-o", str(tmp_path / "b"))
    (copied / "models" / "m.onnx").write_text("m", "utf-8")
    limit = "model.validation.deviation.max_abs=0.001"
    build(copied, Recorded(failing=("m",)), limit)
    with pytest.raises(ThresholdError, match="fails 1 of its thresholds"):
        run("bundle", *VARIANT, limit, "-o", str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()
    assert "fails 1 of its thresholds" in bundle(tmp_path / "b", limit, "--force")["forced"]
    assert run("verify", str(tmp_path / "b")) == 0
    assert "forced: it fails 1 of its thresholds" in capsys.readouterr().out


def test_what_cannot_be_bundled_is_one_line(copied: Path, tmp_path: Path) -> None:
    """And leaves nothing behind."""

    def refused(*more: str, place: Path = tmp_path / "b") -> TrtbuildError:
        with pytest.raises(TrtbuildError) as caught:
            run("bundle", *VARIANT, "-o", str(place), *more)
        return caught.value

    public = str(write_keys(tmp_path)[1])
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").write_text("x", "utf-8")

    assert "this is a public key" in str(refused("--key", public))
    assert "a folder is needed" in str(refused(place=tmp_path / "taken" / "x" / "b"))
    assert "it exists, and is not a bundle" in str(refused(place=tmp_path / "taken"))
    assert "there is a folder already" in str(refused("--format", "tar", place=tmp_path / "taken"))
    assert "did you mean 'tar'?" in str(refused("--format", "tra"))
    assert "expected a number from 0 to 8" in str(refused("--samples", "9"))
    assert "no output 'score'; did you mean 'scores'?" in str(refused("model.outputs={score: {layout: NC}}"))
    plan = next(copied.glob("build/m/engine-*/engine.plan"))
    plan.chmod(0o644)
    plan.write_bytes(b"forged")
    assert isinstance(refused("--force"), PlaceError)
    plan.unlink()
    assert isinstance(refused("--force"), ConfigError)
    assert not (tmp_path / "b").exists()


def test_verify_names_the_bundle(tmp_path: Path) -> None:
    """Of several, one line says which, and what in it."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x", "utf-8")
    for name, says in (("empty", "empty: manifest.json: missing"), ("file", "file: archive:"), ("no", "no: missing")):
        with pytest.raises(BundleError) as caught:
            run("verify", str(tmp_path / name))
        assert str(caught.value).startswith(f"{tmp_path}/{says}")


def test_verify_has_a_document(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also of a bundle without golden arrays."""
    found = bundle(tmp_path / "b", "--samples", "0")
    capsys.readouterr()
    assert run("verify", str(tmp_path / "b"), "--json") == 0
    said = json.loads(capsys.readouterr().out)

    assert found["golden"] is None
    assert (said["signature"], said["verdict"], said["executed"], said["provenance"]) == ("none", "pass", False, True)
