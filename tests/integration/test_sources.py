"""Real TensorFlow models of every source kind through ``init`` and whole builds; and those that cannot convert."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import measure_no_latency

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    script = Path(__file__).with_name("make_models.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


def ready(trtbuild, models: Path, tmp_path: Path, name: str) -> None:
    trtbuild("init", "ws", f"--from={models / name}", "--name=m", cwd=tmp_path, check=0)
    measure_no_latency(tmp_path / "ws")


@pytest.mark.parametrize(
    ("name", "precisions"),
    [
        ("lstm", ["fp32", "fp16", "bf16", "int8"]),
        ("two_inputs", ["fp16"]),
        ("two_inputs.keras", ["int8"]),
        ("two_inputs.h5", ["bf16"]),
        ("attention.keras", ["fp32", "fp16", "bf16", "int8"]),
        ("frozen.pb", ["fp32", "int8"]),
        ("old_loop.pb", ["fp16"]),
        ("old_loop", ["fp32"]),
    ],
)
def test_a_model_converts(trtbuild, models: Path, tmp_path: Path, name: str, precisions: list[str]) -> None:
    """Exported, lowered, compiled, compared; the exporter's hop is tiny, names are the model's own."""
    ready(trtbuild, models, tmp_path, name)
    for precision in precisions:
        trtbuild("model=m", f"precision={precision}", check=0)

    document = json.loads(trtbuild("show", "model=m", f"precision={precisions[0]}", "--json", check=0).stdout)[
        "variants"
    ][0]
    numbers = json.loads((tmp_path / "ws" / document["steps"]["deviation"]["outs"]["deviation.json"]).read_text())
    for stats in numbers["hops"]["export"].values():
        assert stats["max_abs"] < 1e-4
    if name.startswith("two_inputs"):
        assert set(numbers["hops"]["total"]) == {"box", "score"}


def test_defaults_stay_constants_and_the_network_behind_them_stays(trtbuild, models: Path, tmp_path: Path) -> None:
    """A scalar without a default is an input; asked for, one with a default is, too, and what it hides is missed."""
    import onnx

    ready(trtbuild, models, tmp_path, "defaults.pb")
    trtbuild("model=m", "precision=int8", check=0)
    exported = onnx.load(next((tmp_path / "ws").glob("build/m/export-*/model.onnx")))

    assert sorted(value.name for value in exported.graph.input) == ["gain", "image"]
    assert {"Conv", "Relu", "MatMul", "Mul"} <= {node.op_type for node in exported.graph.node}

    words = ["+model.source.inputs.pooled='pooled:0'", "+model.inputs.pooled={dtype: float32, shape: [8, 8]}"]
    said = trtbuild("model=m", *words, check=4).stderr
    assert "nothing reads the input 'image'" in said


def test_a_crash_of_the_parser_is_a_result(trtbuild, models: Path, tmp_path: Path) -> None:
    """``tf.image.crop_and_resize`` takes the parser down: exit status 4, the stage, the log; nothing recorded."""
    ready(trtbuild, models, tmp_path, "crash")

    said = trtbuild("model=m", check=4).stderr

    assert "died of SIGSEGV while parsing" in said
    assert not list((tmp_path / "ws").glob("build/m/engine-*/dvc.lock"))


def test_all_operations_without_an_onnx_form_are_named_at_once(trtbuild, models: Path, tmp_path: Path) -> None:
    """By TensorFlow type and name."""
    ready(trtbuild, models, tmp_path, "unsupported")

    said = trtbuild("model=m", check=4).stderr

    assert "2 operation(s) cannot be exported to ONNX: BesselI0, Lgamma" in said
    assert "BesselI0 decoder/" in said
    assert "Lgamma decoder/" in said


def test_all_nodes_that_tensorrt_refuses_are_named_with_their_scope(trtbuild, models: Path, tmp_path: Path) -> None:
    """One is found by the checker, the others only after it is cut out."""
    ready(trtbuild, models, tmp_path, "refused")

    said = trtbuild("model=m", check=4).stderr

    assert "refuses 3 node(s) (MaxPool, ScatterND, Unique)" in said
    for op in ("TensorFlow Unique head/", "TensorFlow MaxPoolWithArgmax head/", "TensorFlow TensorScatterAdd head/"):
        assert op in said


def test_a_missing_signature_and_a_corrupt_saved_model(trtbuild, models: Path, tmp_path: Path) -> None:
    """The nearest signature is suggested; a damaged file is the model's fault."""
    ready(trtbuild, models, tmp_path, "lstm")
    assert (
        "did you mean 'serving_default'?"
        in trtbuild("model=m", "model.source.signature=serving_defalt", check=2).stderr
    )

    broken = tmp_path / "ws" / "models" / "broken"
    shutil.copytree(models / "lstm", broken)
    (broken / "saved_model.pb").write_bytes(b"\x00junk" * 40)
    assert "not a readable SavedModel" in trtbuild("model=m", "model.source.path=models/broken", check=4).stderr


