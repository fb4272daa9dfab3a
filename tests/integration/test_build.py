"""Whole builds of a tiny ONNX model with the real builder: records, restores, reruns, sweeps of precision."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jsonschema import validate

from trtbuild.documents.deviation import Details, Deviation, Histograms, RecordedOutputs
from trtbuild.documents.engine import Passport, Precision
from trtbuild.documents.latency import Latency, Samples
from trtbuild.documents.layers import Layers
from trtbuild.documents.report import Report
from trtbuild.documents.schema import schema_of
from trtbuild.documents.trend import Summary
from trtbuild.documents.verdict import Verdict

pytestmark = pytest.mark.slow


def dvc(workspace: Path, *words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=workspace, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def outs(trtbuild, *words: str) -> dict[str, dict[str, str]]:
    document = json.loads(trtbuild("show", *words, "--json", check=0).stdout)
    return {kind: step["outs"] for kind, step in document["variants"][0]["steps"].items()}


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16", "int8"])
def test_every_precision_builds_and_proves_it(workspace: Path, trtbuild, precision: str) -> None:
    """The passport's compute nodes are in the requested dtype, read back from the parsed network."""
    trtbuild("model=tiny", f"precision={precision}", check=0)

    passport = json.loads(
        (workspace / outs(trtbuild, "model=tiny", f"precision={precision}")["engine"]["passport.json"]).read_text()
    )
    wanted = {"fp32": "float32", "tf32": "float32", "fp16": "float16", "bf16": "bfloat16", "int8": "int8"}[precision]
    assert passport["compute_nodes"] == {wanted: 2}
    assert passport["tf32"] is (precision == "tf32")
    assert passport["unproved_nodes"] == []
    assert passport["compiled"]["operands"] == {wanted: 1.0} and passport["compiled"]["unplaced"] == []
    assert not passport["executed"]


@pytest.mark.parametrize("calibration", ["minmax", "entropy", "percentile"])
def test_deviation_can_be_recomputed_from_the_arrays(workspace: Path, trtbuild, calibration: str) -> None:
    """max, mean and percentiles of every hop equal plain numpy on the recorded outputs."""
    words = ["model=tiny", "precision=int8", f"calibration={calibration}"]
    trtbuild(*words, check=0)
    files = outs(trtbuild, *words)

    sides = {"reference": "reference", "exported": "infer-export", "lowered": "infer"}
    arrays = {
        name: np.load(workspace / files[step]["outputs.npz"])["scores"].astype(float) for name, step in sides.items()
    }
    recorded = json.loads((workspace / files["deviation"]["deviation.json"]).read_text())["hops"]
    for hop, (a, b) in {"export": ("reference", "exported"), "precision": ("exported", "lowered")}.items():
        error = np.abs(arrays[b] - arrays[a])
        assert recorded[hop]["scores"]["max_abs"] == error.max()
        assert recorded[hop]["scores"]["p99_abs"] == pytest.approx(np.percentile(error, 99))


