"""Reduce and bugreport from end to end: what they write, what it does, and what is not in it."""

from __future__ import annotations

import csv
import getpass
import json
import shutil
import socket
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest
from polygraphy.json import load_json

from tests.reducing.graphs import KERNEL, secret
from tests.support.graphs import graph

pytestmark = pytest.mark.slow

FILES = {"report.md", "environment.json", "model.onnx", "repro.py", "repro.sh", "build_tf_graph.py", "inputs.json",
         "golden.json", "build.log", "matrix.csv", "related.md"}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose name may not leak, with a report of a network whose name, tensors and weights may not either."""
    folder = tmp_path_factory.mktemp("wayne_robotics")
    (folder / "batnet.onnx").write_bytes(secret().SerializeToString())
    report(folder, "batnet.onnx", "-o", "bug")
    return folder


def report(folder: Path, *words: str, status: int = 0) -> str:
    argv = [sys.executable, "-m", "trtbuild", "bugreport", *words, "--no-install"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has TensorRT's package, and nothing else."""
    uv, folder = Path(sys.executable).with_name("uv"), tmp_path_factory.mktemp("clean") / "venv"
    here = version("tensorrt-rtx")
    for words in (["venv", "-q", "-p", sys.executable, folder],
                  ["pip", "install", "-q", "-p", folder / "bin" / "python", f"tensorrt-rtx=={here}"]):  # fmt: skip
        subprocess.run([uv, *words], check=True)
    return folder / "bin" / "python"


def test_all_files_are_there_and_zipped(place: Path) -> None:
    """The zip has the folder's bytes."""
    assert {path.name for path in (place / "bug").iterdir()} == FILES
    with zipfile.ZipFile(place / "bug.zip") as archive:
        for name in FILES:
            assert archive.read(f"bug/{name}") == (place / "bug" / name).read_bytes()


def test_nothing_of_the_user_is_in_it(place: Path) -> None:
    """Names of machine, person, folder, model and tensors; weights."""
    words = [
        socket.gethostname(),
        getpass.getuser(),
        str(Path.home()),
        str(place),
        "wayne_robotics",
        "batnet",
        "secret",
    ]
    with zipfile.ZipFile(place / "bug.zip") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= {path.name: path.read_bytes() for path in (place / "bug").iterdir()}
    for name, content in contents.items():
        found = [word for word in words if word.encode() in content or word in name]
        assert not found, (name, found)
        for start in range(0, KERNEL.nbytes - 16, 16):
            assert KERNEL.tobytes()[start : start + 16] not in content, name


def test_repro_reproduces_where_there_is_tensorrt_only(place: Path, clean: Path, tmp_path: Path) -> None:
    """As a maintainer unpacks it; with a model that builds it says that it does not."""
    folder = shutil.copytree(place / "bug", tmp_path / "bug")
    done = subprocess.run([clean, "-I", folder / "repro.py"], capture_output=True, text=True, cwd="/", env={})
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "REPRODUCED"), done.stdout + done.stderr

    missing = subprocess.run([clean, "-c", "import numpy, onnx"], capture_output=True, text=True)
    assert missing.returncode, "the environment is not clean: the test proves nothing"
    good = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[2] x) => (float[2] y) {y = Relu(x)}'
    )
    (folder / "model.onnx").write_bytes(good.SerializeToString())
    assert subprocess.run([clean, "-I", folder / "repro.py"], capture_output=True, env={}).returncode == 1


def test_the_report_states_what_was_run(place: Path) -> None:
    """Title, fields in order, controls, versions."""
    text = (place / "bug" / "report.md").read_text()
    order = ["## Description", "## Environment", "**TensorRT Version**", "**NVIDIA GPU**", "Operating System",
             "## Relevant Files", "## Steps To Reproduce", "**Have you tried", "**Can this model run"]  # fmt: skip

    assert text.startswith(f"# Parser failure of TensorRT {version('tensorrt-rtx')} when running Det on GPU: ")
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert "it exited with 0 here, in a fresh process" in text and "NVIDIA's container: not run" in text
    assert "Reduced: 1 of 6 nodes; no node can be left out" in text
    assert "it was run, and exports 1 node at the top level, Det among them" in text