def test_two_exports_in_two_processes_are_identical(trtbuild, models: Path, tmp_path: Path) -> None:
    """Byte for byte, and so is everything made from them."""
    ready(trtbuild, models, tmp_path, "two_inputs")
    trtbuild("model=m", "precision=int8", check=0)

    for kind in ("export", "lower", "engine", "deviation", "report"):
        folder = next((tmp_path / "ws" / "build" / "m").glob(f"{kind}-*"))
        assert "DIFFERS" not in trtbuild("rerun", str(folder), check=0).stderr


def test_the_main_job_in_a_fresh_clone(trtbuild, tmp_path: Path) -> None:
    """Models are pulled, int8 costs no more than allowed; DVC agrees; again is a no-op."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "clone")], check=True)
    words = ["model=segnet", "precision=int8"]

    said = trtbuild(*words, cwd=tmp_path / "clone", check=0).stderr

    assert "segnet-int8-rtx-1.7-onnxruntime: PASS" in said
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status"], cwd=tmp_path / "clone", capture_output=True, text=True
    )
    assert "up to date" in status.stdout
    assert "ran " not in trtbuild(*words, cwd=tmp_path / "clone", check=0).stderr
    (shown,) = json.loads(trtbuild("show", *words, "--json", cwd=tmp_path / "clone", check=0).stdout)["variants"]
    assert_pictured(shown["metrics"]["checks"])


def assert_pictured(checks: dict) -> None:
    """What the README's pictures show is what comes out; where it is not: ``python docs/pictures/draw.py``."""
    pictured = json.loads((ROOT / "docs" / "pictures" / "numbers.json").read_text("utf-8"))["checks"]
    assert pictured.keys() == checks.keys()
    for name, check in checks.items():
        assert pictured[name]["limit"] == check["limit"]
        # CPUs round differently.
        assert pictured[name]["observed"] == pytest.approx(check["observed"], rel=0.05, abs=2e-5)


@pytest.mark.parametrize("model", ["lenet", "mobilenet_v2", "inception_v3"])
def test_demonstration_models_pass_in_int8(trtbuild, tmp_path: Path, model: str) -> None:
    """With the thresholds in the repository's own conf/."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(tmp_path / "clone")], check=True)

    words = [f"model={model}", "precision=int8", "latency=off"]
    assert "PASS" in trtbuild(*words, cwd=tmp_path / "clone", check=0).stderr
    (shown,) = json.loads(trtbuild("show", *words, "--json", cwd=tmp_path / "clone", check=0).stdout)["variants"]
    layers = json.loads((tmp_path / "clone" / shown["steps"]["layers"]["outs"]["layers.json"]).read_text())
    taps = layers["taps"]
    assert taps["proved"] == taps["compared"] >= 0.97 * taps["tensors"]
    assert layers["jumps"]["export"] == []
    assert all("/predictions" in jump["name"] for jump in layers["jumps"]["total"])  # the last layer, if any
    assert taps["frozen_outputs"]["nrmse"] < 1e-5
