"""Tests of archives and of what executes them: engines over a TensorRT that copies, graphs in ONNX Runtime."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trtbuild
from tests.support import fakegpu
from tests.support.graphs import graph
from trtbuild.base.errors import PlaceError
from trtbuild.documents.selftest import ArchiveManifest, SelftestResult
from trtbuild.selftest import execution, page, standalone
from trtbuild.selftest.archive import Archive, Contents, npz, program, write
from trtbuild.selftest.execution import Choice
from trtbuild.selftest.weights import take_out

PLAN = {"inputs": {"x": {"dtype": "FLOAT", "profile": [[1, 16], [2, 16], [8, 16]]}}, "outputs": {"y": {"of": "x"}}}


def made(folder: Path, *, plan: bytes | None = None, limit: float | None = 0.5, largest: int = 60_000_000) -> Path:
    """An archive of a network that multiplies by the unit matrix; its recorded outputs are 0.25 off."""
    model = graph("float[n, 16] x => float[n, 16] y { y = MatMul(x, w) }", w=np.eye(16, dtype=np.float32))
    blobs: dict[str, bytes] = {}
    weights = take_out(model, "fp32.weights", blobs)
    x = np.arange(32, dtype=np.float32).reshape(2, 16)
    content = json.dumps(PLAN).encode() if plan is None else plan
    members = {
        **program(Path(trtbuild.__path__[0])),
        **{f"weights/{digest}": blob for digest, blob in blobs.items()},
        "graphs/fp32.onnx": model.SerializeToString(), "arrays/x.npz": npz({"x": x}), "arrays/y.npz": npz({"y": x}),
        "arrays/off.npz": npz({"y": x + np.float32(0.25)}),
    }  # fmt: skip
    manifest: ArchiveManifest = {
        "schema_version": 1, "trtbuild": trtbuild.__version__, "model": "unit", "rounded": False, "samples": 2,
        "batches": [1, 4], "inputs": {"x": "float32"}, "profiles": {}, "outputs": ["y"],
        "toolchain": {"flavour": "tensorrt", "version": fakegpu.VERSION, "supported": [fakegpu.CAPABILITY]},
        "feeds": "arrays/x.npz", "source": "arrays/y.npz", "source_runtime": "tensorflow", "exported": "arrays/y.npz",
        "variants": [{
            "precision": "fp32", "graph": "graphs/fp32.onnx", "data": "fp32.weights", "weights": weights,
            "plan": {"member": None, "sha256": "", "bytes": len(content)}, "tf32": False,
            "outputs": "arrays/off.npz", "max_abs": limit,
        }],
        "sha256": {},
    }  # fmt: skip
    path = folder / "selftest-unit.zip"
    write(path, manifest, Contents(members, {"fp32": content}), largest)
    return path


def executed(archive: Path, *words: str, status: int = 0) -> Any:
    """What the archive's own program writes, run as a device would run it."""
    argv = [sys.executable, str(archive), "-o", str(archive.with_name("r.json")), "--seconds", "0.05", *words]
    environment = fakegpu.environment(archive.parent) | {"PYTHONPATH": str(archive.parent)}
    done = subprocess.run(argv, cwd=archive.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(archive.with_name("r.json").read_text("utf-8")) if status < 2 else done.stderr


def test_an_engine_is_executed_and_compared(tmp_path: Path) -> None:
    result = executed(made(tmp_path))
    (model,) = result["models"]
    assert model["refused"] is None
    assert [(e["executes"], e["batch"], e["within"]) for e in model["executions"]] == [
        ("engine", 1, True),
        ("engine", 4, True),
    ]
    hops = {hop: stats["y"]["max_abs"] for hop, stats in model["executions"][1]["deviation"].items()}
    assert hops == {"export": 0, "precision": 0.25, "device": 0.25, "total": 0}
    first = model["executions"][0]
    assert first["about"]["clock"] == "CUDA events" and first["transfers"]["upload_bytes"] == 64
    assert first["layers"] and first["latency"]["n"] > 10


def on_the_cpu(archive: Path) -> SelftestResult:
    output = archive.with_name("r.json")
    result = standalone.run([archive], Choice("cpu", batches=[4], seconds=0.05), output, lambda line: None)
    assert page.load(output) == result
    return result


def test_the_graph_runs_where_there_is_no_engine_for_the_device(tmp_path: Path) -> None:
    result = on_the_cpu(made(tmp_path))
    (execution,) = result["models"][0]["executions"]
    assert execution["executes"] == "graph" and execution["deviation"]["total"]["y"]["max_abs"] == 0
    assert standalone.status(result) == 0
    text = page.render(result)
    assert "No engine was executed" in text and "| fp32 | 4 | 0 | 0.25 | 0.25 | 0 |" in text


def test_an_engine_that_cannot_be_loaded_fails_alone(tmp_path: Path) -> None:
    result = executed(made(tmp_path, plan=b"no plan"), status=1)
    assert "cannot be loaded" in result["models"][0]["executions"][0]["failed"]
    assert "failed: " in page.render(result)


def test_a_deviation_beyond_the_limit_is_status_1(tmp_path: Path) -> None:
    result = on_the_cpu(made(tmp_path, limit=-1.0))
    assert result["models"][0]["executions"][0]["within"] is False and standalone.status(result) == 1


@pytest.mark.parametrize("words", [["--precision=fp17"], ["-o", "."], ["-o", "a.zip/x"], ["--batch=0"]])
def test_wrong_words_execute_nothing(tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not in the archive, a result that could not be written; nothing lies there afterwards."""
    archive = made(tmp_path).rename(tmp_path / "a.zip")
    monkeypatch.chdir(tmp_path)
    try:
        status = standalone.main(str(archive), ["--on=cpu", *words])
    except SystemExit as stopped:  # argparse's
        status = int(str(stopped.code))
    assert status == 2 and list(tmp_path.iterdir()) == [archive]


def test_an_interrupted_archive_says_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """One line and status 130, as from trtbuild itself."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(execution, "execute", interrupted)
    assert standalone.main(str(made(tmp_path)), ["--on=cpu", "-o", str(tmp_path / "r.json")]) == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_gpu_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = made(tmp_path)
    done = subprocess.run(
        [sys.executable, str(archive)], cwd=tmp_path, capture_output=True, text=True, env={"CUDA_VISIBLE_DEVICES": ""}
    )
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and "--on cpu" in done.stderr


def test_the_same_contents_are_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert made(tmp_path).read_bytes() == made(tmp_path / "a").read_bytes()


def test_a_plan_that_does_not_fit_is_left_out_and_said(tmp_path: Path) -> None:
    whole = made(tmp_path)
    plan = np.random.default_rng(0).bytes(300_000)
    small = made(tmp_path, plan=plan, largest=whole.stat().st_size + 200_000)
    (variant,) = Archive(small).manifest["variants"]
    assert variant["plan"]["member"] is None
    with pytest.raises(PlaceError, match="would be"):
        made(tmp_path, largest=10_000)


@pytest.mark.parametrize("damaged", ["graphs/fp32.onnx", "arrays/x.npz", "manifest.json", "plans/fp32.plan"])
def test_a_member_that_was_changed_is_never_used(tmp_path: Path, damaged: str) -> None:
    path = made(tmp_path)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(other, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            after.writestr(name, content[:-9] + b"#" + content[-8:] if name == damaged else content)
        after.comment = before.comment
    with pytest.raises(PlaceError, match="damaged"):
        Archive(other).read(damaged)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no zip"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(PlaceError, match="not a self-test archive"):
        Archive(path)
    assert standalone.main(str(path), []) == 3


@pytest.mark.parametrize(
    "text", ["[]", "{}", "nothing", '{"schema_version": 1}', '{"schema_version": 2}', "[" * 9999, '"a"']
)
def test_a_manifest_of_another_form_is_one_line(tmp_path: Path, text: str) -> None:
    """Although its checksum is right."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", text)
        archive.comment = hashlib.sha256(text.encode()).hexdigest().encode()
    with pytest.raises(PlaceError):
        Archive(path)