def test_plain_dvc_agrees_with_the_records(workspace: Path, trtbuild, tmp_path: Path) -> None:
    """status is clean, repro runs nothing, and a clone pulls everything and finds nothing to do."""
    trtbuild("model=tiny", "precision=int8", check=0)

    assert "up to date" in dvc(workspace, "status")
    assert "Running stage" not in dvc(workspace, "repro", "-R", "build")
    assert "engine" in dvc(workspace, "dag")

    dvc(workspace, "remote", "add", "-d", "store", str(tmp_path / "remote"))
    dvc(workspace, "push")
    for command in (["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "records"]):
        subprocess.run(["git", *command], cwd=workspace, check=True)
    subprocess.run(["git", "clone", "-q", str(workspace), str(tmp_path / "clone")], check=True)
    dvc(tmp_path / "clone", "pull")
    assert "up to date" in dvc(tmp_path / "clone", "status")
    assert "nothing to do" in trtbuild("model=tiny", "precision=int8", cwd=tmp_path / "clone", check=0).stderr


def test_a_clone_pulls_what_is_recorded_instead_of_building(workspace: Path, trtbuild, tmp_path: Path) -> None:
    """Model and artifacts come from the remote in one go, without a plain ``dvc pull`` before."""
    trtbuild("model=tiny", "precision=int8", check=0)
    dvc(workspace, "remote", "add", "-d", "store", str(tmp_path / "remote"))
    dvc(workspace, "push")
    for command in (["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "records"]):
        subprocess.run(["git", *command], cwd=workspace, check=True)
    subprocess.run(["git", "clone", "-q", str(workspace), str(tmp_path / "clone")], check=True)

    planned = json.loads(trtbuild("plan", "model=tiny", "precision=int8", "--json", cwd=tmp_path / "clone").stdout)
    assert {step["state"] for step in planned["steps"]} == {"remote", "fresh"}
    said = trtbuild("model=tiny", "precision=int8", cwd=tmp_path / "clone", check=0).stderr
    assert "ran " not in said
    assert "up to date" in dvc(tmp_path / "clone", "status")


def test_dvc_repro_runs_our_steps_and_we_agree(workspace: Path, trtbuild) -> None:
    """After a changed input, plain ``dvc repro`` makes the outputs, and trtbuild takes them as fresh."""
    trtbuild("model=tiny", check=0)
    for path in workspace.glob("build/tiny/*/dvc.lock"):
        path.unlink()
    shutil.rmtree(workspace / ".dvc" / "cache" / "runs")

    (workspace / "bin").mkdir()
    script = workspace / "bin" / "trtbuild"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m trtbuild "$@"\n')
    script.chmod(0o755)
    import os

    environment = os.environ | {"PATH": f"{script.parent}:{os.environ['PATH']}"}
    argv = [sys.executable, "-m", "dvc", "repro", "-R", "build"]
    done = subprocess.run(argv, cwd=workspace, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.count("Running stage") == len(list(workspace.glob("build/tiny/*/dvc.yaml")))
    assert "nothing to do" in trtbuild("model=tiny", check=0).stderr


def test_saving_the_same_model_again_rebuilds_nothing(workspace: Path, trtbuild) -> None:
    """Early cutoff: a touched file, a comment in a config, an export that gives the same bytes."""
    trtbuild("model=tiny", check=0)
    model = workspace / "models" / "tiny" / "tiny.onnx"
    model.write_bytes(model.read_bytes())
    config = workspace / "conf" / "model" / "tiny.yaml"
    config.write_text(config.read_text() + "# a comment\n")

    assert "nothing to do" in trtbuild("model=tiny", check=0).stderr

    import onnx

    loaded = onnx.load(model)
    loaded.doc_string = "saved by another tool"
    onnx.save(loaded, model)
    again = trtbuild("model=tiny", check=0).stderr
    ran = [line for line in again.splitlines() if line.startswith("ran ")]
    assert len(ran) == 2, again  # export and reference read the file; nothing downstream of equal bytes


def test_deleted_outputs_and_records_come_back_without_running(workspace: Path, trtbuild) -> None:
    """From the cache, from the run cache; a changed output is put right."""
    trtbuild("model=tiny", check=0)
    plan = next(workspace.glob("build/tiny/engine-*/engine.plan"))
    plan.write_bytes(b"tampered")
    shutil.rmtree(next(workspace.glob("build/tiny/lower-*")))

    said = trtbuild("model=tiny", check=0).stderr

    assert "restored tiny/engine-fp32" in said
    assert "restored tiny/lower-fp32" in said
    assert "ran " not in said
    assert plan.stat().st_size > 1000


def test_an_engine_built_again_is_identical(workspace: Path, trtbuild) -> None:
    """Byte for byte, int8 with a dynamic batch, from another folder."""
    trtbuild("model=tiny", "precision=int8", check=0)
    folder = next(workspace.glob("build/tiny/engine-*"))
    moved = workspace.parent / "a-workspace-with-a-much-longer-name"
    shutil.copytree(workspace, moved, symlinks=True)

    for place in (workspace, moved):
        said = trtbuild("rerun", str(place / folder.relative_to(workspace)), cwd=place, check=0).stderr
        assert "identical    engine.plan" in said
        assert "identical    passport.json" in said
        assert "identical    engine_layers.json" in said


def test_a_failed_threshold_is_exit_1_and_the_report_says_so(workspace: Path, trtbuild) -> None:
    """Built, recorded, judged: FAIL in the summary, on the page and in show, and the same status when run again."""
    words = ["model=tiny", "precision=int8", "+model.validation.deviation.max_abs=1e-9"]
    said = trtbuild(*words, check=1).stderr

    assert "FAIL (" in said
    again = trtbuild(*words, check=1)
    assert "nothing to do" in again.stderr or "FAIL (" in again.stderr
    document = json.loads(trtbuild("show", *words, "--json", check=0).stdout)["variants"][0]
    assert document["verdict"] == "fail"
    page = (workspace / document["steps"]["report"]["outs"]["overview.html"]).read_text()
    assert "FAIL" in page


DOCUMENTS = {
    "lower": {"precision.json": Precision}, "engine": {"passport.json": Passport},
    "reference": {"runtime.json": RecordedOutputs}, "infer": {"runtime.json": RecordedOutputs},
    "deviation": {"deviation.json": Deviation, "histograms.json": Histograms, "details.json": Details},
    "layers": {"layers.json": Layers}, "latency": {"latency.json": Latency, "samples.json": Samples},
    "validate": {"verdict.json": Verdict}, "report": {"report.json": Report, "summary.json": Summary},
}  # fmt: skip


def test_every_document_is_of_its_type(workspace: Path, trtbuild) -> None:
    """By the strict schema: no key is missing, none is unknown.  And the pages refer to nothing on the network."""
    trtbuild("model=tiny", "precision=int8", check=0)
    found = outs(trtbuild, "model=tiny", "precision=int8")
    assert DOCUMENTS.keys() - found.keys() <= {"latency"}  # which this workspace does not measure
    for step, kinds in DOCUMENTS.items():
        for name, kind in kinds.items() if step in found else ():
            validate(json.loads((workspace / found[step][name]).read_text()), schema_of(kind))
    report = found["report"]
    for page in ("overview.html", "deviation.html"):
        text = (workspace / report[page]).read_text()
        assert 'src="http' not in text and 'href="http' not in text


def test_excluded_scopes_stay_in_float32(workspace: Path, trtbuild) -> None:
    """``overrides.int8.exclude_scopes`` keeps the head; the proof counts it."""
    words = ["model=tiny", "precision=int8", "+model.overrides.int8.exclude_scopes=[head]"]
    trtbuild(*words, check=0)

    passport = json.loads((workspace / outs(trtbuild, *words)["engine"]["passport.json"]).read_text())
    assert passport["compute_nodes"] == {"float32": 1, "int8": 1}


def test_every_opset_builds(workspace: Path, trtbuild) -> None:
    """17 to 23: the version converter's graphs parse and give the same outputs."""
    for opset in (18, 19, 20, 21, 22, 23):
        trtbuild("model=tiny", f"model.export.opset={opset}", check=0)


def test_two_builds_at_once_share_the_work(workspace: Path, trtbuild) -> None:
    """Both succeed, and every step ran once."""
    argv = [sys.executable, "-m", "trtbuild", "model=tiny"]
    both = [subprocess.Popen(argv, cwd=workspace, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    ran = [line for text in said for line in text.splitlines() if line.startswith("ran ")]
    assert len(ran) == len(list(workspace.glob("build/tiny/*/dvc.lock")))


def test_an_overflow_in_float16_is_seen(workspace: Path, trtbuild) -> None:
    """The runtime has no float16 arithmetic; its results are rounded, so infinity shows, and the page says emulated."""
    import onnx

    path = workspace / "models" / "tiny" / "tiny.onnx"
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name in ("w", "m"):
            larger = onnx.numpy_helper.to_array(tensor) * np.float32(1000)
            tensor.CopyFrom(onnx.numpy_helper.from_array(larger, tensor.name))
    onnx.save(model, path)

    said = trtbuild("model=tiny", "precision=fp16", check=1).stderr

    assert "no NaN or infinity" in said
    assert "emulated" in next(workspace.glob("build/tiny/report-*/report.md")).read_text()


def test_onnx_weights_may_lie_outside_or_be_inputs(template: Path, trtbuild, tmp_path: Path) -> None:
    """External data is put into the file by ``init``; an initialiser that is also an input is a weight."""
    import onnx

    model = onnx.load(template / "models" / "tiny" / "tiny.onnx")
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    model.graph.input.append(onnx.helper.make_tensor_value_info("w", weight.data_type, list(weight.dims)))
    onnx.save(model, tmp_path / "big.onnx", save_as_external_data=True, location="big.bin", size_threshold=0)

    trtbuild("init", "ws", f"--from={tmp_path / 'big.onnx'}", cwd=tmp_path, check=0)

    trtbuild("model=big", "precision=int8", check=0)


def test_scalars_and_outputs_that_no_node_makes(template: Path, trtbuild, tmp_path: Path) -> None:
    """An input of rank 0, an output that is an input, one that is a weight: through every step, and ``check``."""
    import onnx

    model = onnx.load(template / "models" / "tiny" / "tiny.onnx")
    info, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    model.graph.input.append(info("gain", kind, []))
    model.graph.node.append(onnx.helper.make_node("Mul", ["scores", "gain"], ["scaled"], name="head/scale"))
    model.graph.output.extend(
        [info("scaled", kind, ["n", 4]), info("image", kind, ["n", 3, 16, 16]), info("m", kind, [8, 4])]
    )
    onnx.save(model, tmp_path / "odd.onnx")

    trtbuild("init", "ws", f"--from={tmp_path / 'odd.onnx'}", cwd=tmp_path, check=0)
    trtbuild("-m", "model=odd", "precision=fp32,int8", "latency.seconds=0.1", "latency.warmup_s=0.1", check=0)

    passport = json.loads(next((tmp_path / "ws").glob("build/odd/engine-fp32*/passport.json")).read_text())
    assert {value["name"]: value["shape"] for value in passport["inputs"]} == {"image": [-1, 3, 16, 16], "gain": []}
    assert sorted(value["name"] for value in passport["outputs"]) == ["image_output", "m", "scaled", "scores"]
    trtbuild("check", str(tmp_path / "odd.onnx"), check=0)


def test_a_graph_in_another_precision_does_not_pass_as_float32(workspace: Path, trtbuild) -> None:
    """An int8 graph as a source, asked for in fp32, is refused."""
    trtbuild("model=tiny", "precision=int8", check=0)
    lowered = next(workspace.glob("build/tiny/lower-*/lowered.onnx"))
    shutil.copyfile(lowered, workspace / "models" / "quantised.onnx")

    said = trtbuild("model=tiny", "model.source.path=models/quantised.onnx", check=4).stderr
    assert "already computes in int8 (Q/DQ), so it is not fp32" in said