def test_model_values_and_tables_are_what_they_should_be(place: Path) -> None:
    """ONNX's checker, Polygraphy, JSON and CSV read them."""
    onnx.checker.check_model(onnx.load(place / "bug" / "model.onnx"), full_check=True)
    assert isinstance(load_json(str(place / "bug" / "inputs.json"))[0]["t0"], np.ndarray)
    about = json.loads((place / "bug" / "environment.json").read_text())
    rows = list(csv.DictReader((place / "bug" / "matrix.csv").open()))

    assert about["tensorrt"]["version"] == version("tensorrt-rtx") and about["packages"]["onnx"] == version("onnx")
    assert {row["precision"] for row in rows} == {"fp32", "fp16", "bf16", "int8"}
    assert any(row["graph"].startswith("control: ") and row["outcome"] == "builds" for row in rows)


def test_a_report_is_never_replaced(place: Path) -> None:
    """Said before any work."""
    assert "bug: it already exists" in report(place, "batnet.onnx", "-o", "bug", status=2)


def test_equal_reports_are_equal_bytes(place: Path) -> None:
    """Made a second time; the folder's name is part of the zip."""
    (place / "again").mkdir()
    shutil.copy(place / "batnet.onnx", place / "again")
    report(place / "again", "batnet.onnx", "-o", "bug")

    assert (place / "again" / "bug.zip").read_bytes() == (place / "bug.zip").read_bytes()


def test_a_crash_of_a_case_is_reproduced_in_a_clean_environment(clean: Path, tmp_path: Path) -> None:
    """The loop is reduced inside, and still runs in ONNX Runtime."""
    report(tmp_path, "crop-and-resize-roialign", "-o", "bug")
    done = subprocess.run([clean, "-I", tmp_path / "bug" / "repro.py"], capture_output=True, text=True, env={})
    text = (tmp_path / "bug" / "report.md").read_text()

    assert done.returncode == 0 and "died of SIGSEGV while parsing" in done.stdout
    assert text.startswith("# Crash of TensorRT ") and "when running Loop (" in text
    assert "Can this model run on other frameworks?**: yes, in ONNX Runtime" in text


def test_a_fault_of_the_exporter_is_not_laid_on_tensorrt(tmp_path: Path) -> None:
    """An area resize that is exported as another one."""
    report(tmp_path, "resize-area", "-o", "bug")
    text = (tmp_path / "bug" / "report.md").read_text()

    assert text.startswith("# Mismatch of values of tf2onnx ") and "a fault of the exporter, not of TensorRT" in text
    assert subprocess.run([sys.executable, tmp_path / "bug" / "repro.py"], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["resize-to-1"], 2, "nothing fails: it parses and builds with tensorrt=rtx-1.7; its values are within"),
        (["resize-aria"], 2, "neither a case of the suite nor an .onnx file; did you mean 'resize-area'?"),
        (["resize-area", "precision=fp16"], 2, "'precision' is not accepted here"),
        (["scan-forward"], 4, "cannot be exported to ONNX"),
    ],
)
def test_what_cannot_be_reported_is_one_line(words: list[str], status: int, said: str, tmp_path: Path) -> None:
    """And leaves nothing."""
    assert said in report(tmp_path, *words, status=status)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_that_needs_the_models_numbers_is_refused(tmp_path: Path) -> None:
    """Two large constants that cancel, in half precision: random ones do not cancel."""
    model = graph("float[4] x => float[4] y { a = Add(x, v) y = Sub(a, w) }", v=[3000.7] * 4, w=[3000.7] * 4)
    (tmp_path / "net.onnx").write_bytes(model.SerializeToString())
    words = ("net.onnx", "precision=fp16", "--for", "mismatch", "-o", "bug")

    assert "it fails only with its own numbers" in (said := report(tmp_path, *words, status=2))
    assert "would have to be in the report; write --keep-weights" in said
    assert not (tmp_path / "bug").exists()
    report(tmp_path, *words, "--keep-weights")
    assert "random except for what the failure needs: " in (tmp_path / "bug" / "report.md").read_text()


def test_a_model_of_the_config_is_reduced_and_reported(workspace: Path, trtbuild) -> None:
    """Whose deviation is declared too large; without that there is nothing to report."""
    words = ("model=tiny", "precision=int8", "+model.validation.deviation.max_abs=1e-9")
    done = trtbuild("reduce", *words, "--name", "mine", check=0)
    assert "wrote the case mine" in done.stdout and (workspace / "suite" / "mine.npz").is_file()
    assert "nothing fails" in trtbuild("bugreport", "model=tiny", check=2).stderr

    trtbuild("bugreport", *words, "-o", "bug", check=0)
    text = (workspace / "bug" / "report.md").read_text()
    assert "tiny" not in text and "of the precision, not of TensorRT; no engine was executed" in text


def test_a_precision_of_the_users_own_is_checked_and_reduced(workspace: Path, trtbuild) -> None:
    """As its file says; by its name alone it would be float32, and nothing would fail."""
    (workspace / "conf" / "precision").mkdir(exist_ok=True)
    (workspace / "conf" / "precision" / "mine.yaml").write_text("defaults: [fp16]\n")
    words = ("model=tiny", "precision=mine")

    assert "in mine (float16)" in trtbuild("check", *words, check=0).stdout
    trtbuild("reduce", *words, "+model.validation.deviation.max_abs=1e-9", "--name", "half", check=0)
    assert "Cast" in {node.op_type for node in onnx.load(workspace / "suite" / "half.onnx").graph.node}


def test_what_a_model_excludes_stays_out_of_a_reduction(workspace: Path, trtbuild) -> None:
    """The scope that stays in float32 cannot be where int8 deviates, and a report's matrix has the user's precision."""
    (workspace / "conf" / "precision").mkdir(exist_ok=True)
    (workspace / "conf" / "precision" / "mine.yaml").write_text(
        "defaults: [int8]\nquantize_ops: [Conv, MatMul]\nrest: float32\n"
    )
    words = ("model=tiny", "precision=mine", "+model.overrides.mine.exclude_scopes=[net]")
    check = json.loads(trtbuild("check", *words, "--json", check=0).stdout)
    small = ("+model.validation.deviation.max_abs=1e-9", "calibration=entropy")
    trtbuild("bugreport", *words, *small, "-o", "bug", check=0)
    ops = [node.op_type for node in onnx.load(workspace / "bug" / "model.onnx").graph.node]
    with (workspace / "bug" / "matrix.csv").open() as file:
        (own,) = [row for row in csv.DictReader(file) if row["precision"] == "mine" and row["tensorrt"] == "-"]

    assert check["lowering"]["exclude_scopes"] == ["net"] and check["lowering"]["quantize_ops"] == ["Conv", "MatMul"]
    assert "MatMul" in ops and "DequantizeLinear" in ops and own["outcome"] == "mismatch of values"


def test_a_written_case_fails_in_the_suite_as_it_was_found(workspace: Path, trtbuild) -> None:
    """A refusal."""
    (workspace / "net.onnx").write_bytes(secret().SerializeToString())
    trtbuild("reduce", "net.onnx", "--name", "mine", check=0)
    document = json.loads(trtbuild("suite", "-k", "mine", "--json").stdout)

    assert "checkDet" in json.dumps(document)


MAKE = """
import tensorflow as tf
class Net(tf.Module):
    @tf.function
    def __call__(self, image):
        x = tf.image.resize(tf.nn.relu(image) + 1.0, [4, 4], "area")
        return {"scores": tf.nn.sigmoid(x) * 3.0}
net = Net()
tf.saved_model.save(net, "batnet", signatures=net.__call__.get_concrete_function(
    tf.TensorSpec([None, 8, 8, 2], tf.float32, name="image")))
"""


def test_a_fault_of_the_exporter_is_located_in_a_model(tmp_path: Path, trtbuild) -> None:
    """With random inputs, so that it can be reported as it is; TensorFlow's operation is named."""
    (tmp_path / "make.py").write_text(MAKE)
    subprocess.run([sys.executable, "make.py"], cwd=tmp_path, check=True, capture_output=True)
    trtbuild("init", "ws", "--from", "batnet", cwd=tmp_path, check=0)
    trtbuild("bugreport", "model=batnet", "-o", "bug", check=0)
    text = (tmp_path / "ws" / "bug" / "report.md").read_text()

    assert "when exporting to Resize" in text and "exported from TensorFlow's ResizeArea" in text
    assert "random inputs, no weights" in text and "batnet" not in text
